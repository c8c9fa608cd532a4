//! What only the management plane needs to know about the tokens.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::index::Index;
use crate::index::numbers::{Numbering, Pool};
use crate::index::order::Order;
use crate::index::slot::Slot;
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::status::Standing;
use crate::model::time::Timestamp;
use crate::model::token::Creator;
use crate::secret::Digest;
use crate::store::Position;
use crate::store::record::{Stand, Tombstone};
use crate::sync::{RwLockReadGuard, RwLockWriteGuard};

#[derive(Default)]
pub(super) struct Catalog {
    pub(super) by_id: Order,
    /// By the organization's number; tokens without an organization are under 0.
    pub(super) by_organization: HashMap<u32, Order>,
    pub(super) owners: Numbering<UserId>,
    pub(super) organizations: Numbering<OrgId>,
    pub(super) creators: Numbering<Creator>,
    pub(super) stands: Stands,
    /// By the slot's number.
    pub(super) more: HashMap<u32, More>,
    /// Deleted tokens that are not forgotten yet, and the revision of the deletion.
    pub(super) tombstones: BTreeMap<TokenId, (u64, Tombstone)>,
    /// Digests that were a token's and are not any more.
    pub(super) former: HashSet<[u8; 32]>,
    pub(super) slots: Pool,
    pub(super) sets: Pool,
    pub(super) marks: Marks,
    pub(super) position: Position,
}

#[derive(Default)]
pub(super) struct Stands {
    pub(super) owners: BTreeMap<UserId, Stand>,
    pub(super) organizations: BTreeMap<OrgId, Stand>,
}

impl Stands {
    pub(super) fn owner(&self, owner: UserId) -> Standing {
        self.owners.get(&owner).map_or(Standing::Active, |stand| stand.standing)
    }

    pub(super) fn organization(&self, organization: OrgId) -> Standing {
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

/// The index is closed: what is not in it may still be in the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incomplete;

/// What few tokens have.
#[derive(Default)]
pub(super) struct More {
    pub(super) description: Arc<str>,
    pub(super) former: Vec<Digest>,
}

impl Index {
    pub(super) fn read_catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns the catalog if everything that the store has is in it.
    pub(super) fn complete_catalog(&self) -> Result<RwLockReadGuard<'_, Catalog>, Incomplete> {
        let catalog = self.read_catalog();
        // The index is closed before it is cleared, and opened when all is in it again.
        if self.is_open() { Ok(catalog) } else { Err(Incomplete) }
    }

    pub(super) fn write_catalog(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns the id of the token in the slot with this number; 0 for none.
    pub(super) fn id_in(&self, slot: u32) -> u128 {
        self.slots.get(slot).map_or(0, Slot::id)
    }

    /// Returns the number of the token's slot.
    pub(super) fn find(&self, catalog: &Catalog, id: TokenId) -> Option<u32> {
        catalog.by_id.find(id.to_u128(), |slot| self.id_in(slot))
    }

    /// Returns all tokens' slots, in the order of their ids.
    pub(super) fn tokens<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = &'a Slot> {
        catalog.by_id.after(None, |slot| self.id_in(slot)).filter_map(|slot| self.slots.get(slot))
    }

    /// Returns the position in the store that the index is at.
    pub(crate) fn position(&self) -> Position {
        self.read_catalog().position
    }

    pub(crate) fn marks(&self) -> Marks {
        self.read_catalog().marks
    }

    /// Reports whether the store ever held an Operator token.
    pub(crate) fn is_set_up(&self) -> Result<bool, Incomplete> {
        Ok(self.complete_catalog()?.marks.set_up.is_some())
    }

    pub(crate) fn owner_standing(&self, owner: UserId) -> Result<Standing, Incomplete> {
        Ok(self.complete_catalog()?.stands.owner(owner))
    }

    pub(crate) fn organization_standing(&self, organization: OrgId) -> Result<Standing, Incomplete> {
        Ok(self.complete_catalog()?.stands.organization(organization))
    }
}
