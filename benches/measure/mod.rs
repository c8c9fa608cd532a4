//! Measuring: contenders take turns in one process, and the table shows medians and ratios.
//!
//! Times on a shared machine come and go together, so what counts is the ratio of contenders that took turns. What is
//! counted is the thread's own time on the processor: turns that others interrupt count no more for that.
// Each bench uses its part, and prints.
#![allow(dead_code, unreachable_pub, clippy::print_stdout, clippy::indexing_slicing, clippy::expect_used)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // Rounded for people, or cut on purpose.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

/// How many different requests a contender is asked in turn: enough that none is predicted by itself, few enough that
/// they stay in the caches.
pub const RING: usize = 1_024;

/// Something to measure: runs that many operations.
pub struct Contender<'a> {
    name: String,
    run: Box<dyn FnMut(usize) + 'a>,
    /// Operations in a turn; found at the first.
    turn: usize,
    /// Nanoseconds an operation, one for each turn.
    samples: Vec<f64>,
    /// Whether the time that drawing takes is part of the samples.
    drawn: bool,
}

impl<'a> Contender<'a> {
    pub fn new(name: impl Into<String>, run: impl FnMut(usize) + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run), turn: 0, samples: Vec::new(), drawn: false }
    }

    /// A decision, asked of one request of a ring after the other. The answer is acted upon, as callers do: the code
    /// branches on it, and which request is next depends on it. So a ring of hits only, or of misses only, measures
    /// decisions whose outcome the processor predicts, and a mixed one those that it does not.
    pub fn decision<R>(name: impl Into<String>, ring: &'a [R], decide: impl Fn(&R) -> bool + 'a) -> Self {
        assert_eq!(ring.len(), RING);
        let mut at = 0;
        Self::new(name, move |times| {
            for _ in 0..times {
                at = if decide(black_box(&ring[at])) { after_allow(at) } else { after_deny(at) };
            }
        })
    }

    /// An operation on one of `len` things at a time, each drawn from the clock. Processors read their clock when all
    /// before is done, and no operation can begin before it is known on what: so none begins while the one before still
    /// waits for memory, however its code predicts the answer. What drawing takes is subtracted by [`medians`].
    pub fn drawn(name: impl Into<String>, len: usize, mut operation: impl FnMut(usize) -> bool + 'a) -> Self {
        let begun = Instant::now();
        let mut state = 1_u64;
        let run = move |times| {
            for _ in 0..times {
                state = (state ^ u64::from(begun.elapsed().subsec_nanos())).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                state ^= state >> 29;
                black_box(operation(((u128::from(state) * len as u128) >> 64) as usize));
            }
        };
        Self { drawn: true, ..Self::new(name, run) }
    }

    fn time(&mut self, times: usize) -> Duration {
        let start = ThreadTime::now();
        (self.run)(times);
        start.elapsed()
    }

    /// Finds how many operations take about as long as a turn should.
    fn calibrate(&mut self, turn: Duration) {
        let mut times = 1;
        loop {
            // The shortest of three: one that was disturbed would make all turns too short.
            let took = [(); 3].map(|()| self.time(times)).into_iter().min().unwrap_or_default();
            if took >= turn {
                break;
            }
            times *= 2;
        }
        self.turn = times;
    }

    fn median(&mut self) -> f64 {
        self.samples.sort_by(f64::total_cmp);
        self.samples[self.samples.len() / 2]
    }
}

// Not inlined, so that the two do not become one computation without a branch.
#[inline(never)]
fn after_allow(at: usize) -> usize {
    (at + 3) % RING
}

#[inline(never)]
fn after_deny(at: usize) -> usize {
    (at + 1) % RING
}

/// Lets the contenders take turns, each turn about this long, and gives each one's median in nanoseconds an operation.
pub fn medians(mut contenders: Vec<Contender<'_>>, rounds: usize, turn: Duration) -> Vec<(String, f64)> {
    contenders.push(Contender::drawn("drawing", RING, |_| true));
    for contender in &mut contenders {
        contender.calibrate(turn);
    }
    for round in 0..rounds {
        // Not always in the same order, so that nobody always follows the one that empties the cache.
        let len = contenders.len();
        for place in 0..len {
            let contender = &mut contenders[(place + round) % len];
            let took = contender.time(contender.turn);
            contender.samples.push(took.as_secs_f64() * 1e9 / contender.turn as f64);
        }
    }
    let drawing = contenders.pop().map_or(0.0, |mut drawing| drawing.median());
    let time = |contender: &mut Contender<'_>| contender.median() - if contender.drawn { drawing } else { 0.0 };
    contenders.into_iter().map(|mut contender| (contender.name.clone(), time(&mut contender))).collect()
}

/// A table for people: a name, then columns.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: vec![header.into_iter().map(Into::into).collect()] }
    }

    pub fn row(&mut self, row: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    pub fn print(&self, title: &str) {
        println!("\n{title}\n");
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let written =
                    if column == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
                written.expect("a string takes everything");
            }
            println!("{}", line.trim_end());
        }
    }
}

/// Nanoseconds as people read them: two digits that count.
pub fn nanos(nanos: f64) -> String {
    if nanos < 100.0 { format!("{nanos:.1}") } else { format!("{nanos:.0}") }
}

/// A small generator of pseudo-random numbers (`SplitMix64`), the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn next_u128(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
