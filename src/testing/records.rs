//! Records to commit in tests. Their number tells those of one kind apart; the rest is made up.

use std::sync::Arc;

use uuid::{NonNilUuid, Uuid};

use crate::model::action::Action;
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, ResourceId, TokenId, UserId};
use crate::model::kind::TokenKind;
use crate::model::status::{Standing, Status};
use crate::model::time::Timestamp;
use crate::model::token::Creator;
use crate::secret::{Credential, Digest, Keyring};
use crate::store::record::{Body, Mark, Record, Stand, TokenRecord, Tombstone};

/// The most buckets that a token can have permissions on: its record is the largest there is, apart from texts.
const MOST_BUCKETS: u32 = 10_000;

#[expect(clippy::expect_used, reason = "the lowest bit is set")]
fn uuid(number: u32) -> NonNilUuid {
    NonNilUuid::new(Uuid::from_u128(u128::from(number) << 1 | 1)).expect("not nil")
}

/// Returns the made-up id of that number.
#[must_use]
pub fn token_id(number: u32) -> TokenId {
    uuid(number).into()
}

fn organization_id(number: u32) -> OrgId {
    uuid(number).into()
}

fn time(number: u32) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + u64::from(number))
}

fn digest(number: u32) -> Digest {
    let mut bytes = [0x5a; 32];
    let (start, _) = bytes.split_at_mut(4);
    start.copy_from_slice(&number.to_be_bytes());
    Digest::from_bytes(bytes)
}

fn credential(number: u32) -> Credential {
    Credential { key: Keyring::PLAIN, digest: digest(number) }
}

fn with_buckets(number: u32, buckets: u32, description: &str) -> Record {
    let buckets = (0..buckets).map(|bucket| (ResourceId::from(uuid(bucket)), Action::READ));
    Record(Body::Token(Box::new(TokenRecord {
        id: token_id(number),
        // Without a bucket there is no Read/Write token.
        kind: TokenKind::read_write(organization_id(number), buckets).unwrap_or_else(|_| TokenKind::operator()),
        owner: uuid(number).into(),
        description: Arc::from(description),
        status: Status::Active,
        creator: Creator::Token(Arc::from([token_id(0)])),
        created_at: time(number),
        updated_at: time(number),
        expires_at: Expiry::Never,
        credential: credential(number),
        overlap: Some((credential(number), time(number))),
        former: vec![digest(number)],
    })))
}

/// Returns a token.
#[must_use]
pub fn token(number: u32) -> Record {
    with_buckets(number, 1, "")
}

/// Returns the same token with another description.
#[must_use]
pub fn token_described(number: u32, description: &str) -> Record {
    with_buckets(number, 1, description)
}

/// Returns a token with as many permissions as there can be: some 200 kilobytes.
#[must_use]
pub fn large_token(number: u32) -> Record {
    with_buckets(number, MOST_BUCKETS, "")
}

/// Returns the tombstone of the token of that number.
#[must_use]
pub fn tombstone(number: u32) -> Record {
    Record(Body::Tombstone(Tombstone { id: token_id(number), deleted_at: time(number), digests: vec![digest(number)] }))
}

/// Returns the standing of an owner.
#[must_use]
pub fn owner(number: u32) -> Record {
    let stand = Stand { standing: Standing::Suspended, since: time(number) };
    Record(Body::Owner(UserId::from(uuid(number)), stand))
}

/// Returns the standing of an organization.
#[must_use]
pub fn organization(number: u32) -> Record {
    let stand = Stand { standing: Standing::Deleted, since: time(number) };
    Record(Body::Organization(organization_id(number), stand))
}

/// Returns the mark that setup leaves.
#[must_use]
pub fn set_up() -> Record {
    Record(Body::Mark(Mark::SetUp(time(0))))
}

/// Returns the mark that tells the store to forget the tombstones that were written at or below that revision.
#[must_use]
pub fn horizon(revision: u64) -> Record {
    Record(Body::Mark(Mark::Horizon(revision)))
}
