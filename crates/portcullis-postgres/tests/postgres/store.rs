//! What the store in PostgreSQL does beyond the conformance suite, and the suite.

use std::time::Duration;

use portcullis::store::{ChangesError, CommitError, Position};
use portcullis::testing::records::{horizon, set_up, token, tombstone};
use portcullis::testing::{conformance, shared_conformance};
use portcullis::{Authority, Error, Event, NewToken, OrgId, Reason, ResourceId, Standing, TokenStore, UserId};
use portcullis_postgres::PostgresStore;
use portcullis_postgres::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection};

use crate::place::{Place, commit_id, eventually, host, told};
use crate::server::{Server, execute, run, store};
use crate::{Test, all};

pub(crate) const ALL: &[(&str, Test)] = all![
    it_keeps_the_contract,
    it_keeps_the_contract_with_the_rights_that_are_documented,
    a_store_that_was_not_made_says_so,
    a_url_opens_it_and_a_malformed_one_is_not_shown,
    a_schema_that_needs_quotes_is_refused,
    a_certain_failure_is_refused_and_an_uncertain_one_in_doubt,
    a_commit_that_was_made_is_never_refused,
    a_lock_that_is_never_released_ends_the_call_and_nothing_else,
    a_transaction_that_is_left_behind_ends,
    a_commit_in_doubt_is_settled_by_repeating_it,
    what_is_acknowledged_is_durable_whatever_the_default,
    others_are_told_at_once,
    without_being_told_others_poll,
    people_can_read_it,
    a_restored_backup_is_noticed,
    many_tombstones_are_forgotten_at_once,
    pages_of_large_records_have_fewer,
    a_server_that_ends_connections_is_used_again,
];

fn it_keeps_the_contract(server: &Server) {
    let report = conformance(|| Place::new(server), Place::store);
    assert!(report.is_ok(), "{report}");
    let report = shared_conformance(|| Place::new(server), Place::store);
    assert!(report.is_ok(), "{report}");
}

fn it_keeps_the_contract_with_the_rights_that_are_documented(server: &Server) {
    run(execute(&server.options(), "CREATE ROLE node LOGIN"));
    let place = || {
        let mut place = Place::new(server);
        place.sql(
            "GRANT USAGE ON SCHEMA {s} TO node; GRANT SELECT, UPDATE ON {s}.store TO node; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON {s}.commits, {s}.records, {s}.last_used TO node",
        );
        place.options = server.options().username("node");
        place
    };
    let report = conformance(place, Place::store);
    assert!(report.is_ok(), "{report}");
    let place = place();
    let refused = store(&place.options, "of_others").migrate().wait().unwrap_err();
    assert!(told(&refused).contains("permission denied"), "{refused:?}");
}

fn a_store_that_was_not_made_says_so(server: &Server) {
    let place = Place::new(server);
    let mut store = store(&place.options, "nowhere");
    let expected = "there is no token store in schema `nowhere`; make it with `PostgresStore::migrate`";
    let Err(ChangesError::Failed(error)) = store.changes(Position::ORIGIN, 1) else { panic!() };
    assert_eq!(error.to_string(), expected);
    let Err(CommitError::InDoubt(error)) = store.commit(Position::ORIGIN, commit_id(), &[]) else { panic!() };
    assert_eq!(error.to_string(), expected);
    let error = Authority::open(store).wait().unwrap_err();
    assert!(told(&error).contains(expected), "{error:?}");
}

fn a_url_opens_it_and_a_malformed_one_is_not_shown(server: &Server) {
    let place = Place::new(server);
    let socket = server.socket().display().to_string().replace('/', "%2F");
    let url = format!("postgres://postgres@{socket}/postgres");
    let mut store = PostgresStore::open(&url).unwrap().schema(&place.schema).unwrap();
    store.commit(Position::ORIGIN, commit_id(), &[token(1)]).unwrap();
    assert_eq!(place.count("SELECT count(*) FROM {s}.records"), 1);
    assert_eq!(format!("{store:?}"), format!("PostgresStore({:?})", place.schema));
    for malformed in ["", "a-password", "postgres://user:a-password@host:port/app"] {
        let error = PostgresStore::open(malformed).unwrap_err();
        assert_eq!(error.to_string(), "the URL of the database cannot be used");
        assert!(!format!("{error:?} {}", told(&error)).contains("a-password"), "{error:?}");
    }
}

fn a_schema_that_needs_quotes_is_refused(server: &Server) {
    let place = Place::new(server);
    for name in ["", "A", "1a", "_a", "a-b", "a\"b", "a;b", &"a".repeat(49)] {
        let error = place.store().schema(name).unwrap_err();
        let rule = "use up to 48 lowercase letters, digits and `_`, and a letter first";
        assert_eq!(error.to_string(), format!("`{name}` is no name for a schema: {rule}"));
    }
    place.store().schema(&"a".repeat(48)).unwrap();
}

fn a_certain_failure_is_refused_and_an_uncertain_one_in_doubt(server: &Server) {
    let place = Place::new(server);
    let mut store = place.store();
    place.sql(
        "CREATE FUNCTION {s}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$;
         CREATE TRIGGER fail BEFORE INSERT ON {s}.records EXECUTE FUNCTION {s}.fail();",
    );
    let Err(CommitError::Refused(error)) = store.commit(Position::ORIGIN, commit_id(), &[token(1)]) else { panic!() };
    // sqlx adds the line of the server's own source.
    let expected = "PostgreSQL failed, or cannot be reached: error returned from database: disk full at line ";
    assert!(told(&error).starts_with(expected), "{}", told(&error));
    // At the end, when `COMMIT` is on its way.
    place.sql(
        "DROP TRIGGER fail ON {s}.records;
         CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON {s}.records DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION {s}.fail();",
    );
    let id = commit_id();
    assert!(matches!(store.commit(Position::ORIGIN, id, &[token(1)]), Err(CommitError::InDoubt(_))));
    assert_eq!(place.count("SELECT count(*) FROM {s}.commits"), 0);
    place.sql("DROP TRIGGER fail ON {s}.records");
    assert_eq!(store.commit(Position::ORIGIN, id, &[token(1)]).unwrap(), Position { revision: 1, commit: id });
}

fn a_commit_that_was_made_is_never_refused(server: &Server) {
    let place = Place::new(server);
    let mut store = place.store();
    let id = commit_id();
    let made = store.commit(Position::ORIGIN, id, &[token(1)]).unwrap();
    // Whoever repeats it meets a failure before it can be found.
    place.sql(
        "CREATE FUNCTION {s}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
         CREATE TRIGGER fail BEFORE UPDATE ON {s}.store EXECUTE FUNCTION {s}.fail();",
    );
    assert_eq!(store.commit(Position::ORIGIN, id, &[token(1)]).unwrap(), made);
    assert!(matches!(store.commit(made, commit_id(), &[token(1)]), Err(CommitError::Refused(_))));
}

fn a_lock_that_is_never_released_ends_the_call_and_nothing_else(server: &Server) {
    let place = Place::new(server);
    let mut store = place.store().timeout(Duration::from_millis(200));
    let id = commit_id();
    run(async {
        let mut blocking = place.options.connect().await.unwrap();
        let mut transaction = blocking.begin().await.unwrap();
        let lock = format!("SELECT FROM {}.store FOR UPDATE", place.schema);
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *transaction).await.unwrap();
        let commit = std::thread::scope(|scope| {
            let commit = scope.spawn(|| (store.commit(Position::ORIGIN, id, &[]), store.changes(Position::ORIGIN, 1)));
            commit.join().unwrap()
        });
        let (Err(CommitError::InDoubt(error)), Ok(_)) = commit else { panic!("{commit:?}") };
        assert!(
            ["PostgreSQL did not answer within 200ms", "PostgreSQL failed, or cannot be reached"]
                .contains(&&*error.to_string())
        );
        transaction.rollback().await.unwrap();
    });
    store.commit(Position::ORIGIN, id, &[]).unwrap();
}

fn a_transaction_that_is_left_behind_ends(server: &Server) {
    let place = Place::new(server);
    // What a node that was stopped in the middle of a commit leaves: the row is locked.
    run(async {
        let mut left = place.options.connect().await.unwrap();
        let begin = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 100";
        sqlx::raw_sql(begin).execute(&mut left).await.unwrap();
        let lock = format!("SELECT FROM {}.store FOR UPDATE", place.schema);
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut left).await.unwrap();
        let mut store = place.store();
        std::thread::scope(|scope| {
            scope.spawn(|| store.commit(Position::ORIGIN, commit_id(), &[]).unwrap()).join().unwrap()
        });
    });
    // A commit sets it for its own, and for nothing else.
    let set = place.count("SELECT count(*) FROM pg_settings WHERE name LIKE '%_timeout' AND source = 'session'");
    assert_eq!(set, 0);
}

fn a_commit_in_doubt_is_settled_by_repeating_it(server: &Server) {
    let place = Place::new(server);
    place.sql(
        "CREATE FUNCTION {s}.cut() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON {s}.records DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION {s}.cut();",
    );
    let authority = Authority::open(place.store()).wait().unwrap();
    let answer = authority.setup(UserId::generate().unwrap()).wait();
    assert!(matches!(answer, Err(Error::InDoubt(_))), "{answer:?}");
    place.sql("DROP TRIGGER cut ON {s}.records");
    // What comes next settles it: it is done now, once.
    let answer = authority.setup(UserId::generate().unwrap()).wait();
    assert!(matches!(answer, Err(Error::AlreadySetUp)), "{answer:?}");
    assert_eq!(place.count("SELECT count(*) FROM {s}.tokens"), 1);
}

fn what_is_acknowledged_is_durable_whatever_the_default(server: &Server) {
    let mut place = Place::new(server);
    place.options = server.options().options([("synchronous_commit", "off")]);
    place.sql(
        "CREATE TABLE {s}.seen (setting text);
         CREATE FUNCTION {s}.note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO {s}.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE INSERT ON {s}.commits FOR EACH ROW EXECUTE FUNCTION {s}.note();",
    );
    place.store().commit(Position::ORIGIN, commit_id(), &[]).unwrap();
    assert_eq!(place.count("SELECT count(*) FROM {s}.seen WHERE setting = 'on'"), 1);
    // A higher one stays.
    place.options = server.options().options([("synchronous_commit", "remote_apply")]);
    let mut store = place.store();
    let head = store.changes(Position::ORIGIN, 1).unwrap().position;
    store.commit(head, commit_id(), &[]).unwrap();
    assert_eq!(place.count("SELECT count(*) FROM {s}.seen WHERE setting = 'remote_apply'"), 1);
}

/// Two authorities of which one has made a token and the other holds its principal.
fn two(place: &Place, follow: Duration) -> (Authority, Authority, String) {
    let open = || {
        let settings = Authority::builder().follow(follow).availability_over_revocation();
        settings.open(place.store()).wait().unwrap()
    };
    let (one, other) = (open(), open());
    let root = one.setup(UserId::generate().unwrap()).wait().unwrap();
    other.follow_to(root.receipt.revision).wait().unwrap();
    (one, other, root.secret.expose().to_owned())
}

fn others_are_told_at_once(server: &Server) {
    let place = Place::new(server);
    let (one, other, secret) = two(&place, Duration::from_hours(1));
    let held = other.authenticate(&secret).unwrap();
    let id = held.token().unwrap().id();
    eventually("they listen", || {
        place.count("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%{s}%'") == 2
    });
    one.revoke(host(), id).wait().unwrap();
    eventually("told", || held.check() == Err(Reason::Revoked));
}

fn without_being_told_others_poll(server: &Server) {
    let place = Place::new(server);
    let (one, other, secret) = two(&place, Duration::from_millis(10));
    place.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%{s}%'");
    let held = other.authenticate(&secret).unwrap();
    one.revoke(host(), held.token().unwrap().id()).wait().unwrap();
    eventually("seen", || held.check() == Err(Reason::Revoked));
}

fn people_can_read_it(server: &Server) {
    let place = Place::new(server);
    let authority = Authority::open(place.store()).wait().unwrap();
    let (owner, org) = (UserId::generate().unwrap(), OrgId::generate().unwrap());
    let new = NewToken::all_access(org).owner(owner).description("it's").expires_in(Duration::from_hours(1));
    let issued = authority.create(host(), new).wait().unwrap();
    authority.authenticate(issued.secret.expose()).unwrap();
    authority.set_owner_standing(host(), owner, Standing::Suspended).wait().unwrap();
    authority.close().wait().unwrap();
    let token = &issued.token;
    let query = format!(
        "SELECT count(*) FROM {{s}}.tokens WHERE id = '{}' AND kind = 'allAccess' AND organization = '{org}' AND \
         owner = '{owner}' AND status = 'active' AND description = 'it''s' AND created_by = 'host: test' AND \
         created_at = '{}' AND expires_at = '{}' AND last_used_at > created_at - interval '1 minute' AND revision = 1",
        token.id(),
        token.created_at(),
        token.expires_at().unwrap(),
    );
    assert_eq!(place.count(&query), 1, "{query}");
    let standing = "SELECT count(*) FROM {s}.records WHERE what = 'owner' AND status = 'suspended' AND revision = 2";
    assert_eq!(place.count(standing), 1);
    assert_eq!(place.count("SELECT count(*) FROM {s}.commits"), 2);
}

fn a_restored_backup_is_noticed(server: &Server) {
    let place = Place::new(server);
    let events = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&events);
    let authority = Authority::builder()
        .follow(Duration::from_millis(10))
        .observer(move |event: &Event| log.lock().unwrap().push(event.to_string()))
        .open(place.store())
        .wait()
        .unwrap();
    let root = authority.setup(UserId::generate().unwrap()).wait().unwrap();
    let held = authority.authenticate(root.secret.expose()).unwrap();
    let copy = |from: &str, to: &str| {
        for table in ["store", "commits", "records", "last_used"] {
            place.sql(&format!("CREATE TABLE IF NOT EXISTS {to}_{table} AS SELECT * FROM {from}.{table} WHERE false"));
            place.sql(&format!("INSERT INTO {to}_{table} SELECT * FROM {from}.{table}"));
        }
    };
    copy("{s}", "backup_of_{s}");
    let revoked = authority.revoke(host(), root.token.id()).wait().unwrap();
    assert_eq!(held.check(), Err(Reason::Revoked));
    let followed = authority.position();
    place.sql(
        "BEGIN; DELETE FROM {s}.last_used; DELETE FROM {s}.records; DELETE FROM {s}.commits; DELETE FROM {s}.store;
         INSERT INTO {s}.store SELECT * FROM backup_of_{s}_store;
         INSERT INTO {s}.commits SELECT * FROM backup_of_{s}_commits;
         INSERT INTO {s}.records SELECT * FROM backup_of_{s}_records; COMMIT;",
    );
    let told = || events.lock().unwrap().clone();
    eventually("told", || {
        told().last().is_some_and(|last| *last == format!("serving again at revision {}", revoked.revision - 1))
    });
    assert!(told().contains(&format!("the store has another history than the one followed to {followed}")));
    // Nobody goes on where the backup has it otherwise; who comes anew is treated as the backup says.
    assert_eq!(held.check(), Err(Reason::Unknown));
    authority.authenticate(root.secret.expose()).unwrap();
}

fn many_tombstones_are_forgotten_at_once(server: &Server) {
    const MANY: u32 = 25_000;
    let place = Place::new(server);
    let mut store = place.store();
    let mut head = Position::ORIGIN;
    for start in (0..MANY).step_by(1_000) {
        let records: Vec<_> = (start..start + 1_000).map(tombstone).collect();
        head = store.commit(head, commit_id(), &records).unwrap();
    }
    let before = head;
    head = store.commit(head, commit_id(), &[set_up(), token(MANY)]).unwrap();
    head = store.commit(head, commit_id(), &[horizon(before.revision)]).unwrap();
    // They are gone from here on, whether or not they are still there.
    let page = store.changes(Position::ORIGIN, 1).unwrap();
    assert_eq!((page.records.len(), page.more), (2, true));
    let page = store.changes(page.position, 1).unwrap();
    assert_eq!((page.records.len(), page.position, page.more), (1, head, false));
    eventually("swept", || place.count("SELECT count(*) FROM {s}.records WHERE what = 'tombstone'") == 0);
    assert_eq!(store.changes(Position::ORIGIN, usize::MAX).unwrap().records.len(), 3);
}

/// Whatever an organization's tokens are like, others are read in time.
fn pages_of_large_records_have_fewer(server: &Server) {
    let place = Place::new(server);
    let authority = Authority::open(place.store()).wait().unwrap();
    for _ in 0..3 {
        let new = NewToken::read_write(OrgId::generate().unwrap()).owner(UserId::generate().unwrap());
        let large = (1..=1_000).fold(new, |new, bucket| new.write(ResourceId::try_from(bucket).unwrap()));
        let _issued = authority.create(host(), large).wait().unwrap();
    }
    let (mut store, mut since) = (place.store(), Position::ORIGIN);
    let mut pages = Vec::new();
    loop {
        let page = store.changes(since, 10).unwrap();
        pages.push(page.records.len());
        since = page.position;
        if !page.more {
            break;
        }
    }
    // The first of them comes with what every store has.
    assert_eq!(pages, [2, 1, 1]);
    assert_eq!(store.changes(Position::ORIGIN, 100).unwrap().records.len(), 4);
}

fn a_server_that_ends_connections_is_used_again(server: &Server) {
    let place = Place::new(server);
    let mut store = place.store();
    let mut head = Position::ORIGIN;
    for round in 0..5 {
        head = store.commit(head, commit_id(), &[token(round)]).unwrap();
        place.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%{s}.%' AND pid <> pg_backend_pid()");
        store.touch(&[]).or_else(|_| store.touch(&[])).unwrap();
        assert_eq!(store.changes(Position::ORIGIN, 100).unwrap().records.len(), round as usize + 1);
    }
}
