//! Portcullis issues API tokens and answers one question from memory: **may token T do action A on resource R in
//! organization O?**
//!
//! ```
//! use std::time::Duration;
//! use portcullis::{
//!     Action, Actor, AsAction, Authority, MemoryStore, NewToken, OrgId, Permit, Read, Resource, ResourceId,
//!     ResourceType, UserId, Verb, resource_type, verb,
//! };
//!
//! // The host's own: a type of resource, an action, and that action as a type.
//! const JOBS: ResourceType = resource_type!("jobs");
//! const EXECUTE: Verb = verb!("execute");
//!
//! struct Execute;
//!
//! impl AsAction for Execute {
//!     fn as_action(&self) -> Action {
//!         EXECUTE.into()
//!     }
//! }
//!
//! let (acme, alice, backup) = (OrgId::generate()?, UserId::generate()?, ResourceId::generate()?);
//!
//! // A store in memory; `RedbStore::open("tokens.redb")?` keeps it in a file.
//! let authority = Authority::open(MemoryStore::new()).wait()?;
//!
//! // A token for one job. The secret is shown here and never again; what is stored is a digest.
//! let ninety_days = Duration::from_secs(90 * 24 * 3600);
//! let new = NewToken::custom(acme).allow(EXECUTE, (JOBS, backup)).owner(alice).expires_in(ninety_days);
//! let issued = authority.create(Actor::host("sign-up"), new).wait()?;
//!
//! // Per request: synchronous, in memory, no store call. `Ok` is the proof, which a function can demand as an argument.
//! let caller = authority.authenticate(issued.secret.expose())?;
//! let job = Resource::within(acme, JOBS).with_id(backup);
//! let permit: Permit<Execute> = caller.authorize(Execute, job)?;
//! assert_eq!(permit.resource().id(), Some(backup));
//!
//! // `Err` says what is missing.
//! let denial = caller.authorize(Read, job).unwrap_err();
//! assert_eq!(denial.to_string(), format!("missing permission `read:orgs/{acme}/jobs/{backup}`"));
//!
//! // Revoked is revoked: on principals already held, too.
//! authority.revoke(Actor::host("support"), issued.token.id()).wait()?;
//! assert!(caller.authorize(Execute, job).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The words
//!
//! - A **token** belongs to a user and has one of four [kinds](TokenKind): *Operator* (everything, and the instance
//!   itself), *All-Access* (everything in one organization), *Read/Write* (certain buckets of one organization) and
//!   *Custom* (any [permissions](PermissionSet)). It is what InfluxDB OSS 2.x documents as an API token.
//! - Its [**secret**](Secret) is shown once. What is stored is a digest.
//! - A [**principal**](Principal) is an authenticated secret. Decisions are asked on it.
//! - An [**action**](Action) is what a request asks: read, write, or a [verb](Verb) of the host's own. A
//!   [permission](Permission) gives one of these, or any.
//! - A [**permit**](Permit) is the proof that a request was allowed. A [**denial**](Denial) says what is missing.
//! - An [**actor**](Actor) manages tokens: a principal, or the host itself under a label.
//!
//! # How it is built
//!
//! Two planes over one pure core. The *check plane* ([`Authority::authenticate`], [`Principal::authorize`], or both in one
//! call, [`Authority::authorize`]) reads an index in memory, without locks. The *management plane* is one thread that plans
//! the waiting calls, commits them to a [`TokenStore`] together, and publishes them before it answers. The decision
//! itself, [`decide`], is a pure function.
//!
//! # What a host must know
//!
//! - A [`TokenStore`] and the [`Clock`] are trusted. So is [`Actor::host`], which no permission limits.
//! - A store failure can never turn a denial into an allow. A commit in doubt is settled by repeating it ([`Error::InDoubt`]).
//! - One store can serve several authorities; a revocation takes effect at once on the one that made it, and on the
//!   others by the time that its [`Receipt`] says: they have applied it by then, or deny everything
//!   ([`AuthorityBuilder::stale_after`]).
//!
//! # What it promises
//!
//! Twenty rules, each with tests of its name: [`_rules`]. Where this documentation says "design rule 7", it means the
//! seventh of them.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `redb` | yes | `RedbStore`: tokens in one embedded file |
//! | `tracing` | no | `TracingObserver`: audit events as `tracing` events |
//! | `testing` | no | the conformance suite for your own `TokenStore`, a store that fails on demand, a clock to turn |
//!
//! A feature never changes what the default does.
//!
//! These crates use Portcullis: `portcullis-http` has the HTTP API, `portcullis-cli` the command line, and
//! `portcullis-postgres` a store in PostgreSQL.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::incompatible_msrv,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

#[doc = include_str!("../docs/rules.md")]
pub mod _rules {}

mod authority;
mod chunks;
mod index;
mod model;
mod random;
mod secret;
pub mod store;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;

pub use authority::actor::Actor;
pub use authority::error::{AuthenticateError, AuthorizeError, Error};
#[cfg(feature = "tracing")]
pub use authority::event::TracingObserver;
pub use authority::event::{ActorName, CallName, Event, EventKind, Observer};
pub use authority::health::Health;
pub use authority::new_token::{NewCustom, NewKind, NewReadWrite, NewToken};
pub use authority::open_error::OpenError;
pub use authority::pending::Pending;
pub use authority::principal::Principal;
pub use authority::request::{Everywhere, Issued, Receipt, Rotation, Update, Updated};
pub use authority::{Authority, AuthorityBuilder};
pub use index::list::{Filter, Page};
pub use model::action::{Action, ActionError, AsAction, Grant, Read, ReadWrite, Write};
pub use model::decision::{Decision, Denial, decide};
pub use model::expiry::Expiry;
pub use model::id::{IdError, OrgId, ResourceId, TokenId, UserId};
pub use model::kind::{KindError, KindName, KindNameError, TokenKind};
pub use model::liveness::Liveness;
pub use model::pattern::{Pattern, PatternError};
pub use model::permission::{Permission, PermissionError};
pub use model::permission_set::{PermissionSet, Reach};
pub use model::permit::Permit;
pub use model::reason::Reason;
pub use model::resource::{AsResource, Resource};
pub use model::resource_type::{ResourceType, ResourceTypeError};
pub use model::status::{Standing, StandingError, Status, StatusError};
pub use model::time::{Clock, SystemClock, Timestamp, TimestampError};
pub use model::token::{Creator, Token};
pub use model::verb::{Verb, VerbError};
pub use random::RandomError;
pub use secret::{Pepper, PepperError, PrefixError, Secret, SecretError};
#[cfg(feature = "redb")]
pub use store::RedbStore;
pub use store::{MemoryStore, TokenStore};

/// The README's program compiles.
#[cfg(all(doctest, feature = "redb"))]
#[doc = include_str!("../README.md")]
struct Readme;
