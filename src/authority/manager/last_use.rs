//! Writing when tokens were last used.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::authority::manager::guarded::GuardedStore;
use crate::authority::shared::Shared;

/// About how many times to write at once. Calls wait meanwhile.
const PAGE: usize = 10_000;

/// Writes to the store when tokens were last used, at intervals.
pub(super) struct LastUse {
    shared: Arc<Shared>,
    interval: Duration,
    written: Instant,
    /// Where to go on, if some times are left to write.
    rest: Option<u32>,
}

impl LastUse {
    pub(super) fn new(shared: Arc<Shared>, interval: Duration) -> Self {
        Self { shared, interval, written: Instant::now(), rest: None }
    }

    /// Writes the next page of times, if it is due. Writes all of them when the authority closes.
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
