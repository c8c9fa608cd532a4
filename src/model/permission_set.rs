//! Sets of permissions: one canonical form that serves matching, comparison and algebra.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::action::{Access, Action, Grant};
use crate::model::grants::{Fields, Grants, Key};
use crate::model::id::{OrgId, ResourceId};
use crate::model::pattern::Pattern;
use crate::model::permission::Permission;
use crate::model::resource::Resource;
use crate::model::resource_type::ResourceType;
use crate::model::verb::Verb;

/// A set of permissions in its one canonical form.
///
/// Two sets are equal exactly when they allow the same requests: a permission that a more general one in the set
/// already covers is left out, the order given does not matter, and duplicates merge.
///
/// A check costs about the same for one permission as for ten thousand: mostly a probe of a hash table by id, one more
/// where there are permissions without one, and at most eight. A verb is looked up in a table of its own, after any
/// action. Nothing is allocated.
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
    /// Reading, writing and any action. None is covered by another, none without an access.
    access: Grants,
    /// What each verb is granted on, by verb: none empty, none covered by another or by any action. In a table of its
    /// own, so that sets and requests without verbs pay nothing for them.
    verbs: Box<[(Verb, Grants)]>,
}

impl PermissionSet {
    /// Creates the set that allows nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Creates the set of everything: what an Operator has.
    pub(crate) fn everything() -> Self {
        Self::from_iter([Permission::any(Pattern::ANY)])
    }

    /// Brings patterns, with what is granted on each, and those of the verbs into the canonical form.
    fn canonical(
        access: impl IntoIterator<Item = (Pattern, Access)>,
        verbs: impl IntoIterator<Item = (Verb, Pattern)>,
    ) -> Self {
        let access = minimal(access.into_iter().collect());
        let mut by_verb = BTreeMap::<_, Vec<_>>::new();
        for (verb, pattern) in verbs {
            if !access.granted(&pattern).contains(Access::ANY) {
                by_verb.entry(verb).or_default().push((pattern, Access::ANY));
            }
        }
        Self { access, verbs: by_verb.into_iter().map(|(verb, list)| (verb, minimal(list))).collect() }
    }

    /// Returns what is granted on all of what the pattern or request sets, as far as the action needs it: enough of it
    /// exactly where the action is allowed.
    ///
    /// A request for a resource is the pattern that sets the same fields, so this one function serves the decision,
    /// comparison of sets and the canonical form.
    #[inline]
    pub(crate) fn granted(&self, action: &Action, request: &impl Fields) -> Access {
        match action.needed() {
            Ok(access) => self.access.granted_of(access, request),
            Err(verb) => self.granted_to(*verb, request),
        }
    }

    /// Returns any action where the verb is granted, by itself or with any action. Apart, so that reading and writing
    /// stay short.
    #[inline(never)]
    fn granted_to(&self, verb: Verb, request: &impl Fields) -> Access {
        let granted = self.access.granted(request);
        if granted.contains(Access::ANY) {
            return granted;
        }
        self.patterns_of(verb).map_or(granted, |patterns| granted | patterns.granted(request))
    }

    /// Returns what the verb by itself is granted on.
    fn patterns_of(&self, verb: Verb) -> Option<&Grants> {
        let at = self.verbs.binary_search_by_key(&verb, |(verb, _)| *verb).ok()?;
        self.verbs.get(at).map(|(_, patterns)| patterns)
    }

    /// Reports whether the action on that resource is granted. Reading and writing may be granted by different
    /// permissions (design rule 6).
    #[inline]
    #[must_use]
    pub fn allows(&self, action: impl Into<Action>, resource: &Resource) -> bool {
        let action = action.into();
        action.missing(self.granted(&action, resource)).is_none()
    }

    /// Reports whether this set allows every request that `other` allows. This is a partial order.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.access().all(|(pattern, access)| self.access.granted(&pattern).contains(access))
            && other.verbs().all(|(verb, pattern)| self.granted_to(verb, &pattern).contains(Access::ANY))
    }

    /// Returns everything that either set allows.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::canonical(self.access().chain(other.access()), self.verbs().chain(other.verbs()))
    }

    /// Returns everything that both sets allow. It can be as many permissions as one has times as many as the other has:
    /// where one names types and the other ids, each pair is one.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let none = Grants::default();
        let verbs: BTreeSet<_> = self.verbs.iter().chain(&other.verbs).map(|(verb, _)| *verb).collect();
        let by_verb = verbs.into_iter().flat_map(|verb| {
            let ours = self.patterns_of(verb).unwrap_or(&none);
            let theirs = other.patterns_of(verb).unwrap_or(&none);
            // What both have with any action is among the accesses.
            [meets(ours, theirs), meets(ours, &other.access), meets(&self.access, theirs)]
                .into_iter()
                .flatten()
                .filter(|(_, access)| access.contains(Access::ANY))
                .map(move |(pattern, _)| (verb, pattern))
        });
        Self::canonical(meets(&self.access, &other.access), by_verb)
    }

    /// Returns the permissions of this set that `other` does not cover, each whole: patterns are not closed under
    /// difference.
    #[must_use]
    pub fn not_covered_by(&self, other: &Self) -> Self {
        let access = self.access().map(|(pattern, access)| (pattern, access.without(other.access.granted(&pattern))));
        let verbs = self.verbs().filter(|(verb, pattern)| !other.granted_to(*verb, pattern).contains(Access::ANY));
        Self::canonical(access.filter(|(_, access)| !access.is_empty()), verbs)
    }

    /// Returns the same permissions as permissions of one organization: one that names none is read as one there (design
    /// rule 7).
    ///
    /// # Errors
    /// The permission that names another organization, or is on `instance`, which is part of none.
    pub(crate) fn in_organization(&self, organization: OrgId) -> Result<Self, Permission> {
        let narrow = |permission: Permission| {
            let Pattern { organization: named, resource_type, id } = permission.pattern;
            let pattern = Pattern::new(Some(named.unwrap_or(organization)), resource_type, id);
            match pattern {
                Ok(pattern) if pattern.organization == Some(organization) => Ok(Permission { pattern, ..permission }),
                _ => Err(permission),
            }
        };
        self.iter().map(narrow).collect()
    }

    /// Returns which resources of a type this action is allowed on, in an organization or, with `None`, among those of the
    /// instance itself. None of type `instance` are in an organization.
    ///
    /// ```
    /// use portcullis::{Action, OrgId, Permission, PermissionSet, Reach, Resource, ResourceId, ResourceType};
    ///
    /// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
    /// let metrics: ResourceId = "1111111111111111".parse()?;
    /// let set = PermissionSet::from_iter([Permission::read(Resource::bucket(acme, metrics))]);
    /// assert_eq!(set.reach(Action::READ, Some(acme), ResourceType::BUCKETS), Reach::Only(vec![metrics]));
    /// assert_eq!(set.reach(Action::WRITE, Some(acme), ResourceType::BUCKETS), Reach::None);
    /// # Ok::<(), portcullis::IdError>(())
    /// ```
    #[must_use]
    pub fn reach(&self, action: impl Into<Action>, organization: Option<OrgId>, resource_type: ResourceType) -> Reach {
        let action = action.into();
        let Ok(whole) = Pattern::new(organization, Some(resource_type), None) else { return Reach::None };
        let allowed = |pattern: &Pattern| action.missing(self.granted(&action, pattern)).is_none();
        if allowed(&whole) {
            return Reach::All;
        }
        let of_verb = action.verb().and_then(|verb| self.patterns_of(verb));
        let patterns = self.access().chain(of_verb.into_iter().flat_map(Grants::patterns));
        let mut ids: Vec<_> = patterns
            .filter_map(|(pattern, _)| pattern.id)
            .filter(|id| allowed(&Pattern { id: Some(*id), ..whole }))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() { Reach::None } else { Reach::Only(ids) }
    }

    /// Reports whether the set allows nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.access.list().is_empty() && self.verbs.is_empty()
    }

    /// Returns the number of patterns, each counted once for reading, writing and any action, and once for every verb.
    #[must_use]
    pub fn len(&self) -> usize {
        self.access.list().len() + self.verbs.iter().map(|(_, patterns)| patterns.list().len()).sum::<usize>()
    }

    /// Returns the permissions: first those to read, to write and to do anything, in the order of organizations, then
    /// types, then ids, `read` before `write`; then those of each verb, in the order of verbs.
    pub fn iter(&self) -> impl Iterator<Item = Permission> {
        let access =
            self.access().flat_map(|(pattern, access)| access.grants().map(move |grant| Permission { pattern, grant }));
        access.chain(self.verbs().map(|(verb, pattern)| Permission::new(verb, pattern)))
    }

    /// Returns the patterns on which reading, writing or any action is granted.
    pub(crate) fn access(&self) -> impl Iterator<Item = (Pattern, Access)> {
        self.access.patterns()
    }

    /// Returns the patterns on which verbs by themselves are granted.
    pub(crate) fn verbs(&self) -> impl Iterator<Item = (Verb, Pattern)> {
        self.verbs.iter().flat_map(|(verb, patterns)| patterns.patterns().map(|(pattern, _)| (*verb, pattern)))
    }
}

/// Lays out what no more general pattern of the list grants.
fn minimal(mut list: Vec<(Pattern, Access)>) -> Grants {
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
        .map(|(pattern, access)| (pattern, access.without(merged.granted_more_generally(&pattern))))
        .filter(|(_, access)| !access.is_empty())
        .collect();
    // Mostly nothing is left out, and it need not be laid out again.
    let unchanged = needed.iter().copied().eq(merged.patterns());
    if unchanged { merged } else { Grants::new(needed) }
}

/// Returns what both grant, as far as the patterns of one meet those of the other.
fn meets(ours: &Grants, theirs: &Grants) -> Vec<(Pattern, Access)> {
    let mut both = Vec::new();
    for their_shape in theirs.shapes().iter() {
        for our_shape in ours.shapes().iter() {
            // Patterns of two shapes can meet only where they agree in the fields that both set.
            let shared = our_shape.and(their_shape);
            let mut partners: HashMap<Key, Vec<_>> = HashMap::new();
            for grant in theirs.list().iter().filter(|grant| grant.shape == their_shape) {
                partners.entry(grant.key.only(shared)).or_default().push(grant);
            }
            for grant in ours.list().iter().filter(|grant| grant.shape == our_shape) {
                let pattern = grant.key.pattern();
                for partner in partners.get(&grant.key.only(shared)).into_iter().flatten() {
                    let meet = pattern.meet(&partner.key.pattern());
                    both.extend(meet.map(|meet| (meet, grant.access & partner.access)));
                }
            }
        }
    }
    both.retain(|(_, access)| !access.is_empty());
    both
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
        let (mut access, mut verbs) = (Vec::new(), Vec::new());
        for Permission { pattern, grant } in permissions {
            match grant {
                Grant::Read => access.push((pattern, Access::READ)),
                Grant::Write => access.push((pattern, Access::WRITE)),
                Grant::Any => access.push((pattern, Access::ANY)),
                Grant::Verb(verb) => verbs.push((verb, pattern)),
            }
        }
        Self::canonical(access, verbs)
    }
}

impl PartialEq for PermissionSet {
    fn eq(&self, other: &Self) -> bool {
        self.access == other.access && self.verbs == other.verbs
    }
}

impl Eq for PermissionSet {}

impl Hash for PermissionSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|permission| permission.hash(state));
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
