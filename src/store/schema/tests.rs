//! Records come back as they were, damage is noticed, and the bytes are these.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::action::{Action, Grant};
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, ResourceId, TokenId, UserId};
use crate::model::kind::TokenKind;
use crate::model::pattern::Pattern;
use crate::model::permission::Permission;
use crate::model::resource_type::ResourceType;
use crate::model::status::{Standing, Status};
use crate::model::time::Timestamp;
use crate::model::token::Creator;
use crate::secret::{Credential, Digest};
use crate::store::record::{Mark, Stand, TokenRecord, Tombstone};

macro_rules! ids {
    ($($function:ident $name:ident),*) => {$(
        fn $function() -> impl Strategy<Value = $name> + Clone {
            (1..=u128::MAX).prop_map(|bits| $name::try_from(uuid::Uuid::from_u128(bits)).unwrap())
        }
    )*};
}
ids!(org_id OrgId, resource_id ResourceId, token_id TokenId, user_id UserId);

fn time() -> impl Strategy<Value = Timestamp> + Clone {
    any::<u64>().prop_map(Timestamp::from_micros)
}

fn digest() -> impl Strategy<Value = Digest> + Clone {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn credential() -> impl Strategy<Value = Credential> + Clone {
    (any::<u8>(), digest()).prop_map(|(key, digest)| Credential { key, digest })
}

fn action() -> impl Strategy<Value = Action> + Clone {
    prop_oneof![Just(Action::READ), Just(Action::WRITE)]
}

fn resource_type() -> impl Strategy<Value = ResourceType> {
    let own = Just("my-type").prop_map(|name| name.parse().unwrap());
    prop_oneof![prop::sample::select(ResourceType::INFLUXDB.to_vec()), own]
}

fn custom() -> impl Strategy<Value = TokenKind> {
    let grant = prop_oneof![
        Just(Grant::Read),
        Just(Grant::Write),
        Just(Grant::Any),
        Just("execute").prop_map(|name| Grant::Verb(name.parse().unwrap())),
    ];
    let permission = (prop::option::of(resource_type()), prop::option::of(resource_id()), grant);
    (prop::option::of(org_id()), vec(permission, 1..8)).prop_filter_map("makes no token", |(organization, all)| {
        let permissions = all.into_iter().map(|(named, id, grant)| {
            let pattern = Pattern::new(organization, named, id).ok()?;
            Some(Permission { pattern, grant })
        });
        TokenKind::custom(organization, permissions.collect::<Option<_>>()?).ok()
    })
}

fn kind() -> impl Strategy<Value = TokenKind> {
    let read_write = (org_id(), vec((resource_id(), action()), 1..8))
        .prop_map(|(organization, buckets)| TokenKind::read_write(organization, buckets).unwrap());
    prop_oneof![Just(TokenKind::operator()), org_id().prop_map(TokenKind::all_access), read_write, custom(),]
}

fn creator() -> impl Strategy<Value = Creator> {
    prop_oneof![
        any::<String>().prop_map(|label| Creator::Host(Arc::from(label))),
        vec(token_id(), 1..5).prop_map(|lineage| Creator::Token(Arc::from(lineage))),
    ]
}

fn token() -> impl Strategy<Value = TokenRecord> {
    let status = prop_oneof![Just(Status::Active), Just(Status::Inactive), Just(Status::Revoked)];
    let times = (time(), time(), prop::option::of(time()));
    let secrets = (credential(), prop::option::of((credential(), time())), vec(digest(), 0..4));
    let rest = (token_id(), kind(), user_id(), any::<String>(), status, creator(), times, secrets);
    rest.prop_map(|(id, kind, owner, description, status, creator, times, secrets)| {
        let (created_at, updated_at, expires_at) = times;
        let (credential, overlap, former) = secrets;
        let description = Arc::from(description);
        TokenRecord {
            id,
            kind,
            owner,
            description,
            status,
            creator,
            created_at,
            updated_at,
            expires_at: expires_at.into(),
            credential,
            overlap,
            former,
        }
    })
}

fn record() -> impl Strategy<Value = Record> {
    let standing = prop_oneof![Just(Standing::Active), Just(Standing::Suspended), Just(Standing::Deleted)];
    let stand = (standing, time()).prop_map(|(standing, since)| Stand { standing, since });
    let tombstone = (token_id(), time(), vec(digest(), 0..4)).prop_map(|(id, deleted_at, digests)| Tombstone {
        id,
        deleted_at,
        digests,
    });
    let mark = prop_oneof![
        time().prop_map(Mark::SetUp),
        any::<u64>().prop_map(Mark::Horizon),
        any::<u8>().prop_map(Mark::Format),
    ];
    prop_oneof![
        8 => token().prop_map(|token| Body::Token(Box::new(token))),
        2 => tombstone.prop_map(Body::Tombstone),
        1 => (user_id(), stand.clone()).prop_map(|(owner, stand)| Body::Owner(owner, stand)),
        1 => (org_id(), stand).prop_map(|(organization, stand)| Body::Organization(organization, stand)),
        1 => mark.prop_map(Body::Mark),
    ]
    .prop_map(Record)
}

proptest! {
    #[test]
    fn a_record_comes_back_as_it_was(record in record()) {
        prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn a_record_that_is_cut_off_is_noticed(record in record(), at in any::<prop::sample::Index>()) {
        let bytes = record.encode();
        let at = at.index(bytes.len());
        let expected = if at < 5 { DecodeError::Truncated } else { DecodeError::Checksum };
        prop_assert_eq!(Record::decode(&bytes[..at]), Err(expected));
    }

    #[test]
    fn a_flipped_bit_is_noticed(record in record(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = record.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let expected = if at == 0 { DecodeError::NewerFormat { found: bytes[0] } } else { DecodeError::Checksum };
        prop_assert_eq!(Record::decode(&bytes), Err(expected));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Record::decode(&bytes);
        let _ = Record::decode(&sealed(&bytes));
    }
}

/// The bytes of a record with these fields and the right checksum.
fn sealed(fields: &[u8]) -> Vec<u8> {
    [&[Record::NEWEST_FORMAT], &crc32fast::hash(fields).to_le_bytes()[..], fields].concat()
}

fn refused(bytes: &[u8]) -> String {
    Record::decode(bytes).unwrap_err().to_string()
}

/// Nothing is cut short, however much there is.
#[test]
fn the_largest_token_comes_back_as_it_was() {
    let id = |number: usize| ResourceId::from_u128(number as u128 + 1).unwrap();
    let organization = OrgId::try_from(2).unwrap();
    let pattern = |number| Pattern::new(Some(organization), Some(ResourceType::TASKS), Some(id(number))).unwrap();
    let largest = |kind| {
        let mut token = token_of(kind);
        token.description = Arc::from("\u{10ffff}".repeat(1 << 20));
        token.creator = Creator::Token((1..10_000).map(|number| TokenId::from_u128(number).unwrap()).collect());
        token.former = vec![Digest::from_bytes([7; 32]); 10_000];
        Record(Body::Token(Box::new(token)))
    };
    let all = 0..TokenKind::MAX_PATTERNS;
    let read_write = TokenKind::read_write(organization, all.clone().map(|number| (id(number), Action::READ)));
    let custom = all.map(|number| Permission::write(pattern(number))).collect();
    for kind in [read_write.unwrap(), TokenKind::custom(Some(organization), custom).unwrap()] {
        let record = largest(kind);
        assert!(Record::decode(&record.encode()) == Ok(record));
    }
}

#[test]
fn what_is_no_record_is_refused_in_words() {
    let whole = Record(Body::Mark(Mark::Horizon(5))).encode();
    let fields = &whole[5..];
    assert_eq!(refused(&[]), "a stored record is cut off");
    assert_eq!(refused(&whole[..4]), "a stored record is cut off");
    for format in [0, 2, 255] {
        let newer = [&[format], &whole[1..]].concat();
        let text = "this version reads up to 1; use the version that wrote it";
        assert_eq!(refused(&newer), format!("a stored record has format {format}, {text}"));
    }
    assert_eq!(refused(&whole[..6]), "a stored record is damaged: its checksum does not fit");
    assert_eq!(refused(&sealed(&[fields, &[0, 0]].concat())), "a stored record is followed by 2 unknown bytes");
    assert!(Record::decode(&sealed(&owner(&[1; 16], 3, &[0]))).is_ok());
    let mut after = Vec::new();
    (Timestamp::MAX.as_micros() + 1).put(&mut after);
    for (fields, what) in [
        (vec![], "it ends too early"),
        (vec![6, 0x85], "it ends too early"),
        (vec![0], "a `Record` has an unknown number"),
        (vec![8], "a `Record` has an unknown number"),
        (owner(&[1; 16], 4, &[0]), "a `Standing` has an unknown number"),
        (owner(&[0; 16], 1, &[0]), "an id is zero"),
        (owner(&[1; 16], 1, &after), "a time is after the year 9999"),
        (vec![6, 0x85, 0], "a number is not in its shortest form"),
        ([&[6][..], &[0xff; 9], &[2]].concat(), "a number is not in its shortest form"),
        (token_from(&[9], 0), "a `Kind` has an unknown number"),
        (token_from(&[&[3][..], &[1; 16], &[0]].concat(), 0), "its permissions are not those of a token"),
        (token_from(&[&[3][..], &[1; 16], &[1], &[2; 16], &[0]].concat(), 0), NO_ACTION),
        (token_from(&[&[3][..], &[1; 16], &[1], &[2; 16], &[4]].concat(), 0), NO_ACTION),
        (token_from(&[4, 0, 1, 4], 0), "a `Actions` has an unknown number"),
        (token_from(&[4, 0, 1, 3, 4, b'r', b'e', b'a', b'd', 0, 0, 0], 0), "a text is not a verb"),
        (token_from(&[4, 0, 1, 1, 1, 2], 0), "an optional part is neither there nor left out"),
        (token_from(&[4, 0, 1, 1, 1, 1, 1, 0xff, 0, 0], 0), "a text is not UTF-8"),
        (token_from(&[4, 0, 1, 1, 1, 1, 1, b' ', 0, 0], 0), "a text is not the name of a resource type"),
        (token_from(INSTANCE_IN_ORGANIZATION, 0), "a permission puts the instance into an organization"),
        (
            token_from(&[&[4, 1][..], &[1; 16], &[1, 1, 1, 0, 1], &[2; 16], &[0]].concat(), 0),
            "its permissions are not those of a token",
        ),
        (token_from(&[1], u8::MAX), "it ends too early"),
    ] {
        assert_eq!(refused(&sealed(&fields)), format!("a stored record is not understood: {what}"), "{fields:02x?}");
    }
    assert!(Record::decode(&sealed(&token_from(&[1], 0))).is_ok());
}

const NO_ACTION: &str = "a permission has no action, or an unknown one";
/// A Custom token's kind.
const INSTANCE_IN_ORGANIZATION: &[u8] = b"\x04\x00\x01\x01\x01\x01\x08instance\x01aaaaaaaaaaaaaaaa\x00";

/// The fields of an owner's standing.
fn owner(id: &[u8; 16], standing: u8, since: &[u8]) -> Vec<u8> {
    [&[3], &id[..], &[standing], since].concat()
}

/// The fields of a token of that kind, with so many former secrets, none of which is there.
fn token_from(kind: &[u8], former: u8) -> Vec<u8> {
    let credential = [b'0'; 33];
    let creator = [1, 0];
    let (owner, description, status, created, updated, expires, overlap) = ([1; 16], [0], [1], [0], [0], [0], [0]);
    let start = [&[1][..], &[1; 16], kind, &owner, &description, &status, &creator].concat();
    [&start[..], &created, &updated, &expires, &credential, &overlap, &[former]].concat()
}

/// A token whose other fields are small.
fn token_of(kind: TokenKind) -> TokenRecord {
    TokenRecord {
        id: TokenId::from_u128(1).unwrap(),
        kind,
        owner: UserId::try_from(4).unwrap(),
        description: Arc::from("a"),
        status: Status::Inactive,
        creator: Creator::Token(Arc::from([TokenId::from_u128(5).unwrap()])),
        created_at: Timestamp::from_micros(1),
        updated_at: Timestamp::from_micros(300),
        expires_at: Timestamp::from_micros(3).into(),
        credential: Credential { key: b'0', digest: Digest::from_bytes([6; 32]) },
        overlap: None,
        former: Vec::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn encoded(body: Body) -> String {
    hex(&Record(body).encode())
}

// The bytes of the first format. They become final with the first release; from then on a change of them needs a new
// format.

#[test]
fn the_bytes_of_a_token_are_these() {
    let (organization, bucket) = (OrgId::try_from(2).unwrap(), ResourceId::from_u128(3).unwrap());
    let kind = TokenKind::read_write(organization, [(bucket, Action::READ_WRITE)]).unwrap();
    let plain = token_of(kind);
    let full = TokenRecord {
        status: Status::Revoked,
        creator: Creator::Host(Arc::from("ab")),
        expires_at: Expiry::Never,
        overlap: Some((Credential { key: b'k', digest: Digest::from_bytes([8; 32]) }, Timestamp::from_micros(4))),
        former: vec![Digest::from_bytes([9; 32])],
        ..token_of(TokenKind::operator())
    };
    assert_eq!(
        encoded(Body::Token(Box::new(plain))),
        "\
        01dc17916d01000000000000000000000000000000010300000000000000000000000000000002010000000000000000\
        0000000000000003030000000000000000000000000000000401610202010000000000000000000000000000000501ac\
        0201033006060606060606060606060606060606060606060606060606060606060606060000"
    );
    assert_eq!(
        encoded(Body::Token(Box::new(full))),
        "\
        012c6ad0d4010000000000000000000000000000000101000000000000000000000000000000040161030102616201ac\
        0200300606060606060606060606060606060606060606060606060606060606060606016b0808080808080808080808\
        080808080808080808080808080808080808080808040109090909090909090909090909090909090909090909090909\
        09090909090909"
    );
}

#[test]
fn the_bytes_of_a_kind_are_these() {
    let id = ResourceId::from_u128(3).unwrap();
    let organization = OrgId::try_from(2).unwrap();
    let read = |organization, named, id| Permission::read(Pattern::new(organization, named, id).unwrap());
    let buckets = [(id, Action::READ), (ResourceId::from_u128(4).unwrap(), Action::WRITE)];
    let everywhere = [read(None, None, Some(id)), read(None, Some(ResourceType::INSTANCE), None)];
    let inside = [
        read(Some(organization), Some(ResourceType::TASKS), Some(id)),
        Permission { grant: Grant::Write, ..read(Some(organization), None, None) },
        Permission { grant: Grant::Any, ..read(Some(organization), Some(ResourceType::LABELS), None) },
        Permission {
            grant: Grant::Verb("run".parse().unwrap()),
            ..read(Some(organization), Some(ResourceType::TASKS), None)
        },
    ];
    for (kind, bytes) in [
        (TokenKind::operator(), "01"),
        (TokenKind::all_access(organization), "0200000000000000000000000000000002"),
        (
            TokenKind::read_write(organization, buckets).unwrap(),
            "\
            030000000000000000000000000000000202000000000000000000000000000000030100000000000000000000000000\
            00000402",
        ),
        (
            TokenKind::custom(None, everywhere.into_iter().collect()).unwrap(),
            "\
            04000201010000010000000000000000000000000000000301010108696e7374616e63650000",
        ),
        (
            TokenKind::custom(Some(organization), inside.into_iter().collect()).unwrap(),
            "\
            040100000000000000000000000000000002040102000100000000000000000000000000000002000201066c6162656c\
            73010000000000000000000000000000000200010101057461736b730100000000000000000000000000000002010000\
            0000000000000000000000000003030372756e01057461736b73010000000000000000000000000000000200",
        ),
    ] {
        let mut found = Vec::new();
        v1::Kind::from(&kind).put(&mut found);
        assert_eq!(hex(&found), bytes, "{kind:?}");
    }
}

#[test]
fn the_bytes_of_every_other_record_are_these() {
    let tombstone = Tombstone {
        id: TokenId::from_u128(1).unwrap(),
        deleted_at: Timestamp::from_micros(1),
        digests: vec![Digest::from_bytes([2; 32])],
    };
    assert_eq!(
        encoded(Body::Tombstone(tombstone)),
        "\
        013af6874c02000000000000000000000000000000010101020202020202020202020202020202020202020202020202\
        0202020202020202"
    );
    let stand = |standing| Stand { standing, since: Timestamp::from_micros(300) };
    let owner = |standing| encoded(Body::Owner(UserId::try_from(1).unwrap(), stand(standing)));
    assert_eq!(owner(Standing::Active), "01dc49bef5030000000000000000000000000000000101ac02");
    assert_eq!(owner(Standing::Suspended), "0185f7f8f7030000000000000000000000000000000102ac02");
    assert_eq!(owner(Standing::Deleted), "01b29d3af6030000000000000000000000000000000103ac02");
    assert_eq!(
        encoded(Body::Organization(OrgId::try_from(1).unwrap(), stand(Standing::Suspended))),
        "011651bc16040000000000000000000000000000000102ac02"
    );
    assert_eq!(encoded(Body::Mark(Mark::SetUp(Timestamp::from_micros(300)))), "013089361505ac02");
    assert_eq!(encoded(Body::Mark(Mark::Horizon(300))), "016937701706ac02");
    assert_eq!(encoded(Body::Mark(Mark::Format(1))), "01aeb49f790701");
}

#[test]
fn the_numbers_of_statuses_are_these() {
    let bytes = |status| {
        let token = TokenRecord { status, ..token_of(TokenKind::operator()) };
        Record(Body::Token(Box::new(token))).encode()[5 + 1 + 16 + 1 + 16 + 2]
    };
    assert_eq!([Status::Active, Status::Inactive, Status::Revoked].map(bytes), [1, 2, 3]);
}
