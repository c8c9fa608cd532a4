//! Portcullis issues API tokens and answers one question: **may token T do action A on resource R in organization O?**
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

mod authority;
mod index;
mod model;
mod random;
mod secret;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use authority::actor::Actor;
pub use authority::error::{AuthenticateError, Error};
#[cfg(feature = "tracing")]
pub use authority::event::TracingObserver;
pub use authority::event::{ActorName, Event, Observer, What};
pub use authority::pending::Pending;
pub use authority::principal::Principal;
pub use authority::request::{Issued, NewToken, Receipt, Rotation, Update};
pub use authority::{Authority, Builder};
pub use index::list::{Filter, Page};
pub use model::action::{Action, AsAction, Read, ReadWrite, Write};
pub use model::decision::{Denial, Liveness, Permit, Reason, decide};
pub use model::id::{IdError, OrgId, ResourceId, TokenId, UserId};
pub use model::kind::{KindError, KindName, TokenKind, UnknownKind};
pub use model::permission::{Pattern, Permission, PermissionError};
pub use model::permission_set::{PermissionSet, Reach};
pub use model::resource::{InstanceInOrganization, Resource, ResourceType, ResourceTypeError};
pub use model::time::{Clock, SystemClock, Timestamp};
pub use model::token::{Creator, Standing, Status, Token, UnknownStatus};
pub use random::RandomError;
pub use secret::{Pepper, PepperError, PrefixError, Secret, SecretError};
pub use store::{
    Changes, ChangesError, CommitError, CommitId, DecodeError, MAX_COMMIT, MemoryStore, Position, Record, RecordKey,
    RecordKind, StoreError, TokenStore,
};
#[cfg(feature = "redb")]
pub use store::{RedbError, RedbStore};
