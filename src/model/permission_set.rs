//! Sets of permissions: one canonical form that serves matching, comparison and algebra.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::action::Action;
use crate::model::grants::{Fields, Grant, Grants, Key};
use crate::model::id::{OrgId, ResourceId};
use crate::model::permission::{Pattern, Permission};
use crate::model::resource::{Resource, ResourceType};

/// A set of permissions in its one canonical form.
///
/// Two sets are equal exactly when they allow the same requests: a permission that a more general one in the set
/// already covers is left out, the order given does not matter, and duplicates merge.
///
/// A check costs about the same for one permission as for ten thousand: mostly a probe of a hash table by id, one more
/// where there are permissions without one, and at most eight. It allocates nothing.
///
/// ```
/// use portcullis::{Action, OrgId, Pattern, Permission, PermissionSet, Resource, ResourceId};
///
/// let org: OrgId = "0a1b2c3d4e5f6071".parse()?;
/// let bucket: ResourceId = "1111111111111111".parse()?;
/// let one = PermissionSet::from_iter(Permission::read_write(Resource::bucket(org, bucket)));
/// let all = PermissionSet::from_iter([Permission::read(Pattern::all_of(org))]);
///
/// assert!(all.allows(Action::READ, &Resource::buckets(org)));
/// assert!(!all.covers(&one));
/// assert_eq!(
///     one.not_covered_by(&all),
///     PermissionSet::from_iter([Permission::write(Resource::bucket(org, bucket))])
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct PermissionSet {
    /// None covered by another, none without an action.
    grants: Grants,
}

impl PermissionSet {
    /// The set that allows nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The set of everything: what an Operator has.
    pub(crate) fn everything() -> Self {
        Self::canonical(vec![(Pattern::ANY, Action::READ_WRITE)])
    }

    /// Brings any list of patterns and actions into the canonical form.
    fn canonical(mut list: Vec<(Pattern, Action)>) -> Self {
        list.sort_unstable_by_key(|(pattern, _)| *pattern);
        list.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 |= later.1;
            }
            same
        });
        let merged = Grants::new(list);
        let needed: Vec<_> = merged
            .patterns()
            .map(|(pattern, actions)| (pattern, actions - merged.granted_more_generally(&pattern)))
            .filter(|(_, actions)| !actions.is_empty())
            .collect();
        // Mostly nothing is left out, and it need not be laid out again.
        let unchanged = needed.iter().copied().eq(merged.patterns());
        Self { grants: if unchanged { merged } else { Grants::new(needed) } }
    }

    /// Everything that is granted on all of what the pattern or request sets.
    ///
    /// A request for a resource is the pattern that sets the same fields, so this one function serves the decision,
    /// comparison of sets and the canonical form.
    #[inline]
    pub(crate) fn granted(&self, request: &impl Fields) -> Action {
        self.grants.granted(request)
    }

    /// The same, or less where all of `wanted` is granted already.
    #[inline]
    pub(crate) fn granted_of(&self, wanted: Action, request: &impl Fields) -> Action {
        self.grants.granted_of(wanted, request)
    }

    /// Whether all of these actions on that resource are granted, possibly by different permissions (design rule 6).
    ///
    /// No action, and one with an unknown bit, is not (rule 1).
    #[inline]
    #[must_use]
    pub fn allows(&self, actions: Action, resource: &Resource) -> bool {
        !actions.is_empty() && self.granted_of(actions, resource).contains(actions)
    }

    /// Whether this set allows every request that `other` allows: a partial order.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.patterns().all(|(pattern, actions)| self.granted(&pattern).contains(actions))
    }

    /// Everything that either set allows.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::canonical(self.patterns().chain(other.patterns()).collect())
    }

    /// Everything that both sets allow. Can be as many permissions as one has times as many as the other has: where one
    /// names types and the other ids, each pair is one.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for theirs in other.grants.shapes().iter() {
            for ours in self.grants.shapes().iter() {
                // Patterns of two shapes can meet only where they agree in the fields that both set.
                let shared = ours.and(theirs);
                let mut partners: HashMap<Key, Vec<&Grant>> = HashMap::new();
                for grant in other.grants.list().iter().filter(|grant| grant.shape == theirs) {
                    partners.entry(grant.key.only(shared)).or_default().push(grant);
                }
                for grant in self.grants.list().iter().filter(|grant| grant.shape == ours) {
                    let pattern = grant.key.pattern();
                    for partner in partners.get(&grant.key.only(shared)).into_iter().flatten() {
                        let meet = pattern.meet(&partner.key.pattern());
                        both.extend(meet.map(|meet| (meet, grant.actions & partner.actions)));
                    }
                }
            }
        }
        both.retain(|(_, actions)| !actions.is_empty());
        Self::canonical(both)
    }

    /// The permissions of this set that `other` does not cover, each whole: patterns are not closed under difference.
    #[must_use]
    pub fn not_covered_by(&self, other: &Self) -> Self {
        let rest = self.patterns().map(|(pattern, actions)| (pattern, actions - other.granted(&pattern)));
        Self::canonical(rest.filter(|(_, actions)| !actions.is_empty()).collect())
    }

    /// Which resources of a type these actions are allowed on, in an organization or, with `None`, among those of the
    /// instance itself. None of type `instance` are in an organization.
    #[must_use]
    pub fn reach(&self, actions: Action, kind: ResourceType, organization: Option<OrgId>) -> Reach {
        let Ok(whole) = Pattern::new(Some(kind), organization, None) else { return Reach::None };
        if actions.is_empty() {
            return Reach::None;
        }
        if self.granted(&whole).contains(actions) {
            return Reach::All;
        }
        let mut ids: Vec<_> = self
            .patterns()
            .filter_map(|(pattern, _)| pattern.id)
            .filter(|id| self.granted(&Pattern { id: Some(*id), ..whole }).contains(actions))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() { Reach::None } else { Reach::Only(ids) }
    }

    /// Whether the set allows nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.grants.list().is_empty()
    }

    /// The number of patterns.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.grants.list().len()
    }

    /// The patterns and what is granted on each, by organization, then type, then id.
    pub fn patterns(&self) -> impl Iterator<Item = (Pattern, Action)> {
        self.grants.patterns()
    }

    /// The permissions, in the same order, `read` before `write`.
    pub fn iter(&self) -> impl Iterator<Item = Permission> {
        self.patterns().flat_map(|(pattern, actions)| actions.iter().map(move |action| Permission { pattern, action }))
    }
}

/// Which resources of a type a token may act on: the answer to a *list* question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of them, those that do not exist yet included.
    All,
    /// Exactly these, in order. Some may not exist.
    Only(Vec<ResourceId>),
    /// None of them.
    None,
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self::canonical(permissions.into_iter().map(|permission| (permission.pattern, permission.action)).collect())
    }
}

impl PartialEq for PermissionSet {
    fn eq(&self, other: &Self) -> bool {
        self.grants.list() == other.grants.list()
    }
}

impl Eq for PermissionSet {}

impl Hash for PermissionSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for grant in self.patterns() {
            grant.hash(state);
        }
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The permissions as text, separated by commas.
impl fmt::Display for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, permission) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}`{permission}`")?;
        }
        Ok(())
    }
}

/// A list of [`Permission`]s, as InfluxDB has it.
impl Serialize for PermissionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}
