//! Stored records: bytes decode to what encodes to the same again; what is damaged is noticed; and whatever a store
//! says in well-formed records, an authority on it does not panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::store::{CommitId, Position, Record, RecordKind};
use portcullis::{Actor, Authority, Filter, MemoryStore, TokenStore};

/// Damage within 32 bits: all of which CRC-32 finds.
#[derive(Debug, Clone, Copy)]
struct Damage {
    at: u16,
    change: [u8; 4],
}

/// The format, the checksum, the fields.
fn sealed(fields: &[u8]) -> Vec<u8> {
    [&[Record::NEWEST_FORMAT], &crc32fast::hash(fields).to_le_bytes()[..], fields].concat()
}

fn read(bytes: &[u8]) -> Option<Record> {
    let record = Record::decode(bytes).ok()?;
    let again = record.encode();
    assert_eq!(Record::decode(&again).as_ref(), Ok(&record));
    assert_eq!(Record::decode(&again).unwrap().encode(), again);
    assert_eq!(record.token().is_some(), matches!(record.kind(), RecordKind::Token | RecordKind::Tombstone));
    // Nothing that prints knows more than it may.
    _ = format!("{record:?}");
    Some(record)
}

fn damage(record: &Record, damage: Damage) {
    let mut bytes = record.encode();
    // The format and the checksum, or the fields: not both.
    let part = if damage.at & 1 == 0 { 0..5 } else { 5..bytes.len() };
    let at = part.start + usize::from(damage.at >> 1) % part.len();
    let mut changed = false;
    for (byte, change) in bytes[at..part.end].iter_mut().zip(damage.change) {
        *byte ^= change;
        changed |= change != 0;
    }
    assert_eq!(Record::decode(&bytes).is_err(), changed, "{record:?} {damage:?}");
}

/// An authority on a store that holds these.
fn open(records: Vec<Record>) {
    let mut store = MemoryStore::new();
    let mut at = Position::ORIGIN;
    for (number, record) in (1..).zip(records) {
        let id = CommitId::from_bytes(u128::to_be_bytes(number));
        at = store.commit(at, id, &[record]).expect("the store is where it was");
    }
    let Ok(authority) = Authority::open(store).wait() else { return };
    let host = Actor::host("fuzz");
    let page = authority.list(&host, &Filter::default(), None, 100).expect("the host may list");
    for token in &page.tokens {
        assert_eq!(authority.get(&host, token.id()).as_ref().expect("it is listed"), token);
        _ = serde_json::to_string(token).expect("a token prints");
    }
    for token in page.tokens {
        _ = authority.revoke_all(&host, token.id()).wait();
        _ = authority.delete(&host, token.id()).wait();
    }
    _ = authority.purge(&host, portcullis::Timestamp::MAX).wait();
    let page = authority.list(&host, &Filter::default(), None, 100).expect("the authority lives");
    assert!(page.tokens.is_empty());
    authority.close().wait().expect("the management thread lives");
}

/// The lists of fields, each after its length.
fn split(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = data.split_first_chunk()?;
        let (fields, rest) = rest.split_at(rest.len().min(u16::from_le_bytes(*len).into()));
        data = rest;
        Some(fields)
    })
}

// Damage, then a whole stored record after a zero, or else the fields of records, which are given format and checksum.
fuzz_target!(|data: &[u8]| {
    let Some((&[low, high, a, b, c, d, form], rest)) = data.split_first_chunk() else { return };
    let damaged = Damage { at: u16::from_le_bytes([low, high]), change: [a, b, c, d] };
    let records: Vec<_> = match form {
        0 => read(rest).into_iter().collect(),
        _ => split(rest).take(20).filter_map(|fields| read(&sealed(fields))).collect(),
    };
    if let Some(record) = records.first() {
        damage(record, damaged);
        open(records);
    }
});
