//! How records become what readers see. Only the management thread comes here.

use std::sync::Arc;

use crate::index::catalog::{Catalog, More, Numbers, only_bucket};
use crate::index::slot::{Facts, Slot, State, store};
use crate::index::{Index, halves, words};
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::{KindName, TokenKind};
use crate::model::status::Standing;
use crate::model::time::Timestamp;
use crate::secret::Digest;
use crate::store::Position;
use crate::store::record::{Body, Mark, Record, TokenRecord};
use crate::sync::atomic::Ordering::{Relaxed, Release};

impl Index {
    /// Publishes what was committed. When this returns, every decision that begins sees it.
    ///
    /// Readers see the records one after another: first those that suspend, last those that restore, so that nothing is
    /// allowed on the way that is allowed neither before nor after. No two records have the same key.
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
                    let place = self.owner_place(&mut catalog, *owner);
                    self.owners.set_standing(place, stand.standing);
                    catalog.stands.owners.insert(*owner, *stand);
                }
                Body::Organization(organization, stand) => {
                    let place = self.organization_place(&mut catalog, *organization);
                    self.organizations.set_standing(place, stand.standing);
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

    /// Remembers when tokens were last used, as the store knew it.
    pub(crate) fn apply_used(&self, used: &[(TokenId, Timestamp)]) {
        let catalog = self.read_catalog();
        for (id, time) in used {
            let place = catalog.by_id.find(id.to_u128(), |slot| self.id_of(slot));
            if let Some(slot) = place.and_then(|place| self.slots.get(place)) {
                let seconds = u32::try_from(time.as_micros() / 1_000_000).unwrap_or(u32::MAX);
                slot.used.fetch_max(seconds, Relaxed);
            }
        }
    }

    /// Forgets everything, so that it can be read anew. Every principal dies. The index must not be open.
    pub(crate) fn clear(&self) {
        let mut catalog = self.write_catalog();
        self.lookup.clear();
        let places = catalog.places();
        for slot in (0..places).filter_map(|place| self.slots.get(place)) {
            empty(slot);
        }
        self.owners.clear();
        self.organizations.clear();
        for set in (0..).map_while(|place| self.sets.get(place)) {
            set.store(None);
        }
        *catalog = Catalog { slots: Numbers::all_free(places), ..Catalog::default() };
    }

    fn owner_place(&self, catalog: &mut Catalog, owner: UserId) -> u32 {
        let (place, new) = catalog.owners.place(&owner);
        if new {
            self.owners.add(place, owner.to_u128());
        }
        place
    }

    fn organization_place(&self, catalog: &mut Catalog, organization: OrgId) -> u32 {
        let (place, new) = catalog.organizations.place(&organization);
        if new {
            self.organizations.add(place, organization.to_u128());
        }
        place
    }

    fn take_slot(&self, catalog: &mut Catalog) -> Option<(u32, &Slot)> {
        let place = catalog.slots.take();
        self.used.grow(place / 64);
        Some((place, self.slots.grow(place)?))
    }

    fn put_token(&self, catalog: &mut Catalog, revision: u64, token: &TokenRecord) {
        let found = catalog.by_id.find(token.id.to_u128(), |slot| self.id_of(slot));
        let place = match found {
            Some(place) => place,
            None => match self.take_slot(catalog) {
                Some((place, _)) => place,
                None => return,
            },
        };
        let Some(slot) = self.slots.get(place) else { return };
        let before = slot.facts(|facts| *facts);
        let former_digest = slot.digest();
        let digest = words(&token.credential.digest);
        let same_secret = found.is_some() && former_digest == digest;

        let mut facts = Facts::empty(before.serial);
        facts.state = State::of_status(token.status) | State::of_kind(token.kind.name());
        facts.state = facts.state.with_key(token.credential.key);
        facts.owner = self.owner_place(catalog, token.owner);
        facts.organization = token.kind.organization().map_or(0, |id| self.organization_place(catalog, id));
        if let Expiry::At(end) = token.expires_at {
            facts.state |= State::EXPIRES;
            facts.expires = end.as_micros();
        }
        self.put_kind(catalog, &mut facts, &token.kind);
        self.put_overlap(catalog, &mut facts, (place, &before, &former_digest), token);
        // Also where an overlap took a serial: no two secrets share one.
        if !same_secret || facts.serial != before.serial {
            facts.serial = facts.serial.wrapping_add(1);
        }
        if put_more(catalog, place, token) {
            facts.state |= State::MORE;
        }
        slot.created.store(token.created_at.as_micros(), Relaxed);
        slot.updated.store(token.updated_at.as_micros(), Relaxed);
        slot.revision.store(revision, Relaxed);
        slot.creator.store(catalog.creators.place(&token.creator).0, Relaxed);
        if found.is_none() {
            store(&slot.id, &halves(token.id.to_u128()));
            slot.used.store(0, Relaxed);
        }

        slot.write(&facts, &digest);
        if !same_secret {
            // First the former: entries of two secrets in one slot could not be told apart.
            if found.is_some() {
                self.lookup.remove(&former_digest, place);
            }
            self.lookup.insert(&digest, place, |place| self.digest_at(place));
        }
        if found.is_none() {
            catalog.by_id.insert(place, |slot| self.id_of(slot));
            let order = catalog.by_organization.entry(facts.organization).or_default();
            order.insert(place, |slot| self.id_of(slot));
        } else {
            self.release(catalog, &before, Some(&facts));
        }
    }

    /// Puts what the kind permits where the check finds it.
    fn put_kind(&self, catalog: &mut Catalog, facts: &mut Facts, kind: &TokenKind) {
        if let Some((bucket, access)) = only_bucket(kind) {
            facts.state |= State::of_access(access);
            facts.target = halves(bucket.to_u128());
        } else if matches!(kind.name(), KindName::ReadWrite | KindName::Custom) {
            // A place that no reader knows yet; the former one is given back when none can come by it any more.
            let place = catalog.sets.take();
            if let Some(set) = self.sets.grow(place) {
                set.store(Some(kind.shared_permissions()));
                facts.state |= State::SET;
                facts.target = [u64::from(place), 0];
            }
        }
    }

    /// Puts a former secret that is still accepted into a slot of its own.
    fn put_overlap(
        &self,
        catalog: &mut Catalog,
        facts: &mut Facts,
        (place, before, former_digest): (u32, &Facts, &super::Words),
        token: &TokenRecord,
    ) {
        let Some((credential, end)) = &token.overlap else { return };
        let digest = words(&credential.digest);
        let kept = before.state.contains(State::OVERLAPPED).then_some(before.overlap);
        let kept = kept.filter(|kept| self.digest_at(*kept) == digest);
        let (overlap, serial) = if let Some(kept) = kept {
            (Some(kept), self.slots.get(kept).map_or(0, |slot| slot.facts(|former| former.target[1])))
        } else {
            if !(before.state.contains(State::TOKEN) && *former_digest == digest) {
                // Its principals, if there were any, are none of ours.
                facts.serial = facts.serial.wrapping_add(1);
            }
            (self.take_slot(catalog).map(|(place, _)| place), u64::from(facts.serial))
        };
        let Some((overlap, slot)) = overlap.and_then(|overlap| Some((overlap, self.slots.get(overlap)?))) else {
            return;
        };
        let former = Facts {
            state: (State::OVERLAPPING | State::EXPIRES).with_key(credential.key),
            expires: end.as_micros(),
            target: [u64::from(place), serial],
            ..Facts::empty(slot.facts(|facts| facts.serial))
        };
        slot.write(&former, &digest);
        if kept.is_none() {
            self.lookup.insert(&digest, overlap, |place| self.digest_at(place));
        }
        facts.state |= State::OVERLAPPED;
        facts.overlap = overlap;
    }

    /// Gives back what a token had and has no more.
    fn release(&self, catalog: &mut Catalog, before: &Facts, now: Option<&Facts>) {
        if before.state.contains(State::SET) {
            let [place, _] = before.target;
            if let Ok(place) = u32::try_from(place) {
                if let Some(set) = self.sets.get(place) {
                    set.store(None);
                }
                catalog.sets.give_back(place);
            }
        }
        let kept = now.filter(|now| now.state.contains(State::OVERLAPPED)).map(|now| now.overlap);
        if before.state.contains(State::OVERLAPPED) && kept != Some(before.overlap) {
            self.free(catalog, before.overlap);
        }
    }

    fn free(&self, catalog: &mut Catalog, place: u32) {
        if let Some(slot) = self.slots.get(place) {
            let digest = slot.digest();
            empty(slot);
            self.lookup.remove(&digest, place);
            catalog.slots.give_back(place);
        }
    }

    fn remove_token(&self, catalog: &mut Catalog, id: TokenId) {
        let id = id.to_u128();
        let Some(place) = catalog.by_id.find(id, |slot| self.id_of(slot)) else { return };
        let Some(slot) = self.slots.get(place) else { return };
        let before = slot.facts(|facts| *facts);
        catalog.by_id.remove(id, |slot| self.id_of(slot));
        if let Some(order) = catalog.by_organization.get_mut(&before.organization) {
            order.remove(id, |slot| self.id_of(slot));
        }
        if let Some(more) = catalog.more.remove(&place) {
            more.former.iter().for_each(|digest| _ = catalog.former.remove(digest.bytes()));
        }
        self.free(catalog, place);
        self.release(catalog, &before, None);
    }

    fn digest_at(&self, place: u32) -> super::Words {
        self.slots.get(place).map_or([0; 4], Slot::digest)
    }
}

/// Nothing is in the slot any more, and the digest is wiped.
fn empty(slot: &Slot) {
    let serial = slot.facts(|facts| facts.serial);
    slot.write(&Facts::empty(serial.wrapping_add(1)), &[0; 4]);
    store(&slot.id, &[0; 2]);
}

/// Keeps what few tokens have; whether this one has any of it.
fn put_more(catalog: &mut Catalog, place: u32, token: &TokenRecord) -> bool {
    if let Some(before) = catalog.more.remove(&place) {
        before.former.iter().for_each(|digest| _ = catalog.former.remove(digest.bytes()));
    }
    if token.description.is_empty() && token.former.is_empty() {
        return false;
    }
    catalog.former.extend(token.former.iter().map(Digest::bytes));
    let more = More { description: Arc::clone(&token.description), former: token.former.clone() };
    catalog.more.insert(place, more);
    true
}

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
    use crate::model::status::Status;
    use crate::model::time::SystemClock;
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

    /// While everything is read anew, another token takes the slot.
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
        assert_eq!(index.id_of(handle.slot()), other.id.to_u128());
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
