//! A token as people see it, from the model and from the library.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::resume_unwind;

use portcullis::{Creator, Error, KindName, OrgId, Reason, Status, Timestamp, TokenId, UserId};

use super::rules::{Objection, shown};
use super::state::{self, State};
use crate::naive::Kind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: TokenId,
    pub kind: KindName,
    pub organization: Option<OrgId>,
    pub permissions: BTreeSet<String>,
    pub owner: UserId,
    pub description: String,
    pub creator: state::Creator,
    pub times: (Timestamp, Timestamp, Option<Timestamp>),
    pub status: Status,
    pub accepted: Result<(), Reason>,
    pub revision: u64,
}

impl Seen {
    pub fn really(token: &portcullis::Token, now: Timestamp) -> Self {
        Self {
            id: token.id(),
            kind: token.kind().name(),
            organization: token.organization(),
            permissions: token.kind().permissions().iter().map(|each| each.to_string()).collect(),
            owner: token.owner(),
            description: token.description().to_owned(),
            creator: match token.creator() {
                Creator::Host(label) => state::Creator::Host(label.to_string()),
                creator => state::Creator::Tokens(creator.lineage().to_vec()),
            },
            times: (token.created_at(), token.updated_at(), token.expires_at()),
            status: token.status(),
            accepted: token.check(now),
            revision: token.revision(),
        }
    }

    pub fn by_the_rules(state: &State, token: &state::Token, now: Timestamp) -> Self {
        Self {
            id: token.id,
            kind: match token.kind {
                Kind::Operator => KindName::Operator,
                Kind::AllAccess(_) => KindName::AllAccess,
                Kind::ReadWrite(..) => KindName::ReadWrite,
                Kind::Custom(..) => KindName::Custom,
            },
            organization: token.kind.organization(),
            permissions: shown(&token.kind),
            owner: token.owner,
            description: token.description.clone(),
            creator: token.creator.clone(),
            times: (token.created, token.updated, token.expires),
            status: token.status,
            accepted: state.accepts(token, now),
            revision: token.revision,
        }
    }
}

/// What a call says while everything is denied for that reason.
pub fn denying(reason: Reason) -> Objection {
    Objection::of(&match reason {
        Reason::Stale => Error::Stale,
        _ => Error::Unavailable,
    })
}

/// They differ. Not by the macro, so that nothing is printed: whoever looks for the shortest sequence fails often.
pub fn differs(text: String) -> ! {
    resume_unwind(Box::new(text))
}

pub fn ensure(holds: bool, text: impl FnOnce() -> String) {
    if !holds {
        differs(text());
    }
}

/// Both in full where they differ.
pub fn same<T: PartialEq + Debug>(found: &T, expected: &T, what: &str) {
    ensure(found == expected, || format!("{what}:\n   found {found:#?}\nexpected {expected:#?}"));
}
