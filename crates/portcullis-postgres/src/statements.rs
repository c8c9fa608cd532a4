//! The tables and the statements on them.

use std::sync::Arc;

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, RawSql};

/// The tables below. Later ones get a higher number.
pub(crate) const LAYOUT: i32 = 1;

/// So many of the latest commit ids are kept whatever was forgotten, so that a commit in doubt can be settled.
const LATEST_COMMITS: u32 = 1_000;

/// About so many forgotten tombstones go at a time, so that no statement takes long.
pub(crate) const SWEPT: u64 = 2_000;

/// Every statement, for one schema.
#[derive(Debug, Clone)]
pub(crate) struct Statements {
    /// The database's encoding, whether there is the schema, and whether it has the tables.
    pub(crate) found: Arc<str>,
    pub(crate) create_schema: Arc<str>,
    pub(crate) create_tables: Arc<str>,
    /// The layout, the position, the horizon, whether this is a standby, and the commit id at revision `{revision}`.
    head: String,
    /// Waits until no commit is under way.
    pub(crate) lock: Arc<str>,
    /// If the store is at `$1` and `$2`: moves on to `$3` and `$4`, and writes the records.
    pub(crate) commit: Arc<str>,
    /// Makes `$1` the horizon of forgetting.
    pub(crate) set_horizon: Arc<str>,
    /// Drops a number of the tombstones that are forgotten.
    pub(crate) sweep: Arc<str>,
    /// Drops commit ids that nobody needs any more.
    pub(crate) trim: Arc<str>,
    /// About `$2` of the records after revision `$1`, as of horizon `$3`, and about `$4` bytes of them: whole revisions in
    /// their order.
    pub(crate) page: Arc<str>,
    /// The commit id at revision `$1`, and whether there are records after it, as of horizon `$2`.
    pub(crate) rest: Arc<str>,
    /// Remembers when tokens were last used.
    pub(crate) touch: Arc<str>,
}

impl Statements {
    /// The name needs no quotes.
    pub(crate) fn new(schema: &str) -> Self {
        let of = |statement: &str| Arc::from(statement.replace("{s}", schema));
        Self {
            found: of(FOUND),
            create_schema: of("CREATE SCHEMA {s}"),
            create_tables: of(&CREATE_TABLES.replace("{layout}", &LAYOUT.to_string())),
            head: HEAD.replace("{s}", schema),
            lock: of("SELECT revision FROM {s}.store FOR UPDATE"),
            commit: of(COMMIT),
            set_horizon: of(SET_HORIZON),
            sweep: of(&SWEEP.replace("{swept}", &SWEPT.to_string())),
            trim: of(&TRIM.replace("{latest}", &LATEST_COMMITS.to_string())),
            page: of(PAGE),
            rest: of(REST),
            touch: of(TOUCH),
        }
    }

    /// Without parameters, so that it is asked in one message.
    pub(crate) fn head(&self, revision: i64) -> String {
        self.head.replace("{revision}", &revision.to_string())
    }
}

/// Statements with parameters are never given a name on the server: behind a pooler the next transaction may be on another
/// connection, where the name is missing, or is somebody else's. For the same reason they are in transactions: without one,
/// even preparing a statement and executing it may be on two.
pub(crate) fn query(statement: &Arc<str>) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(Arc::clone(statement))).persistent(false)
}

/// One or several statements without parameters, in one message. Outside of a transaction they are one by themselves.
pub(crate) fn raw(statements: impl Into<Arc<str>>) -> RawSql {
    sqlx::raw_sql(AssertSqlSafe(statements.into()))
}

/// To create a schema if there is none needs the right to create one even where there is. So does a table, and the server
/// tells everybody that it was there already.
const FOUND: &str = "
SELECT current_setting('server_encoding') AS encoding,
       EXISTS (SELECT FROM pg_namespace WHERE nspname = '{s}') AS schema,
       to_regclass('{s}.store') IS NOT NULL AS tables";

const CREATE_TABLES: &str = "
CREATE TABLE {s}.store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    layout integer NOT NULL,
    revision bigint NOT NULL,
    commit_id bytea NOT NULL,
    horizon bigint NOT NULL
);
COMMENT ON TABLE {s}.store IS 'Where the store is: one row, which every commit changes.';

CREATE TABLE {s}.commits (
    revision bigint PRIMARY KEY,
    id bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE {s}.commits IS 'The id of every commit, and when it was made by this server''s clock.';

CREATE TABLE {s}.records (
    key bytea PRIMARY KEY,
    revision bigint NOT NULL,
    record bytea NOT NULL,
    what text NOT NULL,
    id text,
    kind text,
    organization text,
    owner text,
    status text,
    description text,
    created_by text,
    created_at timestamptz,
    changed_at timestamptz,
    expires_at timestamptz
);
CREATE INDEX records_revision ON {s}.records (revision);
CREATE INDEX records_tombstones ON {s}.records (revision) WHERE what = 'tombstone';
COMMENT ON TABLE {s}.records IS 'Tokens, and what else the store holds. Only record counts; the columns after it are for people.';

CREATE TABLE {s}.last_used (
    key bytea PRIMARY KEY REFERENCES {s}.records (key) ON DELETE CASCADE,
    at timestamptz NOT NULL
);
COMMENT ON TABLE {s}.last_used IS 'When tokens were last used, to within about a minute.';

CREATE VIEW {s}.tokens AS
    SELECT r.id, r.kind, r.organization, r.owner, r.status, r.description, r.created_by, r.created_at, r.changed_at,
           r.expires_at, u.at AS last_used_at, r.revision
    FROM {s}.records r LEFT JOIN {s}.last_used u USING (key)
    WHERE r.what = 'token';

INSERT INTO {s}.store (layout, revision, commit_id, horizon)
    VALUES ({layout}, 0, decode('00000000000000000000000000000000', 'hex'), 0);
";

const HEAD: &str = "
SELECT s.layout, s.revision, s.commit_id, s.horizon, pg_is_in_recovery() AS standby,
       (SELECT c.id FROM {s}.commits c WHERE c.revision = {revision}) AS since
FROM {s}.store s";

/// One round trip, however many records. A second commit at the same position waits for the first, and then finds that
/// the store has moved.
const COMMIT: &str = "
WITH moved AS (
    UPDATE {s}.store SET revision = $3, commit_id = $4
    WHERE revision = $1 AND commit_id = $2
    RETURNING revision
), logged AS (
    INSERT INTO {s}.commits (revision, id) SELECT revision, $4 FROM moved
), written AS (
    INSERT INTO {s}.records
        (key, revision, record, what, id, kind, organization, owner, status, description, created_by,
         created_at, changed_at, expires_at)
    SELECT n.key, moved.revision, n.record, n.what, n.id, n.kind, n.organization, n.owner, n.status, n.description,
           n.created_by,
           to_timestamp(n.created_at / 1000000) + (n.created_at % 1000000) * interval '1 microsecond',
           to_timestamp(n.changed_at / 1000000) + (n.changed_at % 1000000) * interval '1 microsecond',
           to_timestamp(n.expires_at / 1000000) + (n.expires_at % 1000000) * interval '1 microsecond'
    FROM moved, unnest($5::bytea[], $6::bytea[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                       $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[])
        AS n (key, record, what, id, kind, organization, owner, status, description, created_by,
              created_at, changed_at, expires_at)
    ON CONFLICT (key) DO UPDATE SET
        revision = excluded.revision, record = excluded.record, what = excluded.what, id = excluded.id,
        kind = excluded.kind, organization = excluded.organization, owner = excluded.owner, status = excluded.status,
        description = excluded.description, created_by = excluded.created_by, created_at = excluded.created_at,
        changed_at = excluded.changed_at, expires_at = excluded.expires_at
)
SELECT revision FROM moved";

const SET_HORIZON: &str = "UPDATE {s}.store SET horizon = greatest(horizon, $1)";

/// By revision, which has an index of tombstones alone: of a million records nobody looks at the others.
const SWEEP: &str = "
DELETE FROM {s}.records WHERE what = 'tombstone' AND revision <= least(
    (SELECT horizon FROM {s}.store),
    (SELECT max(p.revision)
     FROM (SELECT f.revision FROM {s}.records f WHERE f.what = 'tombstone' ORDER BY f.revision LIMIT {swept}) p))";

const TRIM: &str = "
DELETE FROM {s}.commits WHERE revision < (SELECT least(horizon, revision - {latest}) FROM {s}.store)";

const PAGE: &str = "
SELECT r.revision, r.record, (extract(epoch FROM u.at) * 1000000)::bigint AS used
FROM {s}.records r LEFT JOIN {s}.last_used u USING (key)
WHERE r.revision > $1
  AND r.revision <= (SELECT max(p.revision)
                     FROM (SELECT f.revision, sum(f.bytes) OVER (ORDER BY f.revision ROWS UNBOUNDED PRECEDING) - f.bytes AS before
                           FROM (SELECT revision, octet_length(record) AS bytes FROM {s}.records
                                 WHERE revision > $1 AND NOT (what = 'tombstone' AND revision <= $3)
                                 ORDER BY revision LIMIT $2) f) p
                     WHERE p.before < $4)
  AND NOT (r.what = 'tombstone' AND r.revision <= $3)
ORDER BY r.revision, r.key";

const REST: &str = "
SELECT (SELECT c.id FROM {s}.commits c WHERE c.revision = $1) AS id,
       EXISTS (SELECT FROM {s}.records
               WHERE revision > $1 AND NOT (what = 'tombstone' AND revision <= $2)) AS more";

const TOUCH: &str = "
INSERT INTO {s}.last_used AS u (key, at)
SELECT r.key, to_timestamp(n.at / 1000000) + (n.at % 1000000) * interval '1 microsecond'
FROM unnest($1::bytea[], $2::bigint[]) AS n (key, at) JOIN {s}.records r ON r.key = n.key
ON CONFLICT (key) DO UPDATE SET at = excluded.at WHERE u.at < excluded.at";
