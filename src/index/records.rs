//! How what is in memory becomes records again.

use std::sync::Arc;

use crate::index::Index;
use crate::index::catalog::{Catalog, Incomplete};
use crate::index::slot::Facts;
use crate::index::state::State;
use crate::index::target::{Handle, Target};
use crate::index::words::digest_of;
use crate::model::action::Action;
use crate::model::id::{ResourceId, TokenId};
use crate::model::kind::TokenKind;
use crate::model::status::Standing;
use crate::model::time::{Clock, Timestamp};
use crate::model::token::Token;
use crate::secret::Credential;
use crate::store::record::TokenRecord;
use crate::sync::atomic::Ordering::Relaxed;

impl Index {
    /// Returns the token with all that belongs to it, and the revision that wrote it.
    pub(crate) fn record(&self, id: TokenId) -> Option<(u64, TokenRecord)> {
        let catalog = self.read_catalog();
        self.record_in(&catalog, self.find(&catalog, id)?)
    }

    /// Returns the token of a handle, whether or not it is accepted.
    pub(crate) fn id_of_handle(&self, handle: Handle, clock: &dyn Clock) -> Option<TokenId> {
        let slot = self.slots.get(handle.slot())?;
        let id = TokenId::from_u128(slot.id());
        // Checked after the id was read: so the id that was read is this token's.
        slot.facts(|facts| self.check_secret(handle, facts, clock)).ok().and(id)
    }

    /// Returns the token as people see it.
    pub(crate) fn token(&self, id: TokenId) -> Result<Option<Token>, Incomplete> {
        let catalog = self.complete_catalog()?;
        Ok(self.find(&catalog, id).and_then(|number| self.token_in(&catalog, number)))
    }

    /// Returns the token in the slot with this number as people see it.
    pub(super) fn token_in(&self, catalog: &Catalog, number: u32) -> Option<Token> {
        let (revision, record) = self.record_in(catalog, number)?;
        let owner = catalog.stands.owner(record.owner);
        let organization = record.kind.organization().map_or(Standing::Active, |id| catalog.stands.organization(id));
        let last_used_at = self.slots.get(number).and_then(super::used::last_used);
        Some(record.into_token(revision, owner, organization, last_used_at))
    }

    fn record_in(&self, catalog: &Catalog, number: u32) -> Option<(u64, TokenRecord)> {
        let slot = self.slots.get(number)?;
        let facts = slot.facts(|facts| *facts);
        let more = catalog.more.get(&number);
        let record = TokenRecord {
            id: TokenId::from_u128(slot.id())?,
            kind: self.kind_in(catalog, &facts)?,
            owner: *catalog.owners.value(facts.owner)?,
            description: more.map_or_else(Arc::default, |more| Arc::clone(&more.description)),
            status: facts.state.status(),
            creator: catalog.creators.value(slot.creator.load(Relaxed))?.clone(),
            created_at: Timestamp::from_micros(slot.created.load(Relaxed)),
            updated_at: Timestamp::from_micros(slot.updated.load(Relaxed)),
            expires_at: facts.expires_at(),
            credential: Credential { key: facts.state.key(), digest: digest_of(slot.digest()) },
            overlap: self.overlap_in(&facts),
            former: more.map_or_else(Vec::new, |more| more.former.clone()),
        };
        Some((slot.revision.load(Relaxed), record))
    }

    fn kind_in(&self, catalog: &Catalog, facts: &Facts) -> Option<TokenKind> {
        let organization = catalog.organizations.value(facts.organization).copied();
        match facts.target() {
            Target::Everything => Some(TokenKind::operator()),
            Target::Organization => Some(TokenKind::all_access(organization?)),
            Target::Bucket(bucket, access) => {
                let bucket = (ResourceId::from_u128(bucket)?, Action::of(access)?);
                TokenKind::read_write(organization?, [bucket]).ok()
            }
            Target::Set(number) => {
                let permissions = self.sets.get(number)?.load_full()?;
                Some(TokenKind::restored(facts.state.kind()?, organization, permissions))
            }
            Target::Successor(_) | Target::Nothing => None,
        }
    }

    /// Returns the former secret that overlaps with the token's own, and when it ends.
    fn overlap_in(&self, facts: &Facts) -> Option<(Credential, Timestamp)> {
        let overlap = facts.state.contains(State::OVERLAPPED).then(|| self.slots.get(facts.overlap)).flatten()?;
        let (key, end) = overlap.facts(|facts| (facts.state.key(), facts.expires_at()));
        Some((Credential { key, digest: digest_of(overlap.digest()) }, end.time()?))
    }
}
