//! Writing when tokens were last used.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::authority::manager::guarded::GuardedStore;
use crate::authority::shared::Shared;

/// About how many last-used times to write at a time: others wait meanwhile.
const PAGE: usize = 10_000;

/// Writes last-used times to the store, from time to time.
pub(super) struct LastUse {
    shared: Arc<Shared>,
    interval: Duration,
    written: Instant,
    /// Where to go on, if some are left.
    rest: Option<u32>,
}

impl LastUse {
    pub(super) fn new(shared: Arc<Shared>, interval: Duration) -> Self {
        Self { shared, interval, written: Instant::now(), rest: None }
    }

    /// Writes the next of them, if it is time; all of them when the authority closes.
    pub(super) fn write(&mut self, store: &mut GuardedStore, closing: bool) {
        if closing || self.rest.is_some() || self.written.elapsed() >= self.interval {
            self.written = Instant::now();
            self.write_page(store);
            while closing && self.rest.is_some() {
                self.write_page(store);
            }
        }
    }

    fn write_page(&mut self, store: &mut GuardedStore) {
        let (used, next) = self.shared.index.take_used(self.rest.unwrap_or_default(), PAGE);
        self.rest = next;
        if !used.is_empty() && store.touch(&used).is_err() {
            self.shared.index.return_used(&used);
            self.rest = None;
        }
    }
}
