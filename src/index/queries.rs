//! Questions about many tokens at once, of the management plane.

use std::collections::{BTreeMap, HashSet};

use crate::index::Index;
use crate::index::catalog::Incomplete;
use crate::index::slot::Facts;
use crate::index::state::State;
use crate::index::target::Target;
use crate::index::words::words_of;
use crate::model::id::TokenId;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::secret::{Digest, Keyring};
use crate::sync::atomic::Ordering::Relaxed;

impl Index {
    /// Reports whether any token has a secret with this digest, or is remembered to have had one.
    pub(crate) fn knows(&self, digest: &Digest) -> bool {
        let wanted = words_of(digest);
        let taken = |number| self.slots.get(number).filter(|slot| slot.digest() == wanted).map(|_| ());
        self.lookup.find(&wanted, taken).is_some() || self.read_catalog().former.contains(digest.bytes())
    }

    /// Returns the tokens that were created by this one, directly or not, and are not revoked.
    pub(crate) fn created_under(&self, root: TokenId) -> Vec<TokenId> {
        let catalog = self.read_catalog();
        let under: HashSet<u32> = (catalog.creators.iter())
            .filter(|(_, creator)| creator.lineage().contains(&root))
            .map(|(number, _)| number)
            .collect();
        if under.is_empty() {
            return Vec::new();
        }
        self.tokens(&catalog)
            .filter(|slot| under.contains(&slot.creator.load(Relaxed)))
            .filter(|slot| slot.facts(|facts| facts.state.status()) != Status::Revoked)
            .filter_map(|slot| TokenId::from_u128(slot.id()))
            .collect()
    }

    /// Reports whether there ever was such a token, as far as is remembered: it was deleted, or created others.
    pub(crate) fn remembers(&self, id: TokenId) -> bool {
        let catalog = self.read_catalog();
        catalog.tombstones.contains_key(&id)
            || catalog.creators.iter().any(|(_, creator)| creator.lineage().contains(&id))
    }

    /// Returns the tokens that expired at or before a time.
    pub(crate) fn expired_by(&self, time: Timestamp) -> Vec<TokenId> {
        let catalog = self.read_catalog();
        self.tokens(&catalog)
            .filter(|slot| slot.facts(|facts| facts.expires_at().has_passed(|| time)))
            .filter_map(|slot| TokenId::from_u128(slot.id()))
            .collect()
    }

    /// Returns the revision up to which all tombstones are of deletions at or before a time, and the number of these.
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

    /// Returns, by pepper id, the number of secrets that may still be accepted; those without a pepper are under `0`.
    pub(crate) fn secrets_by_key(&self, now: Timestamp) -> Result<BTreeMap<char, usize>, Incomplete> {
        let catalog = self.complete_catalog()?;
        let mut counts = BTreeMap::from([(char::from(Keyring::PLAIN), 0)]);
        for slot in catalog.slots.ever_taken().filter_map(|number| self.slots.get(number)) {
            let facts = slot.facts(|facts| *facts);
            let token = self.state_of_token(&facts, now);
            if token.contains(State::TOKEN) && !token.contains(State::REVOKED) {
                *counts.entry(char::from(facts.state.key())).or_insert(0) += 1;
            }
        }
        Ok(counts)
    }

    /// Returns the state of the token that a slot's secret is accepted for; empty once a former secret's overlap ended.
    fn state_of_token(&self, facts: &Facts, now: Timestamp) -> State {
        let Target::Successor(token) = facts.target() else { return facts.state };
        let lasts = !facts.expires_at().has_passed(|| now);
        let token = lasts.then(|| self.slots.get(token.slot())).flatten();
        token.map_or(State::empty(), |slot| slot.facts(|facts| facts.state))
    }
}
