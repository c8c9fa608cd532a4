//! The grants of a permission set, laid out for the check.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::model::action::Access;
use crate::model::id::{OrgId, ResourceId};
use crate::model::pattern::Pattern;
use crate::model::resource::Resource;
use crate::model::resource_type::ResourceType;

/// At most this many grants are scanned.
const SCANNED: usize = 2;

/// Patterns and what may be done to each, sorted by pattern, none twice.
#[derive(Clone, Default)]
pub(super) struct Grants {
    list: Box<[Grant]>,
    /// A hash table of where each grant is. Empty for lists small enough to scan.
    table: Box<[Entry]>,
    /// The fields that the table is keyed by, the fewest that tell all grants apart: mostly the id alone.
    keyed: Shape,
    /// What the shapes that occur have of these fields: one probe for each.
    probes: Shapes,
    /// Random for each set, so that nobody can choose ids that collide.
    seed: u64,
}

/// The list is all; how it is laid out is random.
impl PartialEq for Grants {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Grants {
    pub(super) fn new(list: impl IntoIterator<Item = (Pattern, Access)>) -> Self {
        let grant = |(pattern, access)| {
            let key = Key::new(&pattern);
            Grant { key, shape: key.shape(), access }
        };
        let mut grants = Self { list: list.into_iter().map(grant).collect(), ..Self::default() };
        if grants.list.len() > SCANNED {
            grants.seed = RandomState::new().build_hasher().finish();
            grants.keyed = grants.keyed();
            grants.probes = Shapes::of(grants.list.iter().map(|grant| grant.shape.and(grants.keyed)));
            grants.table = grants.table();
        }
        grants
    }

    pub(super) const fn list(&self) -> &[Grant] {
        &self.list
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = (Pattern, Access)> {
        self.list.iter().map(|grant| (grant.key.pattern(), grant.access))
    }

    /// The first of [`Shape::KEYS`] that tells all grants apart.
    fn keyed(&self) -> Shape {
        let unique = |fields: &Shape| {
            let hash = |grant: &Grant| Hashes::new(self.seed, *fields, &grant.key).of(grant.shape);
            let mut hashes: Vec<u64> = self.list.iter().map(hash).collect();
            hashes.sort_unstable();
            hashes.windows(2).all(|pair| pair.first() != pair.last())
        };
        let [.., all] = Shape::KEYS;
        Shape::KEYS.into_iter().find(unique).unwrap_or(all)
    }

    /// The table of the grants, at most a quarter full, so that few are not where they belong.
    fn table(&self) -> Box<[Entry]> {
        let len = (self.list.len() * 4).next_power_of_two();
        let mut table = vec![Entry::default(); len];
        let mut free = vec![true; len];
        let mut grants: Vec<_> = (0..Entry::GO_ON).zip(&self.list).collect();
        // The most general first: they are looked up in vain the most, so they come close to where they belong.
        grants.sort_by_key(|(_, grant)| grant.shape.and(self.keyed).0);
        for (place, grant) in grants {
            let hash = Hashes::new(self.seed, self.keyed, &grant.key).of(grant.shape);
            for at in (0..len).map(|step| place_in(hash, step, len)) {
                let (Some(entry), Some(free)) = (table.get_mut(at), free.get_mut(at)) else { break };
                if std::mem::take(free) {
                    *entry = Entry::new(place, hash, len);
                    break;
                }
                entry.0 |= Entry::GO_ON;
            }
        }
        table.into()
    }

    /// Everything that is granted on all of what the pattern or request sets.
    #[inline]
    pub(super) fn granted(&self, request: &impl Fields) -> Access {
        self.granted_of(Access::ANY, request)
    }

    /// The same, or less where all of `wanted` is granted already.
    #[inline]
    pub(super) fn granted_of(&self, wanted: Access, request: &impl Fields) -> Access {
        if self.table.is_empty() { self.scan(request, |_| true) } else { self.look_up(request, wanted, |_| true) }
    }

    /// The same by strictly more general patterns.
    pub(super) fn granted_more_generally(&self, pattern: &Pattern) -> Access {
        let own = Key::new(pattern).shape();
        let other = |shape| shape != own;
        if self.table.is_empty() { self.scan(pattern, other) } else { self.look_up(pattern, Access::ANY, other) }
    }

    #[inline]
    fn scan(&self, request: &impl Fields, admit: impl Fn(Shape) -> bool) -> Access {
        let mut granted = Access::empty();
        for grant in &self.list {
            if admit(grant.shape) && grant.matches(request) {
                granted |= grant.access;
            }
        }
        granted
    }

    /// What grants of the admitted shapes give.
    #[inline]
    fn look_up(&self, request: &impl Fields, wanted: Access, admit: impl Fn(Shape) -> bool) -> Access {
        if self.probes == Shapes::one(Shape::ID_ALONE) {
            self.at(Hashes::of_id(self.seed, request), request, wanted, &admit)
        } else if self.keyed == Shape::ID_ALONE {
            self.look_up_two(request, wanted, &admit)
        } else {
            self.look_up_several(request, wanted, &admit)
        }
    }

    /// The same where one grant has no id, and so the empty key.
    ///
    /// Neither this nor what follows is inlined: they would take the registers that scanning needs.
    #[inline(never)]
    fn look_up_two(&self, request: &impl Fields, wanted: Access, admit: &impl Fn(Shape) -> bool) -> Access {
        let granted = self.at(Hashes::of_id(self.seed, request), request, wanted, admit);
        if granted.contains(wanted) { granted } else { granted | self.at(0, request, wanted, admit) }
    }

    /// The same whatever the table is keyed by.
    #[inline(never)]
    fn look_up_several(&self, request: &impl Fields, wanted: Access, admit: &impl Fn(Shape) -> bool) -> Access {
        let hashes = Hashes::new(self.seed, self.keyed, request);
        let mut granted = Access::empty();
        for fields in self.probes.iter() {
            granted |= self.at(hashes.of(fields), request, wanted, admit);
            if granted.contains(wanted) {
                break;
            }
        }
        granted
    }

    /// The same by those with this hash: mostly one, where it belongs.
    #[inline(never)]
    fn at(&self, hash: u64, request: &impl Fields, wanted: Access, admit: &impl Fn(Shape) -> bool) -> Access {
        let (granted, goes_on) = self.entry(0, hash, request, admit);
        if goes_on && !granted.contains(wanted) {
            granted | self.further(hash, request, wanted, admit)
        } else {
            granted
        }
    }

    /// The same by those that are not where they belong.
    #[cold]
    #[inline(never)]
    fn further(&self, hash: u64, request: &impl Fields, wanted: Access, admit: &impl Fn(Shape) -> bool) -> Access {
        let mut granted = Access::empty();
        for step in 1..self.table.len() {
            let (more, goes_on) = self.entry(step, hash, request, admit);
            granted |= more;
            if !goes_on || granted.contains(wanted) {
                break;
            }
        }
        granted
    }

    /// The same by one entry of the table, so many steps from where the hash belongs; and whether to go on.
    #[inline]
    fn entry(&self, step: usize, hash: u64, request: &impl Fields, admit: &impl Fn(Shape) -> bool) -> (Access, bool) {
        let len = self.table.len();
        let Some(entry) = self.table.get(place_in(hash, step, len)) else { return (Access::empty(), false) };
        let grant = entry.place(hash, len).and_then(|place| self.list.get(place));
        let granted = match grant {
            Some(grant) if admit(grant.shape) && grant.matches(request) => grant.access,
            _ => Access::empty(),
        };
        (granted, entry.goes_on())
    }

    /// The shapes that occur.
    pub(super) fn shapes(&self) -> Shapes {
        Shapes::of(self.list.iter().map(|grant| grant.shape))
    }
}

/// A pattern and what may be done to it, in one cache line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) key: Key,
    pub(super) shape: Shape,
    pub(super) access: Access,
}

impl Grant {
    /// Design rule 6: every field that is set is equal.
    #[inline]
    fn matches(&self, request: &impl Fields) -> bool {
        (!self.shape.has(Shape::ID) || same(self.key.id, request.id_words()))
            && (!self.shape.has(Shape::ORGANIZATION) || same(self.key.organization, request.organization_words()))
            && (!self.shape.has(Shape::TYPE) || same(self.key.resource_type, request.type_words()))
    }
}

/// Word by word, in registers: arrays compared as a whole would go through memory.
#[inline]
fn same<const N: usize>(ours: [u64; N], theirs: [u64; N]) -> bool {
    ours.into_iter().zip(theirs).fold(0, |all, (ours, theirs)| all | (ours ^ theirs)) == 0
}

/// What a pattern or a request sets, as numbers: zeros where a field is not set, which no id and no name is.
///
/// Read where it is, field by field: a copy would cost as much as the look-up.
pub(crate) trait Fields {
    fn organization_words(&self) -> [u64; 2];
    fn id_words(&self) -> [u64; 2];
    fn type_words(&self) -> [u64; 3];
}

impl Fields for Resource {
    #[inline]
    fn organization_words(&self) -> [u64; 2] {
        OrgId::words(self.organization())
    }

    #[inline]
    fn id_words(&self) -> [u64; 2] {
        ResourceId::words(self.id())
    }

    #[inline]
    fn type_words(&self) -> [u64; 3] {
        self.type_ref().words()
    }
}

impl Fields for Pattern {
    fn organization_words(&self) -> [u64; 2] {
        OrgId::words(self.organization)
    }

    fn id_words(&self) -> [u64; 2] {
        ResourceId::words(self.id)
    }

    fn type_words(&self) -> [u64; 3] {
        self.resource_type.as_ref().map_or([0; 3], ResourceType::words)
    }
}

/// The fields of a grant's pattern.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    organization: [u64; 2],
    id: [u64; 2],
    resource_type: [u64; 3],
}

impl Fields for Key {
    fn organization_words(&self) -> [u64; 2] {
        self.organization
    }

    fn id_words(&self) -> [u64; 2] {
        self.id
    }

    fn type_words(&self) -> [u64; 3] {
        self.resource_type
    }
}

impl Key {
    fn new(pattern: &Pattern) -> Self {
        Self { organization: pattern.organization_words(), id: pattern.id_words(), resource_type: pattern.type_words() }
    }

    pub(super) fn pattern(&self) -> Pattern {
        Pattern {
            organization: OrgId::from_words(self.organization),
            resource_type: ResourceType::from_words(self.resource_type),
            id: ResourceId::from_words(self.id),
        }
    }

    #[inline]
    fn shape(&self) -> Shape {
        Shape(
            u8::from(self.resource_type != [0; 3]) * Shape::TYPE
                + u8::from(self.organization != [0; 2]) * Shape::ORGANIZATION
                + u8::from(self.id != [0; 2]) * Shape::ID,
        )
    }

    /// Only the fields of this shape.
    pub(super) fn only(&self, shape: Shape) -> Self {
        Self {
            organization: self.organization.map(|word| word & shape.mask(Shape::ORGANIZATION)),
            id: self.id.map(|word| word & shape.mask(Shape::ID)),
            resource_type: self.resource_type.map(|word| word & shape.mask(Shape::TYPE)),
        }
    }
}

/// Which fields a pattern sets, as a number below eight.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape(u8);

impl Shape {
    const TYPE: u8 = 1;
    const ORGANIZATION: u8 = 2;
    const ID: u8 = 4;
    const ID_ALONE: Self = Self(Self::ID);
    /// What a table can be keyed by. What comes first takes less to look up, and suffices more often; the last always
    /// does.
    const KEYS: [Self; 7] = [
        Self::ID_ALONE,
        Self(Self::TYPE),
        Self(Self::ORGANIZATION),
        Self(Self::TYPE | Self::ID),
        Self(Self::TYPE | Self::ORGANIZATION),
        Self(Self::ORGANIZATION | Self::ID),
        Self(Self::TYPE | Self::ORGANIZATION | Self::ID),
    ];

    #[inline]
    const fn has(self, field: u8) -> bool {
        self.0 & field != 0
    }

    /// All ones where the field is set, else zero.
    #[inline]
    const fn mask(self, field: u8) -> u64 {
        if self.has(field) { u64::MAX } else { 0 }
    }

    /// The fields that both set.
    #[inline]
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// A set of shapes: bit n for the shape n.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shapes(u8);

impl Shapes {
    #[inline]
    const fn one(shape: Shape) -> Self {
        Self(1 << shape.0)
    }

    fn of(shapes: impl Iterator<Item = Shape>) -> Self {
        Self(shapes.fold(0, |all, shape| all | Self::one(shape).0))
    }

    /// The most specific first: most permissions name one resource.
    #[inline]
    pub(super) fn iter(mut self) -> impl Iterator<Item = Shape> {
        std::iter::from_fn(move || {
            let [shape, ..] = self.0.checked_ilog2()?.to_le_bytes();
            self.0 ^= Self::one(Shape(shape)).0;
            Some(Shape(shape))
        })
    }
}

/// The hashes of a key's fields, from which follows the hash of what is left of it in any shape.
///
/// Each is made of products in which both factors depend on the seed, so that no field can be chosen to make one zero.
/// None waits for another.
struct Hashes {
    organization: u64,
    id: u64,
    resource_type: u64,
}

impl Hashes {
    /// Zero for the fields that are not among `fields`.
    #[inline]
    fn new(seed: u64, fields: Shape, of: &impl Fields) -> Self {
        let turned = seed.rotate_left(32);
        let mut hashes = Self { organization: 0, id: 0, resource_type: 0 };
        if fields.has(Shape::ORGANIZATION) {
            let [high, low] = of.organization_words();
            hashes.organization = fold(high ^ turned, low ^ seed ^ 0x9e37_79b9_7f4a_7c15);
        }
        if fields.has(Shape::ID) {
            hashes.id = Self::of_id(seed, of);
        }
        if fields.has(Shape::TYPE) {
            let [first, second, third] = of.type_words();
            hashes.resource_type =
                fold(first ^ turned, second ^ seed) ^ fold(third ^ seed, turned ^ 0x8bb8_4b93_962e_acc9);
        }
        hashes
    }

    #[inline]
    fn of_id(seed: u64, of: &impl Fields) -> u64 {
        let [high, low] = of.id_words();
        fold(high ^ seed.rotate_left(32), low ^ seed)
    }

    #[inline]
    const fn of(&self, shape: Shape) -> u64 {
        (self.organization & shape.mask(Shape::ORGANIZATION))
            ^ (self.id & shape.mask(Shape::ID))
            ^ (self.resource_type & shape.mask(Shape::TYPE))
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

/// An entry of the table, which is open-addressed: a grant's place in the low bits, as many as the table's length
/// needs; then bits of its hash, which spare most look-ups in vain; then whether a grant that belongs here is further
/// on.
///
/// A free entry is zeros, which cannot mislead: what is found is compared. So a look-up need not ask whether an entry
/// is free, which no processor can predict, but only whether to go on, and few go on.
#[derive(Clone, Copy, Default)]
struct Entry(u32);

impl Entry {
    const GO_ON: u32 = 1 << 31;

    #[inline]
    const fn new(place: u32, hash: u64, len: usize) -> Self {
        Self(Self::tag(hash, len) | place)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // Of the hash, the low bits choose the entry; no table is that long.
    const fn tag(hash: u64, len: usize) -> u32 {
        (hash >> 32) as u32 & !Self::GO_ON & !(len as u32 - 1)
    }

    /// The grant's place, if its hash may be this one.
    #[inline]
    const fn place(self, hash: u64, len: usize) -> Option<usize> {
        let place = (self.0 & !Self::GO_ON) ^ Self::tag(hash, len);
        if (place as usize) < len { Some(place as usize) } else { None }
    }

    #[inline]
    const fn goes_on(self) -> bool {
        self.0 & Self::GO_ON != 0
    }
}

/// Where in a table of that length something is, so many steps from where its hash belongs.
#[inline]
const fn place_in(hash: u64, step: usize, len: usize) -> usize {
    #[allow(clippy::cast_possible_truncation)] // The low bits choose the place.
    let start = hash as usize;
    start.wrapping_add(step) & len.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_keyed_by_the_fewest_fields_that_tell_all_grants_apart() {
        let org = |n: u64| OrgId::try_from(n).unwrap();
        let id = |n: u64| ResourceId::try_from(n).unwrap();
        let named = |n: usize| ResourceType::INFLUXDB[n];
        let whole = |organizations: u64, types: usize| {
            let each = (1..=organizations).flat_map(move |o| (0..types).map(move |n| (org(o), named(n))));
            each.map(|(org, named)| Pattern::from(Resource::within(org, named))).collect::<Vec<_>>()
        };
        let single = |organizations, types, ids: u64| {
            let each = whole(organizations, types).into_iter();
            each.flat_map(|pattern| (1..=ids).map(move |n| Pattern { id: Some(id(n)), ..pattern })).collect::<Vec<_>>()
        };
        let more = |one: Vec<Pattern>, other: Vec<Pattern>| [one, other].concat();
        let [types, organizations, ids] = [Shape::TYPE, Shape::ORGANIZATION, Shape::ID];
        for (patterns, keyed, probes) in [
            (single(1, 1, 9), ids, 1),
            (more(single(1, 1, 9), whole(1, 2)[1..].to_vec()), ids, 2),
            (whole(1, 9), types, 1),
            (whole(9, 1), organizations, 1),
            (single(1, 2, 2), types | ids, 1),
            (more(single(1, 2, 4)[..4].to_vec(), whole(1, 4)[1..].to_vec()), types | ids, 2),
            (whole(2, 2), types | organizations, 1),
            (single(2, 1, 2), organizations | ids, 1),
            (single(2, 2, 2), types | organizations | ids, 1),
        ] {
            let grants = Grants::new(patterns.iter().map(|pattern| (*pattern, Access::READ)));
            assert_eq!((grants.keyed.0, grants.probes.iter().count()), (keyed, probes), "{patterns:?}");
            assert!(patterns.iter().all(|pattern| grants.granted(pattern) == Access::READ));
            let other = |pattern: &Pattern| Pattern { resource_type: Some(ResourceType::INSTANCE), ..*pattern };
            assert!(patterns.iter().all(|pattern| grants.granted(&other(pattern)).is_empty()), "{patterns:?}");
        }
    }

    #[test]
    fn an_action_that_two_grants_give_is_given() {
        let (org, id) = (OrgId::try_from(1).unwrap(), |n: u64| ResourceId::try_from(n).unwrap());
        let one = |n| (Pattern { id: Some(id(n)), ..Pattern::ANY }, Access::READ);
        let of_type = |named: ResourceType| (Pattern::from(named), Access::READ);
        let whole = (Pattern::all_of(org), Access::READ_WRITE);
        let request = Resource::bucket(org, id(1));
        // Two probes, and several.
        for more in [vec![one(2)], vec![of_type(ResourceType::BUCKETS), of_type(ResourceType::TASKS)]] {
            let grants = Grants::new([whole, one(1)].into_iter().chain(more));
            assert_eq!(grants.granted(&request), Access::READ_WRITE);
        }
    }
}
