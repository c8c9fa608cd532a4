//! What many tokens and many nodes cost on PostgreSQL, on a server of its own.
//!
//! `cargo bench -p portcullis-postgres --bench postgres -- 1000000` for a million tokens; 20,000 without a number.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::print_stdout)]

#[path = "../../../benches/fill/mod.rs"]
mod fill;
#[path = "../tests/server/mod.rs"]
mod server;

use std::time::{Duration, Instant};

use portcullis::{Actor, Authority, NewToken, Standing, Timestamp, Update};
use server::Server;

fn open(server: &Server) -> Authority {
    Authority::open(server::store(&server.options(), "portcullis")).wait().unwrap()
}

fn took<T>(what: &str, act: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let made = act();
    let took = start.elapsed();
    println!("{what:<66} {took:>12.3?}");
    (made, took)
}

fn rate(what: &str, count: usize, act: impl FnOnce()) {
    let start = Instant::now();
    act();
    println!("{what:<66} {:>8.0} / s", count as f64 / start.elapsed().as_secs_f64());
}

fn main() {
    let count: usize = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(20_000);
    if server::programs().is_none() {
        println!("{}", server::MISSING);
        return;
    }
    let mut server = Server::new(&[]).unwrap();
    server::run(server.up());
    server::store(&server.options(), "portcullis").migrate().wait().unwrap();
    let ask = |query: &str| -> i64 { server::run(server::ask(&server.options(), query)) };
    let host = Actor::host("bench");

    let node = open(&server);
    let written = "SELECT (pg_current_wal_lsn() - '0/0')::bigint";
    let before = ask(written);
    rate(&format!("{count} tokens, made as many at a time as fit into a commit"), count, || {
        drop(fill::create(&node, count, |n| fill::sensor(n, 1), |_| ()));
    });
    let wal = ask(written) - before;
    println!("{:<66} {:>8.0} bytes", "  of log for each", wal as f64 / count as f64);
    let tables =
        ask("SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = \
                      relnamespace WHERE nspname = 'portcullis' AND relkind = 'r'");
    println!("{:<66} {:>8.0} bytes", "  of tables and indexes for each", tables as f64 / count as f64);

    let (other, _) = took("another node opens the store", || open(&server));

    for callers in [1, 8, 64, 512] {
        let each = 4_000 / callers;
        rate(&format!("changes, {callers} callers at once"), each * callers, || {
            std::thread::scope(|scope| {
                for caller in 0..callers {
                    let (node, host) = (&node, &host);
                    scope.spawn(move || {
                        for n in 0..each {
                            drop(node.create(host, fill::sensor(caller * each + n, 1)).wait().unwrap());
                        }
                    });
                }
            });
        });
    }

    let owner = fill::owner(999_999);
    let many = 100_000.min(count);
    fill::create(&node, many, |n| fill::sensor(n, 1).owner(portcullis::UserId::try_from(77_u64).unwrap()), |_| ());
    let last = node.create(&host, NewToken::all_access(fill::org(1)).owner(owner)).wait().unwrap();
    other.follow_to(last.receipt.revision).wait().unwrap();
    let (receipt, _) = took(&format!("an owner of {many} tokens is suspended"), || {
        let owner = portcullis::UserId::try_from(77_u64).unwrap();
        node.set_owner_standing(&host, owner, Standing::Suspended).wait().unwrap()
    });
    took("  and on the other node, asked to follow", || other.follow_to(receipt.revision).wait().unwrap());

    let mut delays: Vec<_> = (0..300)
        .map(|n| {
            let update = Update::new().description(n.to_string());
            let receipt = node.update(&host, last.token.id(), update).wait().unwrap().receipt;
            let start = Instant::now();
            while other.position().revision < receipt.revision {
                std::thread::sleep(Duration::from_micros(100));
            }
            start.elapsed()
        })
        .collect();
    delays.sort_unstable();
    println!(
        "{:<66} {:>12.3?} / {:.3?} / {:.3?}",
        "a change reaches the other node by itself: p50, p99, maximum", delays[150], delays[296], delays[299]
    );

    let statements = "SELECT (xact_commit + xact_rollback)::bigint FROM pg_stat_database WHERE datname = 'postgres'";
    // The server counts what was before with some delay.
    std::thread::sleep(Duration::from_secs(20));
    let (first, start) = (ask(statements), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    let each = (ask(statements) - first) as f64 / start.elapsed().as_secs_f64() / 2.0;
    println!("{:<66} {each:>8.1} / s", "transactions of an idle node");

    let expiring = 30_000.min(count);
    let tokens: Vec<_> = (0..expiring).map(|n| node.create(&host, fill::sensor(n, 1))).collect();
    let tokens: Vec<_> = tokens.into_iter().map(|pending| pending.wait().unwrap().token.id()).collect();
    rate(&format!("{expiring} tokens are deleted"), expiring, || {
        let pending: Vec<_> = tokens.iter().map(|id| node.delete(&host, *id)).collect();
        pending.into_iter().for_each(|pending| _ = pending.wait().unwrap());
    });
    took(&format!("and {expiring} tombstones forgotten"), || {
        node.purge(&host, Timestamp::from(std::time::SystemTime::now())).wait().unwrap()
    });
    let left = "SELECT count(*) FROM portcullis.records WHERE what = 'tombstone'";
    took("  until they are gone", || {
        while ask(left) > 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    took("a node opens the store after that", || drop(open(&server)));
}
