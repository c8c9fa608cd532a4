//! What a token takes in memory: `cargo bench --bench memory`.
//!
//! Live bytes, counted by the allocator, with a store that keeps nothing. `SIZES=1000000` says how many tokens.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod fill;
mod measure;
mod straightforward;

use std::alloc::System;

use cap::Cap;
use fill::{Nowhere, bucket, org, sensor};
use measure::Table;
use portcullis::Authority;
use straightforward::{Plain, Straightforward, TwoMaps};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Live bytes a token that are left when `make` has made that many.
fn bytes_each<T>(count: usize, make: impl FnOnce() -> T) -> f64 {
    let before = ALLOCATOR.allocated();
    let kept = make();
    let after = ALLOCATOR.allocated();
    drop(kept);
    (after as f64 - before as f64) / count as f64
}

fn plain(n: usize) -> Plain {
    Plain {
        active: true,
        expires_at: None,
        org: org(n).as_uuid().as_u128(),
        grants: vec![(bucket(n).as_uuid().as_u128(), 2)],
    }
}

fn main() {
    let sizes = std::env::var("SIZES").unwrap_or_else(|_| "100000,1000000".into());
    let mut table = Table::new(["tokens", "everything", "straightforward", "two maps and SHA-512"]);
    for size in sizes.split(',').map(|size| size.parse::<usize>().unwrap()) {
        let ours = bytes_each(size, || {
            let authority = Authority::open(Nowhere).wait().unwrap();
            fill::create(&authority, size, |n| sensor(n, 1), drop);
            authority
        });
        let secret = |n: usize| format!("pcs_0{n:048}");
        let straightforward = bytes_each(size, || {
            let map = Straightforward::default();
            (0..size).for_each(|n| map.insert(secret(n), plain(n)));
            map
        });
        let two_maps = bytes_each(size, || {
            let map = TwoMaps::default();
            (0..size).for_each(|n| map.insert(secret(n), plain(n)));
            map
        });
        let cells = [ours, straightforward, two_maps].map(|bytes| format!("{bytes:.1}"));
        table.row(std::iter::once(size.to_string()).chain(cells));
    }
    table.print("Live bytes a token, Read/Write on one bucket, without a description");
    println!(
        "\nThe other designs hold what the check needs and nothing else: no ids, no times, no list. Of ours, the check\n\
         reads 80 of a slot's 128 bytes, and the table that leads to it."
    );
}
