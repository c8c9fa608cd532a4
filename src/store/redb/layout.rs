//! The tables of a store's file, and how the file is told from others.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, TableHandle, WriteTransaction};

use crate::store::{CommitId, Position};

/// The layout below. A later one gets a higher number.
pub(super) const LAYOUT: u64 = 1;

/// Where a record stands: the revision that wrote it, and its place in that commit.
pub(super) type Place = (u64, u32);

/// The layout, which marks the file as ours, and the horizon of forgetting.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("portcullis");
/// The current records in the order in which they were written, so that opening is one scan.
pub(super) const RECORDS: TableDefinition<Place, &[u8]> = TableDefinition::new("records");
/// Where the record with a key is.
pub(super) const PLACES: TableDefinition<[u8; 17], Place> = TableDefinition::new("places");
/// Where the tombstones are, and their keys, so that forgetting reads nothing else.
pub(super) const TOMBSTONES: TableDefinition<Place, [u8; 17]> = TableDefinition::new("tombstones");
/// When the token at a place was last used. By place, so that a scan reads it along with the records.
pub(super) const USED: TableDefinition<Place, u64> = TableDefinition::new("used");
/// The commit id of each revision.
pub(super) const HISTORY: TableDefinition<u64, [u8; 16]> = TableDefinition::new("history");

/// What a database is.
pub(super) enum Layout {
    /// A store.
    Known,
    /// A store of a later version, with this layout.
    Newer(u64),
    /// A database without tables: the store was never made, and nothing is lost by making it.
    Empty,
    /// Something else.
    Foreign,
}

pub(super) fn of(database: &Database) -> Result<Layout, redb::Error> {
    let read = database.begin_read()?;
    if !read.list_tables()?.any(|table| table.name() == META.name()) {
        let empty = read.list_tables()?.next().is_none() && read.list_multimap_tables()?.next().is_none();
        return Ok(if empty { Layout::Empty } else { Layout::Foreign });
    }
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(Layout::Foreign),
    };
    Ok(match meta.get("layout")?.map(|layout| layout.value()) {
        Some(LAYOUT) => Layout::Known,
        Some(found) if found > LAYOUT => Layout::Newer(found),
        _ => Layout::Foreign,
    })
}

pub(super) fn create(database: &Database) -> Result<(), redb::Error> {
    let write = begin_write(database)?;
    write.open_table(META)?.insert("layout", LAYOUT)?;
    write.open_table(RECORDS)?;
    write.open_table(PLACES)?;
    write.open_table(TOMBSTONES)?;
    write.open_table(USED)?;
    write.open_table(HISTORY)?;
    write.commit()?;
    Ok(())
}

/// In two phases: redb then never takes damage to the last commit for a crash, and never undoes what was acknowledged.
pub(super) fn begin_write(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut write = database.begin_write()?;
    write.set_two_phase_commit(true);
    Ok(write)
}

/// The last position in that history.
pub(super) fn head(history: &impl ReadableTable<u64, [u8; 16]>) -> Result<Position, redb::Error> {
    Ok(history.last()?.map_or(Position::ORIGIN, |(revision, commit)| Position {
        revision: revision.value(),
        commit: CommitId::from_bytes(commit.value()),
    }))
}

/// Whether the history has that commit.
pub(super) fn has(history: &impl ReadableTable<u64, [u8; 16]>, position: Position) -> Result<bool, redb::Error> {
    let commit = history.get(position.revision)?;
    Ok(commit.is_some_and(|commit| commit.value() == position.commit.to_bytes()))
}

/// Where the store is, and whether its history has that position.
pub(super) fn position(database: &Database, last: Option<Position>) -> Result<(Position, bool), redb::Error> {
    let history = database.begin_read()?.open_table(HISTORY)?;
    let has_last = match last {
        None | Some(Position::ORIGIN) => true,
        Some(last) => has(&history, last)?,
    };
    Ok((head(&history)?, has_last))
}
