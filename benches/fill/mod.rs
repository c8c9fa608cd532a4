//! Authorities full of tokens.
#![allow(dead_code, unreachable_pub, clippy::indexing_slicing)] // Each bench uses its part.

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::{
    Actor, Authority, Issued, NewReadWrite, NewToken, OrgId, Pending, ResourceId, Timestamp, TokenId, TokenStore,
    UserId,
};
use uuid::Uuid;

/// A store that keeps nothing, so that what is measured is the authority.
pub struct Nowhere;

impl TokenStore for Nowhere {
    fn commit(&mut self, expected: Position, commit: CommitId, _: &[Record]) -> Result<Position, CommitError> {
        Ok(Position { revision: expected.revision + 1, commit })
    }

    fn changes(&mut self, since: Position, _: usize) -> Result<Changes, ChangesError> {
        Ok(Changes::new(since))
    }

    fn touch(&mut self, _: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        Ok(())
    }

    fn is_shared(&self) -> bool {
        false
    }
}

/// Organizations to spread tokens over.
pub const ORGANIZATIONS: usize = 1_000;

pub fn org(n: usize) -> OrgId {
    Uuid::from_u128(0x5eed_0001 << 64 | (n % ORGANIZATIONS + 1) as u128).try_into().unwrap()
}

pub fn owner(n: usize) -> UserId {
    Uuid::from_u128(0x5eed_0002 << 64 | (n % ORGANIZATIONS + 1) as u128).try_into().unwrap()
}

pub fn bucket(n: usize) -> ResourceId {
    Uuid::from_u128(0x5eed_0003 << 64 | (n + 1) as u128).try_into().unwrap()
}

/// A token that may write `buckets` buckets, from its own on.
pub fn sensor(n: usize, buckets: usize) -> NewToken {
    let buckets = (n..n + buckets).map(bucket);
    buckets
        .fold(NewToken::read_write(org(n)).owner(owner(n)), NewToken::<NewReadWrite>::write)
        .checked()
        .expect("a kind")
}

/// Creates `count` tokens, many at a time, and returns what `keep` makes of each.
pub fn create<T>(
    authority: &Authority,
    count: usize,
    new: impl Fn(usize) -> NewToken,
    mut keep: impl FnMut(Issued) -> T,
) -> Vec<T> {
    let host = Actor::host("bench");
    let mut kept = Vec::with_capacity(count);
    let mut at = 0;
    while at < count {
        let next = count.min(at + 10_000);
        let pending: Vec<Pending<Issued>> = (at..next).map(|n| authority.create(&host, new(n))).collect();
        kept.extend(pending.into_iter().map(|issued| keep(issued.wait().unwrap())));
        at = next;
    }
    kept
}

pub fn secret(issued: Issued) -> String {
    issued.secret.expose().to_owned()
}

/// A secret as a request's buffer has it: in a line of memory of its own, which nothing else must be read to find.
#[repr(align(64))]
pub struct Presented {
    bytes: [u8; 63],
    len: u8,
}

impl AsRef<[u8]> for Presented {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

pub fn presented(issued: Issued) -> Presented {
    let secret = issued.secret.expose().as_bytes();
    let mut bytes = [0; 63];
    bytes[..secret.len()].copy_from_slice(secret);
    Presented { bytes, len: u8::try_from(secret.len()).unwrap() }
}
