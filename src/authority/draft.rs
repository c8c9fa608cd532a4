//! The next commit, while calls are planned for it, and the one consistent view that they are planned on.

use std::collections::HashSet;
use std::sync::Arc;

use crate::authority::acting::Acting;
use crate::authority::actor::Actor;
use crate::authority::error::Error;
use crate::authority::event::EventKind;
use crate::authority::shared::Shared;
use crate::index::Index;
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::TokenKind;
use crate::model::status::Standing;
use crate::model::time::Timestamp;
use crate::secret::{Credential, Digest, Secret};
use crate::store::MAX_COMMIT;
use crate::store::record::{Body, Mark, Record, RecordKey, TokenRecord};

/// The next commit, while calls are planned for it.
///
/// Calls are planned one after another on the index. A call that would read what an earlier call in the same draft
/// changes waits for the next draft ([`Stop::Wait`]). So every call sees the effects of all calls before it.
pub(crate) struct Draft<'a> {
    shared: &'a Arc<Shared>,
    pub(crate) now: Timestamp,
    records: Vec<Record>,
    keys: HashSet<RecordKey>,
    digests: HashSet<[u8; 32]>,
    permissions: usize,
    /// What the call that is being planned would add.
    own: Part,
}

/// One call's part of a commit.
#[derive(Default)]
pub(crate) struct Part {
    records: Vec<Record>,
    digests: Vec<Digest>,
    permissions: usize,
    pub(crate) events: Vec<(Option<TokenId>, EventKind)>,
}

/// The most permissions of all tokens in one commit. They take some megabytes, which the store writes while other calls
/// wait. One token has a tenth of that at most.
const MAX_PERMISSIONS: usize = 10 * TokenKind::MAX_PATTERNS;

/// Why a call is not part of this draft.
pub(crate) enum Stop {
    /// It has to wait for the next one.
    Wait,
    /// It is refused.
    Fail(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

impl<'a> Draft<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>) -> Self {
        let (now, own) = (shared.clock.now(), Part::default());
        let (records, keys, digests) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut draft = Self { shared, now, records, keys, digests, permissions: 0, own };
        if shared.index.marks().format.is_none() {
            draft.records.push(Record(Body::Mark(Mark::Format(Record::NEWEST_FORMAT))));
        }
        draft
    }

    pub(crate) fn index(&self) -> &'a Index {
        &self.shared.index
    }

    /// Makes what the call added part of the commit, and returns it.
    pub(crate) fn keep(&mut self) -> Result<Part, Stop> {
        let mut own = std::mem::take(&mut self.own);
        let permissions = self.permissions + own.permissions;
        if self.records.len() + own.records.len() > MAX_COMMIT || permissions > MAX_PERMISSIONS {
            return Err(Stop::Wait);
        }
        self.permissions = permissions;
        self.keys.extend(own.records.iter().map(Record::key));
        self.digests.extend(own.digests.iter().map(Digest::bytes));
        self.records.append(&mut own.records);
        Ok(own)
    }

    /// Drops what the call added.
    pub(crate) fn drop_own(&mut self) {
        self.own = Part::default();
    }

    pub(crate) fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// Reports whether no call changes anything. The format mark alone is no reason to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a record, and the event that the observer gets after the commit.
    pub(crate) fn put(&mut self, body: Body, event: Option<EventKind>) {
        let record = Record(body);
        if let Some(kind) = event {
            self.own.events.push((record.token(), kind));
        }
        if let Body::Token(token) = &record.0 {
            self.own.permissions += permissions(token);
        }
        self.own.records.push(record);
    }

    /// Reports whether a call that is alone in the draft can add this token, or its tombstone. One place is kept for the
    /// format mark.
    pub(crate) fn has_room(&self, token: &TokenRecord) -> bool {
        self.own.records.len() < MAX_COMMIT - 1 && self.own.permissions + permissions(token) <= MAX_PERMISSIONS
    }

    /// Checks that no call in this draft changes the record with that key.
    fn unchanged(&self, key: RecordKey) -> Result<(), Stop> {
        if self.keys.contains(&key) { Err(Stop::Wait) } else { Ok(()) }
    }

    /// Checks that no call in this draft changes anything. A call that reads everything asks this.
    pub(crate) fn alone(&self) -> Result<(), Stop> {
        if self.is_empty() { Ok(()) } else { Err(Stop::Wait) }
    }

    pub(crate) fn set_up(&self) -> Result<Option<Timestamp>, Stop> {
        self.unchanged(RecordKey::SET_UP)?;
        Ok(self.index().marks().set_up)
    }

    pub(crate) fn find(&self, id: TokenId) -> Result<Option<(u64, TokenRecord)>, Stop> {
        self.unchanged(RecordKey::token(id))?;
        Ok(self.index().record(id))
    }

    pub(crate) fn owner_standing(&self, owner: UserId) -> Result<Standing, Stop> {
        self.unchanged(RecordKey::owner(owner))?;
        Ok(self.index().owner_standing(owner)?)
    }

    pub(crate) fn organization_standing(&self, organization: OrgId) -> Result<Standing, Stop> {
        self.unchanged(RecordKey::organization(organization))?;
        Ok(self.index().organization_standing(organization)?)
    }

    /// Checks that no call in this draft changes the standing of the token's owner or organization.
    pub(crate) fn standings_unchanged(&self, token: &TokenRecord) -> Result<(), Stop> {
        self.owner_standing(token.owner)?;
        token.kind.organization().map_or(Ok(()), |organization| self.organization_standing(organization).map(|_| ()))
    }

    /// Returns a new secret and its digest: the chosen secret, if it may be chosen (design rule 14), or a generated one.
    pub(crate) fn secret(&mut self, chosen: Option<&Secret>) -> Result<(Secret, Credential), Stop> {
        let Shared { keyring, format, index, .. } = &**self.shared;
        let key = keyring.current();
        let secret = match chosen {
            None => format.generate(key)?,
            Some(chosen) => {
                format.check_chosen(chosen)?;
                Secret::new(chosen.expose())
            }
        };
        let bytes = secret.expose().as_bytes();
        let keys = if chosen.is_some() { keyring.candidates().into_iter().flatten().collect() } else { vec![key] };
        for digest in keys.into_iter().filter_map(|key| keyring.digest(key, bytes)) {
            if self.digests.contains(digest.bytes()) {
                return Err(Stop::Wait);
            }
            if index.knows(&digest) {
                return Err(Error::SecretTaken.into());
            }
        }
        let credential = keyring.credential(bytes);
        self.own.digests.push(credential.digest);
        Ok((secret, credential))
    }

    /// Returns the actor, if it is accepted (design rule 2).
    pub(crate) fn acting(&self, actor: &Actor) -> Result<Acting, Stop> {
        Acting::of(actor, self.shared, |id| {
            let found = self.find(id)?.map(|(_, token)| token);
            if let Some(token) = &found {
                self.standings_unchanged(token)?;
            }
            Ok(found)
        })
    }
}

fn permissions(token: &TokenRecord) -> usize {
    token.kind.permissions().len()
}
