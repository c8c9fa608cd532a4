//! Slots in the order of their tokens' ids.

/// A sorted list of slots in chunks, so that inserting moves little and a full list wastes little.
///
/// It stores only the slots' numbers: four bytes a token. The ids are in the slots, so every call brings `id_of`.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// None of them empty.
    chunks: Vec<Vec<u32>>,
}

const CHUNK: usize = 512;

impl Order {
    /// Returns the chunk that an id is in or would be in, and its position there.
    fn locate(&self, id: u128, id_of: &impl Fn(u32) -> u128) -> (usize, Result<usize, usize>) {
        // New ids mostly come last: then one look is enough, instead of a search through slots that no cache holds.
        if let Some((chunk, slots)) = self.chunks.len().checked_sub(1).zip(self.chunks.last()) {
            if slots.last().is_some_and(|last| id_of(*last) < id) {
                return (chunk, Err(slots.len()));
            }
        }
        let begins_after = |chunk: &Vec<u32>| chunk.first().is_none_or(|first| id_of(*first) <= id);
        let chunk = self.chunks.partition_point(begins_after).saturating_sub(1);
        let within =
            self.chunks.get(chunk).map_or(Err(0), |slots| slots.binary_search_by_key(&id, |slot| id_of(*slot)));
        (chunk, within)
    }

    /// Returns the slot of that id.
    pub(crate) fn find(&self, id: u128, id_of: impl Fn(u32) -> u128) -> Option<u32> {
        let (chunk, within) = self.locate(id, &id_of);
        self.chunks.get(chunk)?.get(within.ok()?).copied()
    }

    /// Adds a slot whose id is not in the list yet.
    pub(crate) fn insert(&mut self, slot: u32, id_of: impl Fn(u32) -> u128) {
        let (chunk, Err(at)) = self.locate(id_of(slot), &id_of) else { return };
        let last = chunk + 1 >= self.chunks.len();
        let Some(slots) = self.chunks.get_mut(chunk) else { return self.chunks.push(vec![slot]) };
        if slots.len() < CHUNK {
            return add(slots, at, slot);
        }
        // Where the new id comes last, the full chunk stays full and a new one begins.
        let mut upper = if last && at == CHUNK { Vec::new() } else { slots.split_off(CHUNK / 2) };
        slots.shrink_to_fit();
        if at > slots.len() || upper.is_empty() {
            add(&mut upper, at - slots.len(), slot);
        } else {
            add(slots, at, slot);
        }
        self.chunks.insert(chunk + 1, upper);
    }

    /// Removes the slot of that id.
    pub(crate) fn remove(&mut self, id: u128, id_of: impl Fn(u32) -> u128) {
        let (chunk, Ok(at)) = self.locate(id, &id_of) else { return };
        if let Some(slots) = self.chunks.get_mut(chunk) {
            slots.remove(at);
            if slots.is_empty() {
                self.chunks.remove(chunk);
            }
        }
    }

    /// Returns the slots in order: all, or those after an id.
    pub(crate) fn after(&self, id: Option<u128>, id_of: impl Fn(u32) -> u128) -> impl Iterator<Item = u32> {
        let (chunk, skip) = match id {
            None => (0, 0),
            Some(id) => {
                let (chunk, within) = self.locate(id, &id_of);
                (chunk, within.map_or_else(|at| at, |at| at + 1))
            }
        };
        self.chunks.iter().skip(chunk).flatten().skip(skip).copied()
    }
}

/// Grows a chunk by an eighth of a full one at most, where a vector by itself would double.
fn add(slots: &mut Vec<u32>, at: usize, slot: u32) {
    if slots.len() == slots.capacity() {
        slots.reserve_exact(slots.len().clamp(4, CHUNK / 8));
    }
    slots.insert(at, slot);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_keeps_the_order_that_a_tree_keeps() {
        let id_of = |slot: u32| u128::from(slot) * 3 + 1;
        let mut order = Order::default();
        let mut model = BTreeSet::new();
        for step in 0..30_000u32 {
            let slot = step.wrapping_mul(2_654_435_761) % 9_000;
            if model.insert(slot) {
                order.insert(slot, id_of);
            } else {
                model.remove(&slot);
                order.remove(id_of(slot), id_of);
            }
        }
        assert!(order.after(None, id_of).eq(model.iter().copied()));
        for slot in 0..9_000 {
            assert_eq!(order.find(id_of(slot), id_of), model.contains(&slot).then_some(slot));
            assert_eq!(order.after(Some(id_of(slot)), id_of).next(), model.range(slot + 1..).next().copied());
            assert_eq!(order.after(Some(id_of(slot) + 1), id_of).next(), model.range(slot + 1..).next().copied());
        }
    }

    #[test]
    fn ids_that_come_in_order_fill_their_chunks() {
        let id_of = |slot: u32| u128::from(slot);
        let mut order = Order::default();
        (0..2_000).for_each(|slot| order.insert(slot, id_of));
        assert_eq!(order.chunks.iter().map(Vec::len).collect::<Vec<_>>(), [512, 512, 512, 464]);
    }
}
