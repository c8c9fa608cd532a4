//! How the tables come to be.

use portcullis::TokenStore;
use portcullis::store::{ChangesError, Position};
use portcullis::testing::records::token;
use portcullis_postgres::Migration;
use portcullis_postgres::sqlx::postgres::PgConnectOptions;

use crate::place::{Place, commit_id};
use crate::server::{Server, execute, run, store};
use crate::{Test, all};

pub(crate) const ALL: &[(&str, Test)] = all![
    making_it_twice_and_at_once_is_harmless,
    making_it_at_once_works_in_every_isolation,
    a_migration_can_be_awaited_on_any_thread,
    making_it_again_needs_no_rights_and_gives_no_notice,
    a_database_that_is_not_in_utf_8_is_refused,
    a_later_layout_is_neither_believed_nor_changed,
];

fn making_it_twice_and_at_once_is_harmless(server: &Server) {
    let place = Place::new(server);
    let position = place.store().commit(Position::ORIGIN, commit_id(), &[token(1)]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                place.migrate().unwrap();
                store(&place.options, "made_at_once").migrate().wait().unwrap();
            });
        }
    });
    assert_eq!(place.store().changes(Position::ORIGIN, 10).unwrap().position, position);
}

fn making_it_at_once_works_in_every_isolation(server: &Server) {
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let options = server.options().options([("default_transaction_isolation", isolation)]);
        let schema = format!("made_{}", isolation.replace(' ', "_"));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| store(&options, &schema).migrate().wait().unwrap());
            }
        });
        let mut store = store(&options, &schema);
        let made = store.commit(Position::ORIGIN, commit_id(), &[token(1)]).unwrap();
        store.touch(&[]).unwrap();
        assert_eq!(store.changes(Position::ORIGIN, 10).unwrap().position, made);
    }
}

fn a_migration_can_be_awaited_on_any_thread(server: &Server) {
    let store = store(&server.options(), "awaited");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let migration: Migration = store.migrate();
    runtime.block_on(runtime.spawn(migration)).unwrap().unwrap();
    // It goes on whether or not it is waited for.
    drop(store.migrate());
    store.migrate().wait().unwrap();
}

fn making_it_again_needs_no_rights_and_gives_no_notice(server: &Server) {
    let noticed = || std::fs::read_to_string(server.log()).unwrap().matches("noticed NOTICE:").count();
    let options = server.options().application_name("noticed").options([("log_min_messages", "notice")]);
    let place = Place { options: options.clone(), ..Place::new(server) };
    place.migrate().unwrap();
    place.migrate().unwrap();
    store(&options, "made_with_notices_logged").migrate().wait().unwrap();
    assert_eq!(noticed(), 0);
    // Here it would have been.
    place.sql("CREATE SCHEMA IF NOT EXISTS {s}");
    assert_eq!(noticed(), 1);
    place.sql("CREATE ROLE looks LOGIN; GRANT USAGE ON SCHEMA {s} TO looks; GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO looks");
    store(&server.options().username("looks"), &place.schema).migrate().wait().unwrap();
}

fn a_database_that_is_not_in_utf_8_is_refused(server: &Server) {
    for (name, encoding) in [("latin", "LATIN1"), ("ascii", "SQL_ASCII")] {
        let create = format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        run(execute(&server.options(), &create));
        let options: PgConnectOptions = server.options().database(name);
        let error = store(&options, "portcullis").migrate().wait().unwrap_err();
        let expected =
            "a token store needs UTF8; use another database: `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`";
        assert_eq!(error.to_string(), format!("the database is encoded in {encoding}, {expected}"));
        let mut store = store(&options, "portcullis");
        let Err(ChangesError::Failed(error)) = store.changes(Position::ORIGIN, 1) else { panic!() };
        assert!(error.to_string().starts_with("there is no token store in schema `portcullis`"), "{error}");
    }
}

fn a_later_layout_is_neither_believed_nor_changed(server: &Server) {
    let place = Place::new(server);
    place.sql("UPDATE {s}.store SET layout = 2");
    let expected = format!(
        "the token store in schema `{}` has layout 2, this version knows up to 1; use a newer version",
        place.schema
    );
    let Err(ChangesError::Failed(error)) = place.store().changes(Position::ORIGIN, 1) else { panic!() };
    assert_eq!(error.to_string(), expected);
    assert_eq!(place.migrate().unwrap_err().to_string(), expected);
}
