//! Whatever is presented as a secret: only what was issued is accepted, and only while its token is; nothing panics.
//!
//! What is well-formed is decided here a second time, from the documented form.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use portcullis::testing::ManualClock;
use portcullis::{
    Actor, Authority, Issued, MemoryStore, NewToken, OrgId, Pepper, Read, Reason, Resource, Rotation, Secret,
    Timestamp, Update, UserId,
};

#[derive(Debug, Arbitrary)]
enum Presented {
    Bytes(Vec<u8>),
    /// A secret that was issued, altered.
    Altered(u8, Vec<Edit>),
    /// Made up, with the right checksum.
    Checksummed(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
enum Edit {
    Set(u8, u8),
    Flip(u8, u8),
    Insert(u8, u8),
    Remove(u8),
    Swap(u8, u8),
    Cut(u8),
    Append(Vec<u8>),
    /// The checksum is made to fit again.
    Checksum,
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        let place = |at: u8| usize::from(at) % len.max(1);
        match self {
            Self::Append(more) => bytes.extend(more),
            Self::Insert(at, byte) => bytes.insert(place(*at), *byte),
            _ if len == 0 => {}
            Self::Set(at, byte) => bytes[place(*at)] = *byte,
            Self::Flip(at, bit) => bytes[place(*at)] ^= 1 << (bit % 8),
            Self::Remove(at) => _ = bytes.remove(place(*at)),
            Self::Swap(one, other) => bytes.swap(place(*one), place(*other)),
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Checksum => {
                bytes.truncate(len.saturating_sub(5));
                bytes.extend(checksum(bytes));
            }
        }
    }
}

struct World {
    authority: Authority,
    /// Secrets, and whether they are accepted.
    issued: Vec<(String, Result<(), Reason>)>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let store = MemoryStore::new();
    let clock = ManualClock::new(Timestamp::from_micros(1_800_000_000_000_000));
    let builder = || {
        let builder = Authority::builder().clock(clock.clone()).follow(Duration::MAX).write_last_used(Duration::MAX);
        builder.availability_over_revocation().chosen_secret_floor(16)
    };
    let old = || Pepper::new('o', &[1; 32]).unwrap();
    let mut issued = Vec::new();
    let mut note = |made: &Issued, accepted| issued.push((made.secret.expose().to_owned(), accepted));
    let host = || Actor::host("fuzz");
    let (org, user) = (OrgId::try_from(1).unwrap(), UserId::try_from(1).unwrap());
    let new = || NewToken::all_access(org).owner(user);

    // Made without a pepper, with one, and with the one after it.
    for builder in [builder(), builder().pepper(old())] {
        let authority = builder.open(store.clone()).wait().unwrap();
        note(&authority.create(host(), new()).wait().unwrap(), Ok(()));
        authority.close().wait().unwrap();
    }
    let builder = builder().pepper(Pepper::new('n', &[2; 32]).unwrap()).previous_pepper(old());
    let authority = builder.open(store).wait().unwrap();
    let create = |new| authority.create(host(), new).wait().unwrap();
    note(&create(new()), Ok(()));
    for chosen in ["sixteen letters!".replace(' ', "-"), "pcs-0123456789abcdef".to_owned(), "~".repeat(512)] {
        note(&create(new().secret(Secret::new(chosen))), Ok(()));
    }
    let revoked = create(new());
    authority.revoke(host(), revoked.token.id()).wait().unwrap();
    note(&revoked, Err(Reason::Revoked));
    let deleted = create(new());
    authority.delete(host(), deleted.token.id()).wait().unwrap();
    note(&deleted, Err(Reason::Unknown));
    let inactive = create(new());
    authority.update(host(), inactive.token.id(), Update::new().deactivate()).wait().unwrap();
    note(&inactive, Err(Reason::Inactive));
    let expired = create(new().expires_in(Duration::from_secs(1)));
    clock.advance(Duration::from_secs(1));
    note(&expired, Err(Reason::Expired));
    for (overlap, accepted) in [(Duration::ZERO, Err(Reason::Unknown)), (Duration::from_secs(9), Ok(()))] {
        let before = create(new());
        let rotation = Rotation::new().overlap(overlap);
        let after = authority.rotate(host(), before.token.id(), rotation).wait().unwrap();
        note(&before, accepted);
        note(&after, Ok(()));
    }
    World { authority, issued }
});

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Five digits to the base 62, the lowest first.
fn checksum(body: &[u8]) -> [u8; 5] {
    let sum = u64::from(crc32fast::hash(body));
    [0, 1, 2, 3, 4].map(|digit| LETTERS[(sum / 62_u64.pow(digit) % 62) as usize])
}

/// Why no token has this secret.
fn refusal(presented: &[u8]) -> Reason {
    let well_formed = match presented.strip_prefix(b"pcs_") {
        Some(rest) => rest.len() == 1 + 43 + 5 && checksum(&presented[..48]) == presented[48..],
        None => (16..=512).contains(&presented.len()),
    };
    if well_formed { Reason::Unknown } else { Reason::Malformed }
}

fuzz_target!(|presented: Presented| {
    let presented = match presented {
        Presented::Bytes(bytes) => bytes,
        Presented::Altered(which, edits) => {
            let (secret, _) = &WORLD.issued[usize::from(which) % WORLD.issued.len()];
            let mut bytes = secret.clone().into_bytes();
            for edit in &edits {
                edit.apply(&mut bytes);
            }
            bytes
        }
        Presented::Checksummed(bytes) => {
            let mut secret = b"pcs_".to_vec();
            secret.extend(bytes.iter().chain(std::iter::repeat(&b'0')).take(44));
            secret.extend(checksum(&secret));
            secret
        }
    };
    let issued = WORLD.issued.iter().find(|(secret, _)| secret.as_bytes() == presented);
    let expected = issued.map_or_else(|| Err(refusal(&presented)), |(_, accepted)| *accepted);
    let answer = WORLD.authority.authenticate(&presented);
    assert_eq!(answer.map(|_| ()).map_err(|error| error.reason()), expected);
    // In one call, too. None of the tokens may do anything to the instance.
    let denied = WORLD.authority.authorize(&presented, Read, Resource::INSTANCE).unwrap_err();
    assert_eq!(denied.reason(), expected.err().unwrap_or(Reason::NotPermitted));
});
