//! What only the management plane needs to know about the tokens.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use crate::chunks::chunks_mut;
use crate::index::order::Order;
use crate::index::slot::State;
use crate::index::{Index, last_used, whole, words};
use crate::model::action::{Access, Action};
use crate::model::id::{OrgId, ResourceId, TokenId, UserId};
use crate::model::kind::{KindName, TokenKind};
use crate::model::permission_set::PermissionSet;
use crate::model::status::{Standing, Status};
use crate::model::time::{Clock, Timestamp};
use crate::model::token::{Creator, Token};
use crate::secret::{Credential, Digest, Keyring};
use crate::store::Position;
use crate::store::record::{Stand, TokenRecord, Tombstone};
use crate::sync::{RwLockReadGuard, RwLockWriteGuard};

#[derive(Default)]
pub(super) struct Catalog {
    pub(super) by_id: Order,
    /// By the organization's place; those without one under 0.
    pub(super) by_organization: HashMap<u32, Order>,
    pub(super) owners: Places<UserId>,
    pub(super) organizations: Places<OrgId>,
    pub(super) creators: Places<Creator>,
    pub(super) stands: Stands,
    pub(super) more: HashMap<u32, More>,
    /// Deleted tokens that are not forgotten yet, and the revision of the deletion.
    pub(super) tombstones: BTreeMap<TokenId, (u64, Tombstone)>,
    /// Digests that no token has any more.
    pub(super) former: HashSet<[u8; 32]>,
    pub(super) slots: Numbers,
    pub(super) sets: Numbers,
    pub(super) marks: Marks,
    pub(super) position: Position,
}

#[derive(Default)]
pub(super) struct Stands {
    pub(super) owners: BTreeMap<UserId, Stand>,
    pub(super) organizations: BTreeMap<OrgId, Stand>,
}

impl Stands {
    fn owner(&self, owner: UserId) -> Standing {
        self.owners.get(&owner).map_or(Standing::Active, |stand| stand.standing)
    }

    fn organization(&self, organization: OrgId) -> Standing {
        self.organizations.get(&organization).map_or(Standing::Active, |stand| stand.standing)
    }
}

/// The store's marks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks {
    pub(crate) set_up: Option<Timestamp>,
    pub(crate) horizon: u64,
    pub(crate) format: Option<u8>,
}

/// The index is being read anew, or closed: what is not in it may still be in the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incomplete;

/// What few tokens have.
#[derive(Default)]
pub(super) struct More {
    pub(super) description: Arc<str>,
    pub(super) former: Vec<Digest>,
}

/// Small numbers for large values, from 1 on. A number is never given to another value.
pub(super) struct Places<T> {
    numbers: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Places<T> {
    pub(super) fn find(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    /// The value's number, and whether it is new.
    pub(super) fn place(&mut self, value: &T) -> (u32, bool) {
        if let Some(number) = self.find(value) {
            return (number, false);
        }
        self.values.push(value.clone());
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.numbers.insert(value.clone(), number);
        (number, true)
    }

    pub(super) fn value(&self, number: u32) -> Option<&T> {
        self.values.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}

/// Numbers in use, those given back first.
#[derive(Default)]
pub(super) struct Numbers {
    /// The longest unused first, so that a number is reused late.
    free: VecDeque<u32>,
    next: u32,
}

impl Numbers {
    pub(super) fn all_free(count: u32) -> Self {
        Self { free: (0..count).collect(), next: count }
    }

    pub(super) fn take(&mut self) -> u32 {
        self.free.pop_front().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    pub(super) fn give_back(&mut self, number: u32) {
        self.free.push_back(number);
    }
}

impl Catalog {
    /// How many slots were ever in use.
    pub(super) fn places(&self) -> u32 {
        self.slots.next
    }
}

impl Index {
    pub(super) fn read_catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The catalog, if everything that the store has is in it.
    pub(super) fn complete_catalog(&self) -> Result<RwLockReadGuard<'_, Catalog>, Incomplete> {
        let catalog = self.read_catalog();
        // The index is closed before it is cleared, and opened when all is in it again.
        if self.is_open() { Ok(catalog) } else { Err(Incomplete) }
    }

    pub(super) fn write_catalog(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn id_of(&self, slot: u32) -> u128 {
        self.slots.get(slot).map_or(0, super::slot::Slot::id)
    }

    /// How far the index is.
    pub(crate) fn position(&self) -> Position {
        self.read_catalog().position
    }

    pub(crate) fn marks(&self) -> Marks {
        self.read_catalog().marks
    }

    /// Whether the store ever held an Operator token.
    pub(crate) fn is_set_up(&self) -> Result<bool, Incomplete> {
        Ok(self.complete_catalog()?.marks.set_up.is_some())
    }

    pub(crate) fn owner_standing(&self, owner: UserId) -> Result<Standing, Incomplete> {
        Ok(self.complete_catalog()?.stands.owner(owner))
    }

    pub(crate) fn organization_standing(&self, organization: OrgId) -> Result<Standing, Incomplete> {
        Ok(self.complete_catalog()?.stands.organization(organization))
    }

    /// The token with all that belongs to it, and the revision that wrote it.
    pub(crate) fn record(&self, id: TokenId) -> Option<(u64, TokenRecord)> {
        let catalog = self.read_catalog();
        let slot = catalog.by_id.find(id.to_u128(), |slot| self.id_of(slot))?;
        self.record_in(&catalog, slot)
    }

    /// The token of a handle, whether or not it is accepted.
    pub(crate) fn id_of_handle(&self, handle: super::Handle, clock: &dyn Clock) -> Option<TokenId> {
        let id = TokenId::from_u128(self.id_of(handle.slot()));
        let slot = self.slots.get(handle.slot())?;
        // After it was read: what was read then was this token's.
        slot.facts(|facts| self.check_secret(handle, facts, clock)).ok().and(id)
    }

    /// The token as people see it.
    pub(crate) fn token(&self, id: TokenId) -> Result<Option<Token>, Incomplete> {
        let catalog = self.complete_catalog()?;
        let slot = catalog.by_id.find(id.to_u128(), |slot| self.id_of(slot));
        Ok(slot.and_then(|slot| self.token_in(&catalog, slot)))
    }

    pub(super) fn token_in(&self, catalog: &Catalog, slot: u32) -> Option<Token> {
        let (revision, record) = self.record_in(catalog, slot)?;
        let owner = catalog.stands.owner(record.owner);
        let organization = record.kind.organization().map_or(Standing::Active, |id| catalog.stands.organization(id));
        let last_used_at = self.slots.get(slot).and_then(last_used);
        Some(record.into_token(revision, owner, organization, last_used_at))
    }

    fn record_in(&self, catalog: &Catalog, place: u32) -> Option<(u64, TokenRecord)> {
        use crate::sync::atomic::Ordering::Relaxed;

        let slot = self.slots.get(place)?;
        let facts = slot.facts(|facts| *facts);
        let organization = catalog.organizations.value(facts.organization).copied();
        let kind = match (facts.state.kind(), organization) {
            (KindName::Operator, _) => TokenKind::operator(),
            (KindName::AllAccess, Some(organization)) => TokenKind::all_access(organization),
            (KindName::ReadWrite, Some(organization)) if !facts.state.contains(State::SET) => {
                let bucket = ResourceId::from_u128(whole(facts.target))?;
                TokenKind::read_write(organization, [(bucket, Action::of(facts.state.access())?)]).ok()?
            }
            (name, organization) => TokenKind::restored(name, organization, self.set(facts.target[0])?),
        };
        let overlap = facts.state.contains(State::OVERLAPPED).then(|| {
            let former = self.slots.get(facts.overlap)?;
            let (key, end) = former.facts(|facts| (facts.state.key(), facts.expires_at()));
            Some((Credential { key, digest: digest_of(former.digest()) }, end.time()?))
        });
        let more = catalog.more.get(&place);
        let record = TokenRecord {
            id: TokenId::from_u128(slot.id())?,
            kind,
            owner: *catalog.owners.value(facts.owner)?,
            description: more.map_or_else(Arc::default, |more| Arc::clone(&more.description)),
            status: facts.state.status(),
            creator: catalog.creators.value(slot.creator.load(Relaxed))?.clone(),
            created_at: Timestamp::from_micros(slot.created.load(Relaxed)),
            updated_at: Timestamp::from_micros(slot.updated.load(Relaxed)),
            expires_at: facts.expires_at(),
            credential: Credential { key: facts.state.key(), digest: digest_of(slot.digest()) },
            overlap: overlap.flatten(),
            former: more.map_or_else(Vec::new, |more| more.former.clone()),
        };
        Some((slot.revision.load(Relaxed), record))
    }

    fn set(&self, place: u64) -> Option<Arc<PermissionSet>> {
        self.sets.get(u32::try_from(place).ok()?)?.load_full()
    }

    /// Whether any token has a secret with this digest, or is remembered to have had one.
    pub(crate) fn knows(&self, digest: &Digest) -> bool {
        let wanted = words(digest);
        let taken = |place| self.slots.get(place).filter(|slot| slot.digest() == wanted).map(|_| ());
        self.lookup.find(&wanted, taken).is_some() || self.read_catalog().former.contains(digest.bytes())
    }

    /// The live tokens that were created by one of these, directly or not.
    pub(crate) fn created_under(&self, roots: TokenId) -> Vec<TokenId> {
        let catalog = self.read_catalog();
        let under: HashSet<u32> = (1..)
            .map_while(|number| Some((number, catalog.creators.value(number)?)))
            .filter(|(_, creator)| creator.lineage().contains(&roots))
            .map(|(number, _)| number)
            .collect();
        if under.is_empty() {
            return Vec::new();
        }
        let slots = catalog.by_id.after(None, |slot| self.id_of(slot));
        slots
            .filter_map(|place| self.slots.get(place))
            .filter(|slot| under.contains(&slot.creator.load(crate::sync::atomic::Ordering::Relaxed)))
            .filter(|slot| slot.facts(|facts| facts.state.status()) != Status::Revoked)
            .filter_map(|slot| TokenId::from_u128(slot.id()))
            .collect()
    }

    /// Whether there ever was such a token, as far as is remembered: it was deleted, or created others.
    pub(crate) fn remembers(&self, id: TokenId) -> bool {
        let catalog = self.read_catalog();
        catalog.tombstones.contains_key(&id)
            || catalog.creators.values.iter().any(|creator| creator.lineage().contains(&id))
    }

    /// The tokens that expired at or before a time.
    pub(crate) fn expired_by(&self, time: Timestamp) -> Vec<TokenId> {
        let catalog = self.read_catalog();
        let slots = catalog.by_id.after(None, |slot| self.id_of(slot)).filter_map(|place| self.slots.get(place));
        let expired = slots.filter(|slot| slot.facts(|facts| facts.expires_at().has_passed(|| time)));
        expired.filter_map(|slot| TokenId::from_u128(slot.id())).collect()
    }

    /// Up to which revision all tombstones are from deletions at or before a time, and how many those are.
    pub(crate) fn forgettable(&self, time: Timestamp) -> (u64, usize) {
        let catalog = self.read_catalog();
        let mut tombstones: Vec<_> =
            catalog.tombstones.values().map(|(revision, tombstone)| (*revision, tombstone.deleted_at)).collect();
        tombstones.sort_unstable();
        // The clock may have been set back: later revisions can have earlier times.
        let old = tombstones.iter().take_while(|(_, deleted_at)| *deleted_at <= time).count();
        let newest = tombstones.get(..old).and_then(<[_]>::last).map_or(0, |(revision, _)| *revision);
        // Those of one revision go together.
        let kept = tombstones.get(old..).and_then(<[_]>::first).is_some_and(|(revision, _)| *revision == newest);
        let horizon = if kept { newest.saturating_sub(1) } else { newest };
        (horizon, tombstones.iter().filter(|(revision, _)| *revision <= horizon).count())
    }

    /// How many secrets that may still be accepted have digests under each pepper's id; those without one under `0`.
    pub(crate) fn secrets_by_key(&self, now: Timestamp) -> Result<BTreeMap<char, usize>, Incomplete> {
        let catalog = self.complete_catalog()?;
        let mut counts = BTreeMap::new();
        for place in 0..catalog.places() {
            let Some(facts) = self.slots.get(place).map(|slot| slot.facts(|facts| *facts)) else { continue };
            let token = if facts.state.contains(State::OVERLAPPING) {
                // It ends for good, and before that with its token.
                let token = u32::try_from(facts.target[0]).ok().filter(|_| !facts.expires_at().has_passed(|| now));
                token
                    .and_then(|token| self.slots.get(token))
                    .map_or(State::empty(), |slot| slot.facts(|facts| facts.state))
            } else {
                facts.state
            };
            if token.contains(State::TOKEN) && !token.contains(State::REVOKED) {
                *counts.entry(char::from(facts.state.key())).or_insert(0) += 1;
            }
        }
        counts.entry(char::from(Keyring::PLAIN)).or_insert(0);
        Ok(counts)
    }
}

fn digest_of(words: super::Words) -> Digest {
    let mut bytes = [0; 32];
    for (chunk, word) in chunks_mut(&mut bytes).zip(words) {
        *chunk = word.to_le_bytes();
    }
    Digest::from_bytes(bytes)
}

/// The one bucket that a kind is about, if that is all.
pub(super) fn only_bucket(kind: &TokenKind) -> Option<(ResourceId, Access)> {
    let mut patterns = kind.permissions().access();
    let (pattern, access) = patterns.next()?;
    (kind.name() == KindName::ReadWrite && patterns.next().is_none()).then_some((pattern.id()?, access))
}
