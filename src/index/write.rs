//! How records become what readers see. Only the management thread comes here.

use std::sync::Arc;

use crate::index::Index;
use crate::index::catalog::{Catalog, More};
use crate::index::numbers::Pool;
use crate::index::slot::{Facts, Slot};
use crate::index::state::State;
use crate::index::target::{Handle, Target};
use crate::index::words::{Words, words_of};
use crate::model::action::Access;
use crate::model::id::{OrgId, ResourceId, TokenId, UserId};
use crate::model::kind::{KindName, TokenKind};
use crate::model::status::Standing;
use crate::secret::Digest;
use crate::store::Position;
use crate::store::record::{Body, Mark, Record, TokenRecord};
use crate::sync::atomic::Ordering::{Relaxed, Release};

impl Index {
    /// Publishes what was committed. Every decision that begins after this returned sees it.
    ///
    /// Readers see the records one after another: first those that suspend, last those that restore. So nothing is allowed
    /// in between that is allowed neither before nor after. No two records have the same key.
    pub(crate) fn apply<'a>(&self, position: Position, records: impl Iterator<Item = (u64, &'a Record)> + Clone) {
        let standing = |record: &Record| match &record.0 {
            Body::Owner(_, stand) | Body::Organization(_, stand) => Some(stand.standing),
            _ => None,
        };
        let restores = |record: &Record| standing(record) == Some(Standing::Active);
        let suspends = |record: &Record| standing(record).is_some_and(|standing| standing != Standing::Active);
        let ordered = (records.clone().filter(|(_, record)| suspends(record)))
            .chain(records.clone().filter(|(_, record)| standing(record).is_none()))
            .chain(records.filter(|(_, record)| restores(record)));
        let mut catalog = self.write_catalog();
        for (revision, record) in ordered {
            match &record.0 {
                Body::Token(token) => self.put_token(&mut catalog, revision, token),
                Body::Tombstone(tombstone) => {
                    self.remove_token(&mut catalog, tombstone.id);
                    catalog.former.extend(tombstone.digests.iter().map(Digest::bytes));
                    catalog.tombstones.insert(tombstone.id, (revision, tombstone.clone()));
                }
                Body::Owner(owner, stand) => {
                    let number = self.owner_number(&mut catalog, *owner);
                    self.owners.set_standing(number, stand.standing);
                    catalog.stands.owners.insert(*owner, *stand);
                }
                Body::Organization(organization, stand) => {
                    let number = self.organization_number(&mut catalog, *organization);
                    self.organizations.set_standing(number, stand.standing);
                    catalog.stands.organizations.insert(*organization, *stand);
                }
                Body::Mark(Mark::SetUp(at)) => catalog.marks.set_up = Some(*at),
                Body::Mark(Mark::Format(format)) => catalog.marks.format = Some(*format),
                Body::Mark(Mark::Horizon(horizon)) => forget(&mut catalog, *horizon),
            }
        }
        catalog.position = position;
        self.revision.store(position.revision, Release);
    }

    /// Forgets everything, so that it can be read again. Every principal dies. The index must not be open.
    pub(crate) fn clear(&self) {
        let mut catalog = self.write_catalog();
        self.lookup.clear();
        let slots = catalog.slots.ever_taken();
        slots.clone().filter_map(|number| self.slots.get(number)).for_each(empty);
        self.owners.clear();
        self.organizations.clear();
        for set in (0..).map_while(|number| self.sets.get(number)) {
            set.store(None);
        }
        *catalog = Catalog { slots: Pool::all_free(slots.end), ..Catalog::default() };
    }

    fn owner_number(&self, catalog: &mut Catalog, owner: UserId) -> u32 {
        let (number, new) = catalog.owners.number(&owner);
        if new {
            self.owners.add(number, owner.to_u128());
        }
        number
    }

    fn organization_number(&self, catalog: &mut Catalog, organization: OrgId) -> u32 {
        let (number, new) = catalog.organizations.number(&organization);
        if new {
            self.organizations.add(number, organization.to_u128());
        }
        number
    }

    fn take_slot(&self, catalog: &mut Catalog) -> Option<(u32, &Slot)> {
        let number = catalog.slots.take();
        self.used.grow(number / 64);
        Some((number, self.slots.grow(number)?))
    }

    fn put_token(&self, catalog: &mut Catalog, revision: u64, token: &TokenRecord) {
        let found = self.find(catalog, token.id);
        let there = found.and_then(|number| Some((number, self.slots.get(number)?)));
        let Some((number, slot)) = there.or_else(|| self.take_slot(catalog)) else { return };
        let before = slot.facts(|facts| *facts);
        let former_digest = slot.digest();
        let digest = words_of(&token.credential.digest);
        let same_secret = found.is_some() && former_digest == digest;

        let mut facts = Facts::empty(before.serial);
        facts.state = State::of_status(token.status) | State::of_kind(token.kind.name());
        facts.state = facts.state.with_key(token.credential.key);
        facts.owner = self.owner_number(catalog, token.owner);
        facts.organization = token.kind.organization().map_or(0, |id| self.organization_number(catalog, id));
        if let Some(end) = token.expires_at.time() {
            facts.state |= State::EXPIRES;
            facts.expires = end.as_micros();
        }
        facts.set_target(self.put_kind(catalog, &token.kind));
        self.put_overlap(catalog, &mut facts, (number, &before, &former_digest), token);
        // Where an overlap took a serial, too: no two secrets share one.
        if !same_secret || facts.serial != before.serial {
            facts.serial = facts.serial.wrapping_add(1);
        }
        if put_more(catalog, number, token) {
            facts.state |= State::MORE;
        }
        slot.created.store(token.created_at.as_micros(), Relaxed);
        slot.updated.store(token.updated_at.as_micros(), Relaxed);
        slot.revision.store(revision, Relaxed);
        slot.creator.store(catalog.creators.number(&token.creator).0, Relaxed);
        if found.is_none() {
            slot.set_id(token.id.to_u128());
            slot.used.store(0, Relaxed);
        }

        slot.write(&facts, &digest);
        if !same_secret {
            // The former entry goes first: entries of two secrets in one slot could not be told apart.
            if found.is_some() {
                self.lookup.remove(&former_digest, number);
            }
            self.lookup.insert(&digest, number, |slot| self.digest_in(slot));
        }
        if found.is_none() {
            catalog.by_id.insert(number, |slot| self.id_in(slot));
            let order = catalog.by_organization.entry(facts.organization).or_default();
            order.insert(number, |slot| self.id_in(slot));
        } else {
            self.release(catalog, &before, Some(&facts));
        }
    }

    /// Puts what the kind permits where the check finds it.
    fn put_kind(&self, catalog: &mut Catalog, kind: &TokenKind) -> Target {
        match kind.name() {
            KindName::Operator => Target::Everything,
            KindName::AllAccess => Target::Organization,
            KindName::ReadWrite => match only_bucket(kind) {
                Some((bucket, actions)) => Target::Bucket(bucket.to_u128(), actions),
                None => self.put_set(catalog, kind),
            },
            KindName::Custom => self.put_set(catalog, kind),
        }
    }

    /// Puts the kind's permissions into a set that no reader knows yet. The former set is given back when no reader can come
    /// to it any more.
    fn put_set(&self, catalog: &mut Catalog, kind: &TokenKind) -> Target {
        let number = catalog.sets.take();
        if let Some(set) = self.sets.grow(number) {
            set.store(Some(kind.shared_permissions()));
        }
        Target::Set(number)
    }

    /// Puts a former secret that is still accepted into a slot of its own.
    fn put_overlap(
        &self,
        catalog: &mut Catalog,
        facts: &mut Facts,
        (number, before, former_digest): (u32, &Facts, &Words),
        token: &TokenRecord,
    ) {
        let Some((credential, end)) = &token.overlap else { return };
        let digest = words_of(&credential.digest);
        let kept = before.state.contains(State::OVERLAPPED).then_some(before.overlap);
        let kept = kept.filter(|kept| self.digest_in(*kept) == digest);
        let (overlap, serial) = if let Some(kept) = kept {
            (Some(kept), self.slots.get(kept).map_or(0, serial_of_former))
        } else {
            if !(before.state.contains(State::TOKEN) && *former_digest == digest) {
                // If it had principals, they were another token's.
                facts.serial = facts.serial.wrapping_add(1);
            }
            (self.take_slot(catalog).map(|(overlap, _)| overlap), facts.serial)
        };
        let Some((overlap, slot)) = overlap.and_then(|overlap| Some((overlap, self.slots.get(overlap)?))) else {
            return;
        };
        let mut former = Facts::empty(slot.facts(|facts| facts.serial));
        former.state = State::EXPIRES.with_key(credential.key);
        former.expires = end.as_micros();
        former.set_target(Target::Successor(Handle::new(number, serial)));
        slot.write(&former, &digest);
        if kept.is_none() {
            self.lookup.insert(&digest, overlap, |slot| self.digest_in(slot));
        }
        facts.state |= State::OVERLAPPED;
        facts.overlap = overlap;
    }

    /// Gives back what a token had and has no more.
    fn release(&self, catalog: &mut Catalog, before: &Facts, now: Option<&Facts>) {
        if let Target::Set(number) = before.target() {
            if let Some(set) = self.sets.get(number) {
                set.store(None);
            }
            catalog.sets.give_back(number);
        }
        let kept = now.filter(|now| now.state.contains(State::OVERLAPPED)).map(|now| now.overlap);
        if before.state.contains(State::OVERLAPPED) && kept != Some(before.overlap) {
            self.free(catalog, before.overlap);
        }
    }

    fn free(&self, catalog: &mut Catalog, number: u32) {
        if let Some(slot) = self.slots.get(number) {
            let digest = slot.digest();
            empty(slot);
            self.lookup.remove(&digest, number);
            catalog.slots.give_back(number);
        }
    }

    fn remove_token(&self, catalog: &mut Catalog, id: TokenId) {
        let Some(number) = self.find(catalog, id) else { return };
        let Some(slot) = self.slots.get(number) else { return };
        let before = slot.facts(|facts| *facts);
        let id = id.to_u128();
        catalog.by_id.remove(id, |slot| self.id_in(slot));
        if let Some(order) = catalog.by_organization.get_mut(&before.organization) {
            order.remove(id, |slot| self.id_in(slot));
        }
        if let Some(more) = catalog.more.remove(&number) {
            more.former.iter().for_each(|digest| _ = catalog.former.remove(digest.bytes()));
        }
        self.free(catalog, number);
        self.release(catalog, &before, None);
    }

    fn digest_in(&self, slot: u32) -> Words {
        self.slots.get(slot).map_or([0; 4], Slot::digest)
    }
}

/// Returns the bucket and its actions where the permissions are on one bucket only.
fn only_bucket(kind: &TokenKind) -> Option<(ResourceId, Access)> {
    let mut patterns = kind.permissions().access();
    let (pattern, actions) = patterns.next()?;
    patterns.next().is_none().then_some((pattern.id()?, actions))
}

/// Returns the serial that a former secret had while it was its token's own.
fn serial_of_former(slot: &Slot) -> u32 {
    match slot.facts(Facts::target) {
        Target::Successor(handle) => handle.serial(),
        _ => 0,
    }
}

/// Frees a slot, and wipes the digest.
fn empty(slot: &Slot) {
    let serial = slot.facts(|facts| facts.serial);
    slot.write(&Facts::empty(serial.wrapping_add(1)), &[0; 4]);
    slot.set_id(0);
}

/// Keeps what few tokens have. Returns whether this one has any of it.
fn put_more(catalog: &mut Catalog, number: u32, token: &TokenRecord) -> bool {
    if let Some(before) = catalog.more.remove(&number) {
        before.former.iter().for_each(|digest| _ = catalog.former.remove(digest.bytes()));
    }
    if token.description.is_empty() && token.former.is_empty() {
        return false;
    }
    catalog.former.extend(token.former.iter().map(Digest::bytes));
    let more = More { description: Arc::clone(&token.description), former: token.former.clone() };
    catalog.more.insert(number, more);
    true
}

/// Forgets the tombstones up to the horizon.
fn forget(catalog: &mut Catalog, horizon: u64) {
    let Catalog { tombstones, former, marks, .. } = catalog;
    tombstones.retain(|_, (revision, tombstone)| {
        let kept = *revision > horizon;
        if !kept {
            tombstone.digests.iter().for_each(|digest| _ = former.remove(digest.bytes()));
        }
        kept
    });
    marks.horizon = marks.horizon.max(horizon);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::expiry::Expiry;
    use crate::model::status::Status;
    use crate::model::time::{SystemClock, Timestamp};
    use crate::model::token::Creator;
    use crate::secret::{Credential, Keyring};
    use crate::store::record::Stand;

    const AT: Timestamp = Timestamp::EPOCH;

    fn token(digest: Digest, owner: UserId, organization: OrgId) -> TokenRecord {
        TokenRecord {
            id: TokenId::generate().unwrap(),
            kind: TokenKind::all_access(organization),
            owner,
            description: Arc::default(),
            status: Status::Active,
            creator: Creator::Host("test".into()),
            created_at: AT,
            updated_at: AT,
            expires_at: Expiry::Never,
            credential: Credential { key: Keyring::PLAIN, digest },
            overlap: None,
            former: Vec::new(),
        }
    }

    /// While everything is read again, another token takes the slot.
    #[test]
    fn a_principal_never_has_the_id_of_the_token_that_took_its_slot() {
        let (owner, organization) = (UserId::generate().unwrap(), OrgId::generate().unwrap());
        let digests = [7, 8].map(|byte| Digest::from_bytes([byte; 32]));
        let [own, other] = digests.map(|digest| token(digest, owner, organization));
        let apply = |index: &Index, token: &TokenRecord| {
            index.apply(Position::ORIGIN, [(1, &Record(Body::Token(Box::new(token.clone()))))].into_iter());
        };
        let index = Index::new();
        index.open(None);
        apply(&index, &own);
        let handle = index.authenticate(&digests[0], Keyring::PLAIN, &SystemClock).unwrap();
        let id = || index.id_of_handle(handle, &SystemClock);
        assert_eq!(id(), Some(own.id));
        index.close();
        assert_eq!(id(), Some(own.id));
        index.clear();
        assert_eq!(id(), None);
        apply(&index, &other);
        assert_eq!(index.id_in(handle.slot()), other.id.to_u128());
        assert_eq!(id(), None);
    }

    #[test]
    fn nothing_is_allowed_on_the_way_that_is_allowed_neither_before_nor_after() {
        let (owner, organization) = (UserId::generate().unwrap(), OrgId::generate().unwrap());
        let digest = Digest::from_bytes([7; 32]);
        let mut token = token(digest, owner, organization);
        let index = Index::new();
        index.open(None);
        let apply = |page: [Body; 2]| {
            let page = page.map(Record);
            let records = page.iter().map(|record| {
                // Asked for the next record, the index shows the ones before.
                assert!(index.authenticate(&digest, Keyring::PLAIN, &SystemClock).is_err());
                (1, record)
            });
            index.apply(Position::ORIGIN, records);
            assert!(index.authenticate(&digest, Keyring::PLAIN, &SystemClock).is_err());
        };
        let standing = |standing| Stand { standing, since: AT };
        let tokens = |token: &TokenRecord| Body::Token(Box::new(token.clone()));
        apply([tokens(&token), Body::Owner(owner, standing(Standing::Suspended))]);
        token.status = Status::Revoked;
        apply([Body::Owner(owner, standing(Standing::Active)), tokens(&token)]);
        token.status = Status::Active;
        apply([tokens(&token), Body::Organization(organization, standing(Standing::Deleted))]);
        token.status = Status::Inactive;
        apply([Body::Organization(organization, standing(Standing::Active)), tokens(&token)]);
    }
}
