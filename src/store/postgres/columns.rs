//! Records as columns: the bytes that count, and what people can read.

use crate::model::time::Timestamp;
use crate::store::record::{Body, Mark, Record};

/// The columns of many records, in the order of the statement's parameters.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) key: Vec<Vec<u8>>,
    pub(super) record: Vec<Vec<u8>>,
    pub(super) what: Vec<&'static str>,
    pub(super) id: Vec<Option<String>>,
    pub(super) kind: Vec<Option<&'static str>>,
    pub(super) organization: Vec<Option<String>>,
    pub(super) owner: Vec<Option<String>>,
    pub(super) status: Vec<Option<String>>,
    pub(super) description: Vec<Option<String>>,
    pub(super) created_by: Vec<Option<String>>,
    pub(super) created_at: Vec<Option<i64>>,
    pub(super) changed_at: Vec<Option<i64>>,
    pub(super) expires_at: Vec<Option<i64>>,
}

/// What people can read of one record.
#[derive(Default)]
struct Readable {
    what: &'static str,
    id: Option<String>,
    kind: Option<&'static str>,
    organization: Option<String>,
    owner: Option<String>,
    status: Option<String>,
    description: Option<String>,
    created_by: Option<String>,
    created_at: Option<Timestamp>,
    changed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl Columns {
    pub(super) fn of(records: &[Record]) -> Self {
        let mut columns = Self::default();
        for record in records {
            let readable = readable(record);
            columns.key.push(record.key().to_bytes().to_vec());
            columns.record.push(record.encode());
            columns.what.push(readable.what);
            columns.id.push(readable.id);
            columns.kind.push(readable.kind);
            columns.organization.push(readable.organization);
            columns.owner.push(readable.owner);
            columns.status.push(readable.status);
            columns.description.push(readable.description.map(without_nul));
            columns.created_by.push(readable.created_by.map(without_nul));
            columns.created_at.push(readable.created_at.map(micros));
            columns.changed_at.push(readable.changed_at.map(micros));
            columns.expires_at.push(readable.expires_at.map(micros));
        }
        columns
    }
}

fn readable(record: &Record) -> Readable {
    match &record.0 {
        Body::Token(token) => Readable {
            what: "token",
            id: Some(token.id.to_string()),
            kind: Some(token.kind.name().as_str()),
            organization: token.kind.organization().map(|id| id.to_string()),
            owner: Some(token.owner.to_string()),
            status: Some(token.status.to_string()),
            description: Some(token.description.to_string()),
            created_by: Some(token.creator.to_string()),
            created_at: Some(token.created_at),
            changed_at: Some(token.updated_at),
            expires_at: token.expires_at.time(),
        },
        Body::Tombstone(tombstone) => Readable {
            what: "tombstone",
            id: Some(tombstone.id.to_string()),
            changed_at: Some(tombstone.deleted_at),
            ..Readable::default()
        },
        Body::Owner(owner, stand) => Readable {
            what: "owner",
            id: Some(owner.to_string()),
            status: Some(stand.standing.to_string()),
            changed_at: Some(stand.since),
            ..Readable::default()
        },
        Body::Organization(organization, stand) => Readable {
            what: "organization",
            id: Some(organization.to_string()),
            status: Some(stand.standing.to_string()),
            changed_at: Some(stand.since),
            ..Readable::default()
        },
        Body::Mark(mark) => {
            let (description, changed_at) = match mark {
                Mark::SetUp(at) => ("set up".to_owned(), Some(*at)),
                Mark::Horizon(revision) => (format!("deletions up to revision {revision} forgotten"), None),
                Mark::Format(format) => (format!("records have format {format}"), None),
            };
            Readable { what: "mark", description: Some(description), changed_at, ..Readable::default() }
        }
    }
}

/// PostgreSQL's texts have no NUL. The record itself keeps it.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn micros(time: Timestamp) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
