//! The store behind PgBouncer in transaction mode.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use portcullis::testing::{conformance, shared_conformance};
use portcullis::{Authority, Error, Issued, NewToken, OrgId, Reason, UserId};
use portcullis_postgres::sqlx::ConnectOptions;
use portcullis_postgres::sqlx::postgres::PgConnectOptions;

use crate::place::{Place, eventually, host};
use crate::server::{Server, options, run, unprivileged};
use crate::{Test, all};

pub(crate) const ALL: &[(&str, Test)] =
    all![it_keeps_the_contract_behind_a_pooler, nodes_behind_a_pooler_work_at_once,];

pub(crate) const MISSING: &str = "no PgBouncer found: install it (Debian: `apt-get install pgbouncer`)";

/// Where Debian's package puts it, and where others do.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.find_map(|directory| Some(directory.join("pgbouncer")).filter(|program| program.exists()))
}

/// A pooler that runs until this is dropped.
struct Pooler {
    directory: tempfile::TempDir,
    process: Child,
}

impl Pooler {
    /// Starts one with few connections, so that its clients get each other's.
    fn new(server: &Server) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("pooler").tempdir()?;
        let path = directory.path();
        let configuration = format!(
            "[databases]\npostgres = host={} user=postgres\n\
             [pgbouncer]\nlisten_addr =\nlisten_port = 5432\nunix_socket_dir = {}\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nlogfile = {}\n",
            server.socket().display(),
            path.display(),
            path.join("log").display(),
        );
        std::fs::write(path.join("configuration"), configuration)?;
        let program = program().ok_or_else(|| io::Error::other(MISSING))?;
        let mut pooler = Command::new(program);
        pooler.arg("--quiet").arg(path.join("configuration"));
        if let Some((user, group)) = unprivileged() {
            std::os::unix::fs::chown(path, Some(user), Some(group))?;
            pooler.uid(user).gid(group);
        }
        let process = pooler.spawn()?;
        let pooler = Self { directory, process };
        eventually("the pooler answers", || run(pooler.options().connect()).is_ok());
        Ok(pooler)
    }

    fn options(&self) -> PgConnectOptions {
        let directory: &Path = self.directory.path();
        // Poolers do not know it, which the store knows.
        options(directory).extra_float_digits(None)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Its tables are made through the pooler, too.
fn place(server: &Server, pooler: &Pooler) -> Place {
    let place = Place { options: options(pooler.directory.path()), ..Place::unmade(server) };
    place.migrate().unwrap();
    place
}

fn it_keeps_the_contract_behind_a_pooler(server: &Server) {
    let pooler = Pooler::new(server).unwrap();
    let report = conformance(|| place(server, &pooler), Place::store);
    assert!(report.is_ok(), "{report}");
    let report = shared_conformance(|| place(server, &pooler), Place::store);
    assert!(report.is_ok(), "{report}");
}

/// However many commits of others come before.
fn create(node: &Authority) -> Issued {
    let owner = UserId::generate().unwrap();
    loop {
        let new = NewToken::all_access(OrgId::generate().unwrap()).owner(owner);
        match node.create(host(), new).wait() {
            Err(Error::Busy(_)) => {}
            answer => return answer.unwrap(),
        }
    }
}

fn nodes_behind_a_pooler_work_at_once(server: &Server) {
    let pooler = Pooler::new(server).unwrap();
    let place = place(server, &pooler);
    let open = |_| {
        let settings = Authority::builder().follow(Duration::from_millis(10)).availability_over_revocation();
        settings.open(place.store().without_listening()).wait().unwrap()
    };
    let nodes: Vec<Authority> = (0..4).map(open).collect();
    thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(move || {
                for _ in 0..20 {
                    let issued = create(node);
                    node.authenticate(issued.secret.expose()).unwrap();
                }
            });
        }
    });
    let direct = Place { options: server.options(), schema: place.schema.clone() };
    assert_eq!(direct.count("SELECT count(*) FROM {s}.tokens"), 80);
    // Nobody listens, and all see it.
    let issued = create(&nodes[0]);
    nodes[1].follow_to(issued.receipt.revision).wait().unwrap();
    let held = nodes[1].authenticate(issued.secret.expose()).unwrap();
    nodes[0].revoke(host(), issued.token.id()).wait().unwrap();
    eventually("seen", || held.check() == Err(Reason::Revoked));
    assert_eq!(direct.count("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%{s}%'"), 0);
}
