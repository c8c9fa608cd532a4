//! The tokens in memory: what `authenticate` and `authorize` read.
//!
//! Readers take no lock. One thread, the authority's management thread, writes; what readers see of a token changes
//! all at once.

pub(crate) mod catalog;
#[cfg(all(test, loom))]
mod interleavings;
pub(crate) mod list;
mod lookup;
mod order;
mod segments;
mod slot;
mod subjects;
mod write;

use std::time::Duration;

use crate::chunks::chunks;
use crate::index::catalog::Catalog;
use crate::index::lookup::{Lookup, Words};
use crate::index::segments::Segments;
use crate::index::slot::{Facts, Slot, State};
use crate::index::subjects::Subjects;
use crate::model::action::{Access, Action};
use crate::model::decision::{Denial, judge};
use crate::model::id::{OrgId, TokenId};
use crate::model::permission_set::PermissionSet;
use crate::model::reason::Reason;
use crate::model::resource::Resource;
use crate::model::resource_type::ResourceType;
use crate::model::status::Standing;
use crate::model::time::{Clock, Timestamp};
use crate::secret::Digest;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{ArcSwapOption, RwLock};

/// Every token, laid out for the check.
pub(crate) struct Index {
    slots: Segments<Slot>,
    lookup: Lookup,
    /// The permissions of tokens that have more than one bucket, or a custom set.
    sets: Segments<ArcSwapOption<PermissionSet>>,
    owners: Subjects,
    organizations: Subjects,
    /// A bit for each slot that was used since the last [`take_used`](Self::take_used).
    used: Segments<AtomicU64>,
    /// About the current time, in seconds since 1970, for last use.
    seconds: AtomicU32,
    /// Until when the index may be asked, in nanoseconds of [`Clock::uptime`]; from [`FOR_GOOD`] on where there is no end,
    /// [`CLOSED`] while it is read anew and after its authority closed. After that it is another than before.
    open_until: AtomicU64,
    /// How often the index was closed.
    closed: AtomicU64,
    /// Decisions see at least what was in the store at this revision.
    revision: AtomicU64,
    /// Everything else. Only the management plane locks it.
    catalog: RwLock<Catalog>,
}

const CLOSED: u64 = 0;
/// No time is as late.
const FOR_GOOD: u64 = 1 << 63;

#[inline]
fn halves(id: u128) -> [u64; 2] {
    #[allow(clippy::cast_possible_truncation)] // Both halves are kept.
    let halves = [id as u64, (id >> 64) as u64];
    halves
}

/// The id that [`halves`] took apart.
#[inline]
fn whole([low, high]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

#[inline]
fn words(digest: &Digest) -> Words {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(chunks(digest.bytes())) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// One secret of one token: what a principal is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle(
    /// The slot above the serial: in one word, which a call returns in a register.
    u64,
);

impl Handle {
    #[inline]
    const fn new(slot: u32, serial: u32) -> Self {
        Self((slot as u64) << 32 | serial as u64)
    }

    #[inline]
    const fn slot(self) -> u32 {
        #[allow(clippy::cast_possible_truncation)] // The upper half.
        let slot = (self.0 >> 32) as u32;
        slot
    }

    #[inline]
    const fn serial(self) -> u32 {
        #[allow(clippy::cast_possible_truncation)] // The lower half.
        let serial = self.0 as u32;
        serial
    }
}

/// What fits lasts three centuries.
#[inline]
fn nanoseconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
        .min(FOR_GOOD - 1)
}

/// Whether a slot's token may be asked about through a handle, and what the slot says.
type Found<T> = Result<T, Reason>;

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            slots: Segments::new(),
            lookup: Lookup::new(),
            sets: Segments::new(),
            owners: Subjects::new(),
            organizations: Subjects::new(),
            used: Segments::new(),
            seconds: AtomicU32::new(0),
            open_until: AtomicU64::new(CLOSED),
            closed: AtomicU64::new(0),
            revision: AtomicU64::new(0),
            catalog: RwLock::default(),
        }
    }

    /// Whether all that the store had when it was last read is here.
    pub(crate) fn is_open(&self) -> bool {
        self.open_until.load(Ordering::Acquire) != CLOSED
    }

    /// Whether the index may be asked: it is open, and was in step with the store not too long ago.
    #[inline]
    pub(crate) fn check_current(&self, clock: &dyn Clock) -> Found<()> {
        Self::check_until(self.open_until.load(Ordering::Acquire), clock)
    }

    #[inline]
    fn check_until(until: u64, clock: &dyn Clock) -> Found<()> {
        if until >= FOR_GOOD { Ok(()) } else { Self::check_before(until, clock) }
    }

    /// Apart, so that the usual case stays short.
    #[inline(never)]
    fn check_before(until: u64, clock: &dyn Clock) -> Found<()> {
        if until == CLOSED {
            Err(Reason::Unavailable)
        } else if nanoseconds(clock.uptime()) < until {
            Ok(())
        } else {
            Err(Reason::Stale)
        }
    }

    /// The index may be asked until that [`Clock::uptime`], or without end.
    pub(crate) fn open(&self, until: Option<Duration>) {
        let for_good = || FOR_GOOD | self.closed.load(Ordering::Relaxed);
        // Nothing is before the first nanosecond.
        self.open_until.store(until.map_or_else(for_good, |until| nanoseconds(until).max(1)), Ordering::Release);
    }

    pub(crate) fn close(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
        self.open_until.store(CLOSED, Ordering::Release);
    }

    pub(crate) fn set_time(&self, now: Timestamp) {
        let seconds = u32::try_from(now.as_micros() / 1_000_000).unwrap_or(u32::MAX);
        self.seconds.store(seconds, Ordering::Relaxed);
    }

    /// The token whose secret has this digest, if it is accepted now.
    #[inline]
    pub(crate) fn authenticate(&self, digest: &Digest, key: u8, clock: &dyn Clock) -> Found<Handle> {
        self.with_secret(digest, key, clock, |_| ()).map(|((), handle)| handle)
    }

    /// What [`authenticate`](Self::authenticate) and then [`authorize`](Self::authorize) say, of one look at the token.
    #[inline]
    pub(crate) fn authorize_secret(
        &self,
        digest: &Digest,
        key: u8,
        action: Action,
        resource: &Resource,
        clock: &dyn Clock,
    ) -> Found<Result<u64, Denial>> {
        let revision = self.revision.load(Ordering::Acquire);
        let (granted, _) = self.with_secret(digest, key, clock, |facts| self.granted(facts, &action, resource))?;
        Ok(judge(action, granted, resource, Some(revision)).map(|()| revision))
    }

    /// What `read` makes of the facts about the token whose secret has this digest, if it is accepted now.
    #[inline]
    fn with_secret<R>(
        &self,
        digest: &Digest,
        key: u8,
        clock: &dyn Clock,
        read: impl Fn(&Facts) -> R,
    ) -> Found<(R, Handle)> {
        let digest = words(digest);
        let found = loop {
            let until = self.open_until.load(Ordering::Acquire);
            Self::check_until(until, clock)?;
            let found = self.lookup.find(&digest, |place| {
                let slot = self.slots.get(place)?;
                slot.facts_of(&digest, key, |facts| {
                    if facts.state.contains(State::OVERLAPPING) {
                        let handle = successor(facts).ok_or(Reason::Unknown)?;
                        return Ok((self.with_overlap(handle, clock, &read)?, handle, 0));
                    }
                    self.check_live(facts, clock)?;
                    let handle = Handle::new(place, facts.serial);
                    Ok((read(facts), handle, slot.used.load(Ordering::Relaxed)))
                })
            });
            // What was found while everything was read anew may lack what was not read yet.
            if self.open_until.load(Ordering::Acquire) == until {
                break found;
            }
        };
        let (result, handle, used) = found.ok_or(Reason::Unknown)??;
        if used < self.seconds.load(Ordering::Relaxed) {
            self.mark_used(handle.slot());
        }
        Ok((result, handle))
    }

    /// Of a former secret, apart so that the usual case stays short.
    #[cold]
    #[inline(never)]
    fn with_overlap<R>(&self, handle: Handle, clock: &dyn Clock, read: &impl Fn(&Facts) -> R) -> Found<R> {
        self.with_live(handle, clock, read)
    }

    /// Whether the handle's token is accepted now.
    #[inline]
    pub(crate) fn check(&self, handle: Handle, clock: &dyn Clock) -> Found<()> {
        self.with_live(handle, clock, |_| ())
    }

    /// The decision: whether the handle's token may do this now, and the revision that this was decided at.
    #[inline]
    pub(crate) fn authorize(
        &self,
        handle: Handle,
        action: Action,
        resource: &Resource,
        clock: &dyn Clock,
    ) -> Result<u64, Denial> {
        // Before anything else: what is read later is no older.
        let revision = self.revision.load(Ordering::Acquire);
        match self.with_live(handle, clock, |facts| self.granted(facts, &action, resource)) {
            Ok(granted) => judge(action, granted, resource, Some(revision)).map(|()| revision),
            Err(reason) => Err(Denial { reason, action, resource: *resource, revision: Some(revision) }),
        }
    }

    /// What `read` makes of the facts about a token that is accepted now.
    #[inline]
    fn with_live<R>(&self, handle: Handle, clock: &dyn Clock, read: impl Fn(&Facts) -> R) -> Found<R> {
        self.check_current(clock)?;
        let slot = self.slots.get(handle.slot()).ok_or(Reason::Unknown)?;
        slot.facts(|facts| {
            self.check_secret(handle, facts, clock)?;
            self.check_live(facts, clock)?;
            Ok(read(facts))
        })
    }

    /// Whether the secret that the handle came with is still one of the token's.
    #[inline]
    fn check_secret(&self, handle: Handle, facts: &Facts, clock: &dyn Clock) -> Found<()> {
        if !facts.state.contains(State::TOKEN) {
            return Err(Reason::Unknown);
        }
        if facts.serial == handle.serial() { Ok(()) } else { self.check_overlap(handle, facts, clock) }
    }

    /// Whether a token is accepted now.
    #[inline]
    fn check_live(&self, facts: &Facts, clock: &dyn Clock) -> Found<()> {
        let before = self.owners.standing(facts.owner);
        let organization = self.organizations.standing(facts.organization);
        // Once more: of a commit that suspends one and restores the other, whichever is which, no half is to be seen.
        let owner = if before == Standing::Active { self.owners.standing(facts.owner) } else { before };
        facts.liveness(owner, organization).check(|| clock.now())
    }

    /// Whether a secret that the token no longer has is still accepted beside the new one (design rule 15).
    #[cold]
    #[inline(never)]
    fn check_overlap(&self, handle: Handle, facts: &Facts, clock: &dyn Clock) -> Found<()> {
        let overlap = if facts.state.contains(State::OVERLAPPED) { self.slots.get(facts.overlap) } else { None };
        let accepted = overlap.is_some_and(|overlap| {
            overlap.facts(|former| {
                former.state.contains(State::OVERLAPPING)
                    && former.target == [u64::from(handle.slot()), u64::from(handle.serial())]
                    && !former.expires_at().has_passed(|| clock.now())
            })
        });
        if accepted { Ok(()) } else { Err(Reason::Unknown) }
    }

    /// Returns what a token has on a resource, as far as the action needs it: the same as its kind's permissions say,
    /// without building them.
    #[inline]
    fn granted(&self, facts: &Facts, action: &Action, resource: &Resource) -> Access {
        if facts.state.contains(State::OPERATOR) {
            return Access::ANY;
        }
        if facts.state.contains(State::SET) {
            let set = u32::try_from(facts.target[0]).ok().and_then(|place| self.sets.get(place));
            return set
                .and_then(|set| set.load().as_ref().map(|set| set.granted(action, resource)))
                .unwrap_or_default();
        }
        let own = resource.organization().map_or(0, OrgId::to_u128);
        let inside = || own != 0 && self.organizations.is(facts.organization, own);
        let bucket = || {
            *resource.type_ref() == ResourceType::BUCKETS
                && resource.id().is_some_and(|id| id.to_u128() == whole(facts.target))
        };
        if facts.state.contains(State::ALL_ACCESS) && inside() {
            Access::ANY
        } else if facts.state.contains(State::READ_WRITE) && bucket() && inside() {
            facts.state.access()
        } else {
            Access::empty()
        }
    }

    /// Remembers that a token was used about now. The later time stays when the clock was set back.
    fn mark_used(&self, place: u32) {
        let Some(slot) = self.slots.get(place) else { return };
        slot.used.fetch_max(self.seconds.load(Ordering::Relaxed), Ordering::Relaxed);
        if let Some(bits) = self.used.get(place / 64) {
            let bit = 1 << (place % 64);
            if bits.load(Ordering::Relaxed) & bit == 0 {
                bits.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    /// About so many of the tokens that were used since this was last asked, and when; from there on, and where to go on from
    /// if there may be more.
    pub(crate) fn take_used(&self, from: u32, about: usize) -> (Vec<(TokenId, Timestamp)>, Option<u32>) {
        let mut used = Vec::new();
        for group in from..self.read_catalog().places().div_ceil(64) {
            if used.len() >= about {
                return (used, Some(group));
            }
            let mut bits = self.used.get(group).map_or(0, |bits| bits.swap(0, Ordering::Relaxed));
            while bits != 0 {
                let place = group * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                let token =
                    self.slots.get(place).and_then(|slot| Some((TokenId::from_u128(slot.id())?, last_used(slot)?)));
                used.extend(token);
            }
        }
        (used, None)
    }

    /// Has these taken again: the store did not take them.
    pub(crate) fn return_used(&self, used: &[(TokenId, Timestamp)]) {
        let catalog = self.read_catalog();
        for (id, _) in used {
            let place = catalog.by_id.find(id.to_u128(), |slot| self.id_of(slot));
            if let Some((place, bits)) = place.and_then(|place| Some((place, self.used.get(place / 64)?))) {
                bits.fetch_or(1 << (place % 64), Ordering::Relaxed);
            }
        }
    }
}

/// The token that a former secret is still accepted for.
fn successor(former: &Facts) -> Option<Handle> {
    let [Ok(slot), Ok(serial)] = former.target.map(u32::try_from) else { return None };
    Some(Handle::new(slot, serial))
}

fn last_used(slot: &Slot) -> Option<Timestamp> {
    match slot.used.load(Ordering::Relaxed) {
        0 => None,
        seconds => Some(Timestamp::from_micros(u64::from(seconds) * 1_000_000)),
    }
}
