//! One run: start everything, let it fail, heal it, and check what was written down.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portcullis::{Filter, UserId};

use crate::checker::{End, Restored, Violation, check};
use crate::history::{History, now};
use crate::node::{self, REGISTERS, SETTINGS, Settings, host, new_token, register, secret, value};
use crate::proxy::{Network, Proxy};
use crate::random::Random;
use crate::server::{self, Server, send};

/// Where the database is.
const REVISION: &str = "SELECT revision FROM portcullis.store";

pub struct Plan {
    pub seconds: u64,
    pub nodes: u64,
    /// Nothing fails but that the database is put back to a backup.
    pub restore: bool,
    /// How the last node is wrong on purpose.
    pub broken: Option<&'static str>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { seconds: 10, nodes: 3, restore: false, broken: None }
    }
}

struct Process {
    child: Child,
    settings: Settings,
}

struct Fleet {
    directory: tempfile::TempDir,
    server: Server,
    proxies: Vec<Proxy>,
    processes: Vec<Process>,
    /// All that ever ran.
    started: Vec<((u64, u64), PathBuf)>,
    injected: BTreeMap<&'static str, u64>,
    random: Random,
}

/// What was found, and a report on standard output.
pub fn run(plan: &Plan) -> Vec<Violation> {
    let seed = std::env::var("FLEET_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(now);
    let mut fleet = Fleet::start(plan, seed);
    let end = Instant::now() + Duration::from_secs(plan.seconds);
    let restored = if plan.restore {
        Some(fleet.restore(Duration::from_secs(plan.seconds) / 3))
    } else {
        while Instant::now() < end {
            fleet.fail(plan.broken);
            thread::sleep(Duration::from_millis(fleet.random.within(100..500)));
        }
        None
    };
    let injected = std::mem::take(&mut fleet.injected);
    let (histories, last) = fleet.finish();
    let report = check(&histories, &last, restored);
    println!("{} s, {} nodes, seed {seed}, broken: {}", plan.seconds, plan.nodes, plan.broken.unwrap_or("none"));
    println!("  faults: {} {injected:?}", injected.values().sum::<u64>());
    println!("{report}");
    report.violations
}

impl Fleet {
    fn start(plan: &Plan, seed: u64) -> Self {
        let directory = tempfile::Builder::new().prefix("fleet").tempdir().unwrap();
        let mut server = Server::new(&["max_connections=100"]).unwrap();
        server::run(server.up());
        server::store(&server.options(), "portcullis").migrate().wait().unwrap();
        let authority = node::open(server.socket(), None, None);
        for number in 0..REGISTERS {
            let owner = UserId::try_from(number + 1).unwrap();
            let new = new_token(&register(number), owner).description(format!("{} 0", register(number)));
            drop(authority.create(host(), new).wait().unwrap());
        }
        drop(authority);
        let (proxies, processes, started) = (Vec::new(), Vec::new(), Vec::new());
        let random = Random::new(seed);
        let mut fleet = Self { directory, server, proxies, processes, started, injected: BTreeMap::new(), random };
        for number in 0..plan.nodes {
            let network = fleet.directory.path().join(format!("network{number}"));
            let proxy = Proxy::start(&network, fleet.server.socket());
            let broken = plan.broken.filter(|_| number + 1 == plan.nodes).map(str::to_owned);
            let settings =
                Settings { node: (number, 0), socket: proxy.directory().to_owned(), log: PathBuf::new(), broken };
            fleet.proxies.push(proxy);
            let process = fleet.spawn(settings);
            fleet.processes.push(process);
        }
        // A node that has not begun cannot fail.
        for (_, log) in &fleet.started {
            while std::fs::metadata(log).is_ok_and(|log| log.len() == 0) || !log.exists() {
                thread::sleep(Duration::from_millis(10));
            }
        }
        fleet
    }

    fn spawn(&mut self, settings: Settings) -> Process {
        let (number, life) = settings.node;
        let log = self.directory.path().join(format!("log{number}.{life}"));
        self.started.push((settings.node, log.clone()));
        let settings = Settings { log, ..settings };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(SETTINGS, serde_json::to_string(&settings).unwrap()).stdin(Stdio::piped());
        Process { child: command.spawn().unwrap(), settings }
    }

    /// One fault, from beginning to end.
    fn fail(&mut self, broken: Option<&str>) {
        let target = usize::try_from(self.random.within(0..self.processes.len() as u64)).unwrap();
        // A node that is wrong is to show it.
        let target = if broken.is_some() { self.processes.len() - 1 } else { target };
        let short = Duration::from_millis(self.random.within(50..1_000));
        let long = Duration::from_millis(self.random.within(1_000..5_000));
        let kind = match broken {
            Some("unbounded") => 7,
            Some("guesses") => self.random.within(4..6),
            _ => self.random.within(0..12),
        };
        let name = match kind {
            0 => {
                let process = self.processes.remove(target);
                let settings = process.kill();
                thread::sleep(short);
                let (number, life) = settings.node;
                let process = self.spawn(Settings { node: (number, life + 1), ..settings });
                self.processes.insert(target, process);
                "node killed"
            }
            1 | 2 => {
                let process = self.processes[target].child.id();
                send("STOP", process).unwrap();
                thread::sleep(if kind == 1 { short } else { long });
                send("CONT", process).unwrap();
                "node paused"
            }
            3 => {
                self.proxies[target].cut();
                "connections cut"
            }
            4 | 5 => {
                let network = if kind == 4 { Network::CutBeforeCommit } else { Network::CutAfterCommit };
                self.on_network(target, network, short.min(Duration::from_millis(200)));
                if kind == 4 { "cut before a commit arrived" } else { "cut after a commit arrived" }
            }
            6 => {
                let delay = Duration::from_millis(self.random.within(5..100));
                self.on_network(target, Network::Slow(delay), short);
                "network slow"
            }
            7 => {
                self.on_network(target, Network::Silent, long);
                "network silent"
            }
            8 => {
                self.server.stop("INT").unwrap();
                thread::sleep(short);
                server::run(self.server.up());
                "database stopped"
            }
            9 => {
                self.server.stop("QUIT").unwrap();
                server::run(self.server.up());
                "database crashed"
            }
            10 => {
                self.server.stop("KILL").unwrap();
                server::run(self.server.up());
                "database killed"
            }
            _ => {
                self.server.pause(true).unwrap();
                thread::sleep(if self.random.within(0..2) == 0 { short } else { long });
                self.server.pause(false).unwrap();
                "database paused"
            }
        };
        *self.injected.entry(name).or_default() += 1;
    }

    fn on_network(&self, target: usize, network: Network, time: Duration) {
        self.proxies[target].set(network);
        thread::sleep(time);
        self.proxies[target].set(Network::Fine);
    }

    /// Makes a backup after that time, and restores it after as long again.
    fn restore(&mut self, after: Duration) -> Restored {
        thread::sleep(after);
        self.proxies.iter().for_each(|proxy| proxy.set(Network::Silent));
        self.server.stop("INT").unwrap();
        self.server.save().unwrap();
        server::run(self.server.up());
        // Before any node gets through, but after all that did before: a commit that had arrived may take as long as it likes.
        let revision: i64 = server::run(server::ask(&self.server.options(), REVISION));
        self.proxies.iter().for_each(|proxy| proxy.set(Network::Fine));
        thread::sleep(after);
        self.server.stop("INT").unwrap();
        self.server.put_back().unwrap();
        thread::sleep(Duration::from_millis(500));
        let at = now();
        server::run(self.server.up());
        self.injected.insert("backup restored", 1);
        thread::sleep(after);
        Restored { revision: u64::try_from(revision).unwrap(), at }
    }

    /// Everything works again for a while; then it ends, and is asked what it holds.
    fn finish(mut self) -> (Vec<History>, End) {
        thread::sleep(Duration::from_millis(1_500));
        for process in &mut self.processes {
            drop(process.child.stdin.take());
        }
        for process in self.processes.drain(..) {
            process.end();
        }
        let authority = node::open(self.server.socket(), None, None);
        let (mut end, mut after) = (End::default(), None);
        loop {
            let page = authority.list(host(), &Filter::default(), after, 1_000).unwrap();
            for token in page.tokens {
                let name = token.description().split(' ').next().unwrap();
                if name.starts_with("register") {
                    end.registers.insert(name.to_owned(), value(token.description()));
                } else {
                    end.tokens.insert(name.to_owned(), authority.authenticate(secret(name)).is_ok());
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let histories = self.started.iter().map(|(node, log)| History::read(*node, log)).collect();
        (histories, end)
    }
}

impl Process {
    fn kill(mut self) -> Settings {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.settings
    }

    /// Waits for it, but not for ever.
    fn end(mut self) {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(30) {
                _ = self.kill();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
