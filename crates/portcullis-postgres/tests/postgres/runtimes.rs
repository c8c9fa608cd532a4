//! The store in programs with runtimes of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis::store::Position;
use portcullis::testing::records::token;
use portcullis::{Authority, NewToken, OrgId, TokenStore, UserId};
use portcullis_postgres::PostgresStore;
use portcullis_postgres::sqlx::postgres::PgPoolOptions;
use tokio::runtime::Builder;

use crate::place::{Place, commit_id, eventually, host};
use crate::server::{Server, run};
use crate::{Test, all};

pub(crate) const ALL: &[(&str, Test)] = all![
    waiting_in_a_runtime_of_one_thread_does_not_hang,
    waiting_on_every_worker_of_a_runtime_does_not_hang,
    a_store_can_be_called_inside_a_runtime,
    connections_are_like_those_of_the_hosts_pool,
    a_dropped_store_leaves_no_connection,
];

fn new() -> NewToken {
    NewToken::all_access(OrgId::generate().unwrap()).owner(UserId::generate().unwrap())
}

/// As in a plain `#[tokio::test]`.
fn waiting_in_a_runtime_of_one_thread_does_not_hang(server: &Server) {
    let place = Place::new(server);
    run(async {
        place.store().migrate().wait().unwrap();
        let authority = Authority::open(place.store()).wait().unwrap();
        let issued = authority.create(host(), new()).wait().unwrap();
        authority.authenticate(issued.secret.expose()).unwrap();
        authority.close().wait().unwrap();
    });
}

fn waiting_on_every_worker_of_a_runtime_does_not_hang(server: &Server) {
    const WORKERS: usize = 2;
    let place = Place::new(server);
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().unwrap();
    let pool = {
        let _inside = runtime.enter();
        PgPoolOptions::new().max_connections(1).connect_lazy_with(place.options.clone())
    };
    // The host uses up its own.
    let taken = runtime.block_on(pool.acquire()).unwrap();
    let store = PostgresStore::open_like(&pool).unwrap().schema(&place.schema).unwrap();
    let authority = Arc::new(runtime.block_on(async { Authority::open(store).await.unwrap() }));
    let tasks: Vec<_> = (0..2 * WORKERS)
        .map(|_| {
            let authority = Arc::clone(&authority);
            runtime.spawn(async move { (0..10).for_each(|_| drop(authority.create(host(), new()).wait().unwrap())) })
        })
        .collect();
    tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
    assert_eq!(place.count("SELECT count(*) FROM {s}.tokens"), 40);
    runtime.block_on(async { drop(taken) });
}

fn a_store_can_be_called_inside_a_runtime(server: &Server) {
    let place = Place::new(server);
    run(async {
        let mut store = place.store();
        let made = store.commit(Position::ORIGIN, commit_id(), &[token(1)]).unwrap();
        assert_eq!(store.changes(Position::ORIGIN, 10).unwrap().position, made);
    });
}

fn connections_are_like_those_of_the_hosts_pool(server: &Server) {
    let place = Place::new(server);
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let options = PgPoolOptions::new().min_connections(0).after_connect(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    });
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let pool = {
        let _inside = runtime.enter();
        options.connect_lazy_with(place.options.clone().application_name("first"))
    };
    let mut store = PostgresStore::open_like(&pool).unwrap().schema(&place.schema).unwrap();
    let connections =
        |name: &str| place.count(&format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'"));
    store.changes(Position::ORIGIN, 1).unwrap();
    assert_eq!((connections("first"), made.load(Ordering::Relaxed), pool.size()), (1, 1, 0));
    // As a host does whose passwords change.
    pool.set_connect_options(place.options.clone().application_name("second"));
    place.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'first'");
    eventually("connected again", || store.changes(Position::ORIGIN, 1).is_ok());
    assert_eq!((connections("second"), made.load(Ordering::Relaxed)), (1, 2));
    runtime.block_on(pool.close());
    store.changes(Position::ORIGIN, 1).unwrap();
}

fn a_dropped_store_leaves_no_connection(server: &Server) {
    let place = Place { options: server.options().application_name("dropped"), ..Place::new(server) };
    let connections = || {
        place.count(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dropped' AND pid <> pg_backend_pid()",
        )
    };
    let authority = Authority::open(place.store()).wait().unwrap();
    drop(authority.create(host(), new()).wait().unwrap());
    eventually("it listens", || connections() >= 2);
    authority.close().wait().unwrap();
    eventually("they are gone", || connections() == 0);
}
