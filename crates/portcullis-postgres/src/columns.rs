//! Records as columns: the bytes that count, and what people can read.

use portcullis::store::Record;
use portcullis::{KindName, Timestamp};

/// The columns of many records, in the order of the statement's parameters.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) key: Vec<Vec<u8>>,
    pub(crate) record: Vec<Vec<u8>>,
    pub(crate) what: Vec<&'static str>,
    pub(crate) id: Vec<Option<String>>,
    pub(crate) kind: Vec<Option<&'static str>>,
    pub(crate) organization: Vec<Option<String>>,
    pub(crate) owner: Vec<Option<String>>,
    pub(crate) status: Vec<Option<String>>,
    pub(crate) description: Vec<Option<String>>,
    pub(crate) created_by: Vec<Option<String>>,
    pub(crate) created_at: Vec<Option<i64>>,
    pub(crate) changed_at: Vec<Option<i64>>,
    pub(crate) expires_at: Vec<Option<i64>>,
}

impl Columns {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut columns = Self::default();
        for record in records {
            let summary = record.summary();
            columns.key.push(record.key().to_bytes().to_vec());
            columns.record.push(record.encode());
            columns.what.push(summary.what.as_str());
            columns.id.push(summary.id.map(|id| id.to_string()));
            columns.kind.push(summary.kind.map(KindName::as_str));
            columns.organization.push(summary.organization.map(|id| id.to_string()));
            columns.owner.push(summary.owner.map(|id| id.to_string()));
            columns.status.push(summary.status);
            columns.description.push(summary.description.map(without_nul));
            columns.created_by.push(summary.creator.map(|creator| without_nul(creator.to_string())));
            columns.created_at.push(summary.created_at.map(micros));
            columns.changed_at.push(summary.changed_at.map(micros));
            columns.expires_at.push(summary.expires_at.map(micros));
        }
        columns
    }
}

/// PostgreSQL's texts have no NUL. The record itself keeps it.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn micros(time: Timestamp) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
