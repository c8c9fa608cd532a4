//! How a record becomes bytes: its format, a checksum, and the fields in order.

use crate::store::record::{Body, Record};

/// Why stored bytes are not a record. The bytes are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Too short to be a record at all.
    #[error("a stored record is cut off")]
    Truncated,
    /// Written by a later version of this library.
    #[error(
        "a stored record has format {found}, this version reads up to {newest}; use the version that wrote it",
        newest = Record::NEWEST_FORMAT
    )]
    NewerFormat {
        /// The record's format.
        found: u8,
    },
    /// The checksum does not fit: the bytes were damaged.
    #[error("a stored record is damaged: its checksum does not fit")]
    Checksum,
    /// The bytes are whole but make no record: an unknown kind, an unknown field, or a value that cannot be.
    #[error("a stored record is not understood: {0}")]
    Content(#[source] postcard::Error),
    /// There is more than the record.
    #[error("a stored record is followed by {0} unknown bytes")]
    Trailing(usize),
}

impl Record {
    /// The newest format that this version reads, and the one that it writes to new stores.
    pub const NEWEST_FORMAT: u8 = 1;

    /// The record as bytes: the format, a CRC-32 of the rest, and the fields.
    ///
    /// The bytes hold digests of secrets: they are not for logs.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Only a value without a fixed length or a failing writer could fail, and a record has neither.
        let fields = postcard::to_allocvec(&self.0).unwrap_or_default();
        let mut bytes = Vec::with_capacity(5 + fields.len());
        bytes.push(Self::NEWEST_FORMAT);
        bytes.extend(crc32fast::hash(&fields).to_le_bytes());
        bytes.extend(fields);
        bytes
    }

    /// The record that these bytes are.
    ///
    /// # Errors
    /// They are damaged, of a newer format, or have unknown content: nothing is guessed.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (&format, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        if format == 0 || format > Self::NEWEST_FORMAT {
            return Err(DecodeError::NewerFormat { found: format });
        }
        let (checksum, fields) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        if crc32fast::hash(fields) != u32::from_le_bytes(*checksum) {
            return Err(DecodeError::Checksum);
        }
        let (body, trailing) = postcard::take_from_bytes::<Body>(fields).map_err(DecodeError::Content)?;
        match trailing.len() {
            0 => Ok(Self(body)),
            more => Err(DecodeError::Trailing(more)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::model::action::Action;
    use crate::model::id::{OrgId, ResourceId, TokenId, UserId};
    use crate::model::kind::TokenKind;
    use crate::model::pattern::Pattern;
    use crate::model::permission::Permission;
    use crate::model::resource_type::ResourceType;
    use crate::model::time::Timestamp;
    use crate::model::token::{Creator, Standing, Status};
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
        let permission = (prop::option::of(resource_type()), prop::option::of(resource_id()), action());
        (prop::option::of(org_id()), vec(permission, 1..8)).prop_filter_map("makes no token", |(organization, all)| {
            let permissions = all.into_iter().map(|(named, id, action)| {
                let pattern = Pattern::new(organization, named, id).ok()?;
                Some(Permission::new(action.grants().next()?, pattern))
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
                expires_at,
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
        let end = "a stored record is not understood: Hit the end of buffer, expected more data";
        assert_eq!(refused(&sealed(&fields[..2])), end);
        let unknown = "a stored record is not understood: Serde Deserialization Error";
        let one = [1; 16];
        // A record, a mark and a standing that do not exist, and an id that cannot be.
        for fields in
            [&[9][..], &[4, 9, 5], &[&[2][..], &one, &[9, 0]].concat(), &[&[3][..], &[0; 16], &[0, 0]].concat()]
        {
            assert_eq!(refused(&sealed(fields)), unknown);
        }
        assert!(Record::decode(&sealed(&[&[2][..], &one, &[2, 0]].concat())).is_ok());
    }

    /// Stored records are read for good: a change of these bytes needs a new format.
    #[test]
    fn the_first_format_stays_as_it_is() {
        let hex = |record: Body| {
            let bytes = Record(record).encode();
            bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
        };
        let stand = Stand { standing: Standing::Suspended, since: Timestamp::from_micros(300) };
        let token = TokenRecord {
            id: TokenId::from_u128(1).unwrap(),
            kind: TokenKind::read_write(
                OrgId::try_from(2).unwrap(),
                [(ResourceId::from_u128(3).unwrap(), Action::READ_WRITE)],
            )
            .unwrap(),
            owner: UserId::try_from(4).unwrap(),
            description: Arc::from("a"),
            status: Status::Inactive,
            creator: Creator::Token(Arc::from([TokenId::from_u128(5).unwrap()])),
            created_at: Timestamp::from_micros(1),
            updated_at: Timestamp::from_micros(2),
            expires_at: Some(Timestamp::from_micros(3)),
            credential: Credential { key: b'0', digest: Digest::from_bytes([6; 32]) },
            overlap: None,
            former: Vec::new(),
        };
        let tombstone = Tombstone {
            id: TokenId::from_u128(1).unwrap(),
            deleted_at: Timestamp::from_micros(1),
            digests: vec![Digest::from_bytes([2; 32])],
        };
        assert_eq!(
            hex(Body::Token(Box::new(token))),
            "01c39faa3200000000000000000000000000000000010200000000000000000000000000000002010000000000000000\
             000000000000000303000000000000000000000000000000040161010101000000000000000000000000000000050102\
             01033006060606060606060606060606060606060606060606060606060606060606060000"
        );
        assert_eq!(
            hex(Body::Tombstone(tombstone)),
            "01cee4b5c901000000000000000000000000000000010101020202020202020202020202020202020202020202020202\
             0202020202020202"
        );
        assert_eq!(
            hex(Body::Owner(UserId::try_from(1).unwrap(), stand)),
            "019a72d990020000000000000000000000000000000101ac02"
        );
        assert_eq!(
            hex(Body::Organization(OrgId::try_from(1).unwrap(), stand)),
            "01dc49bef5030000000000000000000000000000000101ac02"
        );
        assert_eq!(hex(Body::Mark(Mark::SetUp(Timestamp::from_micros(300)))), "0182da9a420400ac02");
        assert_eq!(hex(Body::Mark(Mark::Horizon(300))), "01b5b058430401ac02");
        assert_eq!(hex(Body::Mark(Mark::Format(1))), "01da2379bd040201");
    }
}
