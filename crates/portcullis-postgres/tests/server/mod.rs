//! A PostgreSQL server of one's own: in a temporary directory, on a socket there, gone when dropped.
#![allow(dead_code, unreachable_pub)] // Each program uses its part.

use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis_postgres::PostgresStore;
use portcullis_postgres::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection, Row, postgres::PgConnectOptions};

/// How to get what is missing.
pub const MISSING: &str = "no PostgreSQL found: install it (Debian: `apt-get install postgresql`), or name the directory of \
                           `initdb` and `postgres` in PG_BIN";

/// Where `initdb` and `postgres` are: the newest that Debian's packages installed, unless `PG_BIN` says otherwise.
pub fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.path()).max_by_key(version).map(|path| path.join("bin"));
    named.or(newest).filter(|path| path.join("initdb").exists() && path.join("postgres").exists())
}

/// A user that is not root, which PostgreSQL refuses to run as; nobody else than whoever runs this where that is no root.
pub fn unprivileged() -> Option<(u32, u32)> {
    let own = std::fs::read_to_string("/proc/self/status").ok()?;
    let root = own.lines().any(|line| line.split_whitespace().take(2).eq(["Uid:", "0"]));
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse::<u32>().ok());
        Some((ids.next()??, ids.next()??))
    };
    if root { find("postgres").or_else(|| find("nobody")) } else { None }
}

/// A server that runs until this is dropped.
pub struct Server {
    programs: PathBuf,
    directory: tempfile::TempDir,
    settings: Vec<String>,
    postmaster: Option<Child>,
}

impl Server {
    /// Makes a new cluster, with settings such as `fsync=off`. It runs once it is [`up`](Self::up).
    pub fn new(settings: &[&str]) -> io::Result<Self> {
        let programs = programs().ok_or_else(|| io::Error::other(MISSING))?;
        let directory = tempfile::Builder::new().prefix("pg").tempdir()?;
        if let Some((user, group)) = unprivileged() {
            std::os::unix::fs::chown(directory.path(), Some(user), Some(group))?;
        }
        let settings = settings.iter().map(ToString::to_string).collect();
        let server = Self { programs, directory, settings, postmaster: None };
        let data = server.data();
        let mut initdb = server.program("initdb");
        initdb.arg("-D").arg(data).args(["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]);
        let made = initdb.stdout(Stdio::null()).output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.directory.path());
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts it again after it was stopped or killed, and waits until it answers.
    pub async fn up(&mut self) {
        let start = Instant::now();
        while self.options().connect().await.is_err() {
            assert!(
                start.elapsed() < Duration::from_mins(1),
                "PostgreSQL does not start: see {}",
                self.log().display()
            );
            // It refuses to start while something of the one before is left.
            let ended = self.postmaster.as_mut().is_none_or(|postmaster| postmaster.try_wait().unwrap().is_some());
            if ended {
                self.spawn().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes a backup of what is stopped.
    pub fn save(&self) -> io::Result<()> {
        self.copy("data", "backup")
    }

    /// Puts the backup in the place of what is stopped.
    pub fn put_back(&self) -> io::Result<()> {
        std::fs::remove_dir_all(self.data())?;
        self.copy("backup", "data")
    }

    fn copy(&self, from: &str, to: &str) -> io::Result<()> {
        let copied = Command::new("cp").arg("-a").args([from, to]).current_dir(self.directory.path()).status()?;
        if copied.success() { Ok(()) } else { Err(io::Error::other("cp failed")) }
    }

    fn spawn(&mut self) -> io::Result<()> {
        let (data, socket) = (self.data(), self.socket().to_owned());
        let log = std::fs::File::options().create(true).append(true).open(self.log())?;
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(data).arg("-k").arg(socket).args(["-c", "listen_addresses="]);
        for setting in &self.settings {
            postgres.arg("-c").arg(setting);
        }
        self.postmaster = Some(postgres.stdout(log.try_clone()?).stderr(log).spawn()?);
        Ok(())
    }

    /// Has it end: `INT` is orderly, `QUIT` a crash of every process at once, `KILL` one of the first process.
    pub fn stop(&mut self, signal: &str) -> io::Result<()> {
        let Some(mut postmaster) = self.postmaster.take() else { return Ok(()) };
        send(signal, postmaster.id())?;
        postmaster.wait()?;
        Ok(())
    }

    /// Stops or continues every process of it.
    pub fn pause(&self, paused: bool) -> io::Result<()> {
        let Some(postmaster) = &self.postmaster else { return Ok(()) };
        let signal = if paused { "STOP" } else { "CONT" };
        let first = postmaster.id();
        if paused {
            send(signal, first)?;
        }
        for process in children(first) {
            // One that ended meanwhile needs none.
            _ = send(signal, process);
        }
        if paused { Ok(()) } else { send(signal, first) }
    }

    /// The directory of its socket.
    pub fn socket(&self) -> &Path {
        self.directory.path()
    }

    pub fn options(&self) -> PgConnectOptions {
        options(self.socket())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.pause(false);
        _ = self.stop("QUIT");
    }
}

pub fn send(signal: &str, process: u32) -> io::Result<()> {
    let sent =
        Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).stderr(Stdio::null()).status()?;
    if sent.success() { Ok(()) } else { Err(io::Error::other("no such process")) }
}

fn children(of: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|process| process.parse().ok()).collect()
}

pub fn options(socket: &Path) -> PgConnectOptions {
    PgConnectOptions::new().socket(socket).username("postgres").database("postgres")
}

/// Runs it on a runtime of its own, to the end.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The store in that schema.
pub fn store(options: &PgConnectOptions, schema: &str) -> PostgresStore {
    PostgresStore::open_with(options).unwrap().schema(schema).unwrap()
}

/// The first column of the first row.
pub async fn ask<T>(options: &PgConnectOptions, query: &str) -> T
where
    T: for<'a> sqlx::Decode<'a, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut connection = options.connect().await.unwrap();
    let row = sqlx::query(AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.get(0)
}

pub async fn execute(options: &PgConnectOptions, statements: &str) {
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
