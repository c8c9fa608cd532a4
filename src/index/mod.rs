//! The tokens in memory: what `authenticate` and `authorize` read.
//!
//! Readers take no lock. One thread writes: the authority's management thread. All that readers see of a token changes at
//! once.

pub(crate) mod catalog;
mod gate;
mod halves;
#[cfg(all(test, loom))]
mod interleavings;
pub(crate) mod list;
mod lookup;
mod numbers;
mod order;
mod queries;
mod records;
mod segments;
mod slot;
mod state;
mod subjects;
mod target;
mod used;
mod words;
mod write;

use std::time::Duration;

use crate::index::catalog::Catalog;
use crate::index::gate::Gate;
use crate::index::lookup::Lookup;
use crate::index::segments::Segments;
use crate::index::slot::{Facts, Slot};
use crate::index::state::State;
use crate::index::subjects::Subjects;
use crate::index::target::Target;
use crate::index::words::words_of;
use crate::model::action::{Access, Action};
use crate::model::decision::{Denial, judge};
use crate::model::id::OrgId;
use crate::model::permission_set::PermissionSet;
use crate::model::reason::Reason;
use crate::model::resource::Resource;
use crate::model::resource_type::ResourceType;
use crate::model::status::Standing;
use crate::model::time::Clock;
use crate::secret::Digest;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{ArcSwapOption, RwLock};

pub(crate) use crate::index::target::Handle;

/// Every token, laid out for the check.
pub(crate) struct Index {
    slots: Segments<Slot>,
    lookup: Lookup,
    /// The permissions of Custom tokens, and of Read/Write tokens with more than one bucket.
    sets: Segments<ArcSwapOption<PermissionSet>>,
    owners: Subjects,
    organizations: Subjects,
    /// A bit for each slot that was used since the last [`take_used`](Self::take_used).
    used: Segments<AtomicU64>,
    /// The current time, about, in seconds since 1970. It is what [`Slot::used`] is set to.
    seconds: AtomicU32,
    gate: Gate,
    /// What the store had at this revision is here. Decisions see at least that.
    revision: AtomicU64,
    /// Everything else. Only the management plane locks it.
    catalog: RwLock<Catalog>,
}

/// What was asked for, or why the secret is not accepted.
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
            gate: Gate::new(),
            revision: AtomicU64::new(0),
            catalog: RwLock::default(),
        }
    }

    /// Opens the index until that [`Clock::uptime`], or without end.
    pub(crate) fn open(&self, until: Option<Duration>) {
        self.gate.open(until);
    }

    /// Closes the index: from now on it answers nothing.
    pub(crate) fn close(&self) {
        self.gate.close();
    }

    /// Reports whether all that the store had when it was last read is here.
    pub(crate) fn is_open(&self) -> bool {
        self.gate.is_open()
    }

    /// Checks that the index is open and not stale.
    pub(crate) fn check_current(&self, clock: &dyn Clock) -> Found<()> {
        self.gate.pass(clock).map(|_| ())
    }

    /// Returns the token whose secret has this digest, if it is accepted now.
    #[inline]
    pub(crate) fn authenticate(&self, digest: &Digest, key: u8, clock: &dyn Clock) -> Found<Handle> {
        self.with_secret(digest, key, clock, |_| ()).map(|((), handle)| handle)
    }

    /// Returns what [`authenticate`](Self::authenticate) and then [`authorize`](Self::authorize) say, from one look at the
    /// token.
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

    /// Returns what `read` makes of the facts about the token whose secret has this digest, if it is accepted now.
    #[inline]
    fn with_secret<R>(
        &self,
        digest: &Digest,
        key: u8,
        clock: &dyn Clock,
        read: impl Fn(&Facts) -> R,
    ) -> Found<(R, Handle)> {
        let digest = words_of(digest);
        let found = loop {
            let pass = self.gate.pass(clock)?;
            let found = self.lookup.find(&digest, |number| {
                let slot = self.slots.get(number)?;
                slot.facts_of(&digest, key, |facts| {
                    if let Target::Successor(handle) = facts.target() {
                        return Ok((self.with_overlap(handle, clock, &read)?, handle, 0));
                    }
                    self.check_live(facts, clock)?;
                    let handle = Handle::new(number, facts.serial);
                    Ok((read(facts), handle, slot.used.load(Ordering::Relaxed)))
                })
            });
            // While everything is read again, what was found may lack what was not read yet.
            if self.gate.is_unchanged(pass) {
                break found;
            }
        };
        let (result, handle, used) = found.ok_or(Reason::Unknown)??;
        if used < self.seconds.load(Ordering::Relaxed) {
            self.mark_used(handle.slot());
        }
        Ok((result, handle))
    }

    /// Does the same for a former secret. Kept out of line so that the usual case stays short.
    #[cold]
    #[inline(never)]
    fn with_overlap<R>(&self, handle: Handle, clock: &dyn Clock, read: &impl Fn(&Facts) -> R) -> Found<R> {
        self.with_live(handle, clock, read)
    }

    /// Checks that the handle's token is accepted now.
    #[inline]
    pub(crate) fn check(&self, handle: Handle, clock: &dyn Clock) -> Found<()> {
        self.with_live(handle, clock, |_| ())
    }

    /// Decides whether the handle's token may do this now. Returns the revision that this was decided at.
    #[inline]
    pub(crate) fn authorize(
        &self,
        handle: Handle,
        action: Action,
        resource: &Resource,
        clock: &dyn Clock,
    ) -> Result<u64, Denial> {
        // Read before anything else: what is read later is no older.
        let revision = self.revision.load(Ordering::Acquire);
        match self.with_live(handle, clock, |facts| self.granted(facts, &action, resource)) {
            Ok(granted) => judge(action, granted, resource, Some(revision)).map(|()| revision),
            Err(reason) => Err(Denial { reason, action, resource: *resource, revision: Some(revision) }),
        }
    }

    /// Returns what `read` makes of the facts about the handle's token, if it is accepted now.
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

    /// Checks that the secret that the handle came with is still one of the token's.
    #[inline]
    fn check_secret(&self, handle: Handle, facts: &Facts, clock: &dyn Clock) -> Found<()> {
        if !facts.state.contains(State::TOKEN) {
            return Err(Reason::Unknown);
        }
        if facts.serial == handle.serial() { Ok(()) } else { self.check_overlap(handle, facts, clock) }
    }

    /// Checks that a token is accepted now.
    #[inline]
    fn check_live(&self, facts: &Facts, clock: &dyn Clock) -> Found<()> {
        let before = self.owners.standing(facts.owner);
        let organization = self.organizations.standing(facts.organization);
        // The owner is asked twice: one commit may suspend the owner and restore the organization, or the other way round, and
        // half of it must not be seen.
        let owner = if before == Standing::Active { self.owners.standing(facts.owner) } else { before };
        facts.liveness(owner, organization).check(|| clock.now())
    }

    /// Checks that a secret that the token no longer has is still accepted beside the new one (design rule 15).
    #[cold]
    #[inline(never)]
    fn check_overlap(&self, handle: Handle, facts: &Facts, clock: &dyn Clock) -> Found<()> {
        let overlap = if facts.state.contains(State::OVERLAPPED) { self.slots.get(facts.overlap) } else { None };
        let accepted = overlap.is_some_and(|overlap| {
            overlap.facts(|former| {
                former.target() == Target::Successor(handle) && !former.expires_at().has_passed(|| clock.now())
            })
        });
        if accepted { Ok(()) } else { Err(Reason::Unknown) }
    }

    /// Returns the actions that a token has on a resource: those that its kind's permissions say, without building them.
    #[inline]
    fn granted(&self, facts: &Facts, action: &Action, resource: &Resource) -> Access {
        let is_bucket = |bucket| {
            resource.id().is_some_and(|id| id.to_u128() == bucket) && *resource.type_ref() == ResourceType::BUCKETS
        };
        let access = match facts.target() {
            Target::Everything => return Access::ANY,
            Target::Organization => Access::ANY,
            Target::Bucket(bucket, access) if is_bucket(bucket) => access,
            Target::Set(number) => {
                let set = self.sets.get(number);
                let granted = set.and_then(|set| set.load().as_ref().map(|set| set.granted(action, resource)));
                return granted.unwrap_or_default();
            }
            Target::Bucket(..) | Target::Successor(_) | Target::Nothing => return Access::empty(),
        };
        // What is left holds in the token's organization only.
        let organization = resource.organization().map_or(0, OrgId::to_u128);
        let inside = organization != 0 && self.organizations.is(facts.organization, organization);
        if inside { access } else { Access::empty() }
    }
}
