//! Sets of permissions: one canonical form that serves matching, comparison and algebra.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::action::Action;
use crate::model::id::{OrgId, ResourceId};
use crate::model::permission::{Pattern, Permission};
use crate::model::resource::{Resource, ResourceType};

/// A set of permissions in its one canonical form.
///
/// Two sets are equal exactly when they allow the same requests: a permission that a more general one in the set
/// already covers is left out, the order given does not matter, and duplicates merge.
///
/// A check costs the same for one permission as for ten thousand: a probe of a hash table for each *shape* of pattern
/// (which of type, organization and id it sets) that occurs in the set, of which there are at most eight and mostly
/// one. It allocates nothing.
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
    /// Sorted by pattern, none covered by another, none without an action.
    grants: Box<[Grant]>,
    shapes: Shapes,
    /// Open addressing: places in `grants`, [`FREE`] where there is none. Empty for sets small enough to scan.
    table: Box<[u32]>,
    /// Random for each set, so that nobody can choose ids that collide.
    seed: u64,
}

/// A pattern and what may be done to it, in one cache line.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Grant {
    organization: Option<OrgId>,
    id: Option<ResourceId>,
    kind: Option<ResourceType>,
    actions: Action,
}

const FREE: u32 = u32::MAX;

/// Sets of at most this many grants are scanned.
const SCANNED: usize = 2;

impl Grant {
    fn new(pattern: Pattern, actions: Action) -> Self {
        Self { organization: pattern.organization, id: pattern.id, kind: pattern.kind, actions }
    }

    fn pattern(&self) -> Pattern {
        Pattern { organization: self.organization, kind: self.kind, id: self.id }
    }

    fn has(&self, pattern: &Pattern) -> bool {
        self.id == pattern.id && self.organization == pattern.organization && self.kind == pattern.kind
    }
}

/// Which fields a pattern sets, as a number below eight.
#[derive(Clone, Copy)]
struct Shape(u8);

impl Shape {
    const KIND: u8 = 1;
    const ORGANIZATION: u8 = 2;
    const ID: u8 = 4;

    fn of(pattern: &Pattern) -> Self {
        Self(
            u8::from(pattern.kind.is_some()) * Self::KIND
                + u8::from(pattern.organization.is_some()) * Self::ORGANIZATION
                + u8::from(pattern.id.is_some()) * Self::ID,
        )
    }

    /// `pattern` with only the fields of this shape; `None` when it does not set them all.
    #[inline]
    fn project(self, pattern: &Pattern) -> Option<Pattern> {
        let missing = self.0 & !Self::of(pattern).0;
        (missing == 0).then(|| Pattern {
            kind: pattern.kind.filter(|_| self.0 & Self::KIND != 0),
            organization: pattern.organization.filter(|_| self.0 & Self::ORGANIZATION != 0),
            id: pattern.id.filter(|_| self.0 & Self::ID != 0),
        })
    }
}

/// A set of shapes: bit n for the shape n.
#[derive(Clone, Copy, Default)]
struct Shapes(u8);

impl Shapes {
    fn insert(&mut self, shape: Shape) {
        self.0 |= 1 << shape.0;
    }
}

impl Iterator for Shapes {
    type Item = Shape;

    #[inline]
    fn next(&mut self) -> Option<Shape> {
        let shape = u8::try_from(self.0.trailing_zeros()).ok().filter(|shape| *shape < 8)?;
        self.0 &= self.0 - 1;
        Some(Shape(shape))
    }
}

/// Multiplies to twice the width and folds the halves: every bit of both reaches every bit of the result.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let wide = (a as u128) * (b as u128);
    #[allow(clippy::cast_possible_truncation)] // Both halves are kept.
    let folded = (wide as u64) ^ ((wide >> 64) as u64);
    folded
}

#[inline]
fn hash(seed: u64, pattern: &Pattern) -> u64 {
    let halves = |bits: u128| {
        #[allow(clippy::cast_possible_truncation)] // The other half follows.
        let low = bits as u64;
        (low, (bits >> 64) as u64)
    };
    let (id_low, id_high) = halves(pattern.id.map_or(0, ResourceId::to_u128));
    let (org_low, org_high) = halves(pattern.organization.map_or(0, OrgId::to_u128));
    let kind = match &pattern.kind {
        Some(kind) => {
            let mut words = kind.padded().chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_le_bytes));
            let mut next = || words.next().unwrap_or_default();
            fold(next() ^ seed, next() ^ 0x9e37_79b9_7f4a_7c15) ^ next()
        }
        None => 0,
    };
    let place = fold(org_low ^ kind ^ 0xd1b5_4a32_d192_ed03, org_high ^ seed);
    fold(id_low ^ place ^ seed, id_high ^ 0x8bb8_4b93_962e_acc9)
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
        let merged = Self::indexed(list);
        let needed: Vec<_> = merged
            .patterns()
            .map(|(pattern, actions)| (pattern, actions - merged.granted_more_generally(&pattern)))
            .filter(|(_, actions)| !actions.is_empty())
            .collect();
        Self::indexed(needed)
    }

    /// Lays out sorted, distinct patterns for the check.
    fn indexed(list: Vec<(Pattern, Action)>) -> Self {
        let mut set = Self { seed: RandomState::new().build_hasher().finish(), ..Self::default() };
        if list.len() > SCANNED {
            // At most half full, so that a probe ends soon.
            set.table = vec![FREE; (list.len() * 2).next_power_of_two()].into();
        }
        for (place, (pattern, _)) in (0..FREE).zip(&list) {
            set.shapes.insert(Shape::of(pattern));
            if let Some(free) = set.probe(pattern).find(|at| set.table.get(*at) == Some(&FREE))
                && let Some(entry) = set.table.get_mut(free)
            {
                *entry = place;
            }
        }
        set.grants = list.into_iter().map(|(pattern, actions)| Grant::new(pattern, actions)).collect();
        set
    }

    /// The entries of the table where the pattern may be, nearest first.
    #[inline]
    fn probe(&self, pattern: &Pattern) -> impl Iterator<Item = usize> + use<> {
        let len = self.table.len();
        #[allow(clippy::cast_possible_truncation)] // The low bits choose the place.
        let start = if len == 0 { 0 } else { hash(self.seed, pattern) as usize };
        (0..len).map(move |step| start.wrapping_add(step) & (len - 1))
    }

    /// What is granted on exactly this pattern.
    #[inline]
    fn at(&self, pattern: &Pattern) -> Action {
        if self.table.is_empty() {
            return self.grants.iter().find(|grant| grant.has(pattern)).map_or(Action::empty(), |grant| grant.actions);
        }
        for at in self.probe(pattern) {
            match self.table.get(at).and_then(|place| self.grants.get(*place as usize)) {
                Some(grant) if grant.has(pattern) => return grant.actions,
                Some(_) => {}
                None => break,
            }
        }
        Action::empty()
    }

    /// Everything that is granted on all of what the pattern matches.
    ///
    /// A request for a resource is the pattern that sets the same fields, so this one function serves the decision,
    /// comparison of sets and the canonical form.
    #[inline]
    pub(crate) fn granted(&self, pattern: &Pattern) -> Action {
        self.shapes
            .filter_map(|shape| shape.project(pattern))
            .fold(Action::empty(), |granted, general| granted | self.at(&general))
    }

    /// The same by strictly more general patterns.
    fn granted_more_generally(&self, pattern: &Pattern) -> Action {
        let own = Shape::of(pattern).0;
        self.shapes
            .filter(|shape| shape.0 != own)
            .filter_map(|shape| shape.project(pattern))
            .fold(Action::empty(), |granted, general| granted | self.at(&general))
    }

    /// Whether all of these actions on that resource are granted, possibly by different permissions (design rule 6).
    ///
    /// No action, and one with an unknown bit, is not (rule 1).
    #[inline]
    #[must_use]
    pub fn allows(&self, actions: Action, resource: &Resource) -> bool {
        !actions.is_empty() && self.granted(&Pattern::from(*resource)).contains(actions)
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

    /// Everything that both sets allow.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for theirs in other.shapes {
            for ours in self.shapes {
                // Patterns of two shapes can meet only where they agree in the fields that both set.
                let shared = Shape(ours.0 & theirs.0);
                let mut partners: HashMap<Option<Pattern>, Vec<(Pattern, Action)>> = HashMap::new();
                for (pattern, actions) in other.patterns().filter(|(pattern, _)| Shape::of(pattern).0 == theirs.0) {
                    partners.entry(shared.project(&pattern)).or_default().push((pattern, actions));
                }
                for (pattern, actions) in self.patterns().filter(|(pattern, _)| Shape::of(pattern).0 == ours.0) {
                    for (partner, allowed) in partners.get(&shared.project(&pattern)).into_iter().flatten() {
                        both.extend(pattern.meet(partner).map(|meet| (meet, actions & *allowed)));
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
            .grants
            .iter()
            .filter_map(|grant| grant.id)
            .filter(|id| self.granted(&Pattern { id: Some(*id), ..whole }).contains(actions))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() { Reach::None } else { Reach::Only(ids) }
    }

    /// Whether the set allows nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// The number of patterns.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.grants.len()
    }

    /// The patterns and what is granted on each, by organization, then type, then id.
    pub fn patterns(&self) -> impl Iterator<Item = (Pattern, Action)> {
        self.grants.iter().map(|grant| (grant.pattern(), grant.actions))
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
        self.grants == other.grants
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

/// A grant in formats that are not for people.
#[derive(Serialize, Deserialize)]
struct CompactGrant {
    actions: u8,
    kind: Option<ResourceType>,
    organization: Option<OrgId>,
    id: Option<ResourceId>,
}

impl CompactGrant {
    fn read(self) -> Result<(Pattern, Action), &'static str> {
        let pattern = Pattern::new(self.kind, self.organization, self.id)
            .map_err(|_| "a stored permission puts the instance into an organization")?;
        let actions = Action::from_bits(self.actions).ok_or("a stored permission has an unknown action")?;
        Ok((pattern, actions))
    }
}

/// For people a list of [`Permission`]s, as InfluxDB has it; otherwise compact.
impl Serialize for PermissionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_seq(self.iter());
        }
        let grants: Vec<_> = self
            .grants
            .iter()
            .map(|grant| CompactGrant {
                actions: grant.actions.bits(),
                kind: grant.kind,
                organization: grant.organization,
                id: grant.id,
            })
            .collect();
        grants.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect());
        }
        let grants = Vec::<CompactGrant>::deserialize(deserializer)?;
        let list = grants.into_iter().map(CompactGrant::read).collect::<Result<_, _>>();
        list.map(Self::canonical).map_err(serde::de::Error::custom)
    }
}
