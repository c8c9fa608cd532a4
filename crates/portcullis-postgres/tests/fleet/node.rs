//! One node: an authority, callers that change tokens as fast as they can, callers that ask, and a log of it all.

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::{
    Actor, Authority, Error, Event, EventKind, Filter, NewToken, OrgId, Pending, Read, Receipt, Resource, Secret,
    Standing, Status, Timestamp, TokenId, TokenStore, Update, UserId,
};
use portcullis_postgres::PostgresStore;
use serde::{Deserialize, Serialize};

use crate::history::{Answer, Asked, Line, Log, now, time_of};
use crate::random::Random;
use crate::server::options;

/// The variable in which a process finds that it is a node, and which.
pub const SETTINGS: &str = "PORTCULLIS_FLEET_NODE";
pub const BOUND: Duration = Duration::from_secs(2);
const FOLLOW: Duration = Duration::from_millis(200);
const TIMEOUT: Duration = Duration::from_millis(700);
/// Threads that change tokens, and threads that ask.
const WRITERS: u64 = 12;
const READERS: u64 = 2;
/// Shared numbers that everybody counts up.
pub const REGISTERS: u64 = 3;
/// How many tokens a node remembers, to ask for.
const KNOWN: usize = 300;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    pub node: (u64, u64),
    pub socket: PathBuf,
    pub log: PathBuf,
    /// How this node is wrong on purpose.
    pub broken: Option<String>,
}

pub fn host() -> Actor {
    Actor::host("fleet")
}

pub fn org() -> OrgId {
    0xf1ee7.try_into().unwrap()
}

/// Chosen, so that every node can try every token.
pub fn secret(token: &str) -> String {
    format!("a-secret-of-the-fleet-for-token-{token}")
}

/// An owner of its own for each token.
fn owner((node, life): (u64, u64), number: u64) -> UserId {
    ((node + 1) << 48 | life << 32 | (number + 1)).try_into().unwrap()
}

pub fn new_token(token: &str, owner: UserId) -> NewToken {
    NewToken::all_access(org()).owner(owner).description(token).secret(Secret::new(secret(token)))
}

pub fn open(socket: &std::path::Path, broken: Option<&str>, log: Option<Arc<Log>>) -> Authority {
    loop {
        let store = PostgresStore::open_with(&options(socket)).unwrap().timeout(TIMEOUT);
        let bound = if broken == Some("unbounded") { Duration::from_hours(1) } else { BOUND };
        let mut settings = Authority::builder().follow(FOLLOW).stale_after(bound).chosen_secret_floor(32);
        if let Some(log) = log.clone() {
            settings = settings.observer(move |event: &Event| {
                let at = event.at.as_micros();
                match event.kind {
                    EventKind::Diverged(_) => log.write(&Line::Diverged { at }),
                    EventKind::Denying { .. } => log.write(&Line::Denying { at, denying: true }),
                    EventKind::Serving => log.write(&Line::Denying { at, denying: false }),
                    _ => {}
                }
            });
        }
        let store = Wrong { store, guesses: broken == Some("guesses"), skips: broken == Some("skips"), read: 0 };
        match settings.open(store).wait() {
            Ok(authority) => return authority,
            // The database may be away just now.
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

struct Node {
    settings: Settings,
    authority: Authority,
    log: Arc<Log>,
    ended: AtomicBool,
    operations: AtomicU64,
    created: AtomicU64,
    known: Mutex<VecDeque<(String, TokenId)>>,
}

/// Works until its standard input ends.
pub fn main(settings: &str) {
    let settings: Settings = serde_json::from_str(settings).unwrap();
    let log = Arc::new(Log::create(&settings.log));
    let authority = open(&settings.socket, settings.broken.as_deref(), Some(Arc::clone(&log)));
    let node = Node {
        settings,
        authority,
        log,
        ended: AtomicBool::new(false),
        operations: AtomicU64::new(0),
        created: AtomicU64::new(0),
        known: Mutex::default(),
    };
    thread::scope(|scope| {
        for number in 0..WRITERS {
            let node = &node;
            scope.spawn(move || node.until_end(number, Node::change));
        }
        for number in 0..READERS {
            let node = &node;
            scope.spawn(move || node.until_end(100 + number, Node::ask));
        }
        scope.spawn(|| node.until_end(200, Node::look));
        scope.spawn(|| node.watch());
        _ = std::io::stdin().read_to_end(&mut Vec::new());
        node.ended.store(true, Ordering::Relaxed);
    });
}

impl Node {
    fn until_end(&self, number: u64, mut act: impl FnMut(&Self, &mut Random)) {
        let mut random = Random::new(now() ^ number << 48 ^ self.settings.node.0 << 56);
        while !self.ended.load(Ordering::Relaxed) {
            act(self, &mut random);
        }
    }

    /// One change, and what became of it.
    fn change(&self, random: &mut Random) {
        match random.within(0..10) {
            0..=3 => {
                let number = self.created.fetch_add(1, Ordering::Relaxed);
                let (node, life) = self.settings.node;
                let token = format!("{node}.{life}.{number}");
                let new = new_token(&token, owner(self.settings.node, number));
                let call = |authority: &Authority| authority.create(host(), new);
                self.log(Asked::Create(token), call, |issued| issued.receipt);
            }
            4..=6 => {
                let Some((token, id)) = self.any(random) else { return };
                if token.starts_with("register") {
                    return;
                }
                let asked = Asked::End(token);
                match random.within(0..4) {
                    0 => self.log(asked, |authority| authority.revoke(host(), id), |receipt| *receipt),
                    1 => self.log(asked, |authority| authority.delete(host(), id), |receipt| *receipt),
                    2 => {
                        let deactivate =
                            |authority: &Authority| authority.update(host(), id, Update::new().deactivate());
                        self.log(asked, deactivate, |updated| updated.receipt);
                    }
                    _ => {
                        let Ok(token) = self.authority.get(host(), id) else { return };
                        let suspend = |authority: &Authority| {
                            authority.set_owner_standing(host(), token.owner(), Standing::Suspended)
                        };
                        self.log(asked, suspend, |receipt| *receipt);
                    }
                }
            }
            _ => {
                let register = register(random.within(0..REGISTERS));
                let Ok(Some(token)) = self.find(&register) else { return };
                let next = value(token.description()) + 1;
                let update = Update::new().description(format!("{register} {next}")).if_revision(token.revision());
                let id = token.id();
                let call = |authority: &Authority| authority.update(host(), id, update);
                self.log(Asked::Set(register, next), call, |updated| updated.receipt);
            }
        }
    }

    fn log<T>(&self, what: Asked, call: impl FnOnce(&Authority) -> Pending<T>, receipt: impl FnOnce(&T) -> Receipt) {
        let op = self.operations.fetch_add(1, Ordering::Relaxed);
        self.log.write(&Line::Asked { op, at: now(), what });
        let answer = match call(&self.authority).wait() {
            Ok(done) => {
                let Receipt { revision, changed, everywhere, .. } = receipt(&done);
                Answer::Done { revision, changed, by: time_of(everywhere) }
            }
            Err(Error::InDoubt(_) | Error::Closed | Error::Unfinished { .. }) => Answer::InDoubt,
            Err(error) => {
                // While nothing works there is no hurry.
                if matches!(error, Error::Store(_)) {
                    thread::sleep(Duration::from_millis(20));
                }
                Answer::Refused(error.to_string())
            }
        };
        self.log.write(&Line::Answered { op, at: now(), answer });
    }

    /// One decision.
    fn ask(&self, random: &mut Random) {
        thread::sleep(Duration::from_millis(1));
        let Some((token, _)) = self.any(random) else { return };
        let began = now();
        let Ok(principal) = self.authority.authenticate(secret(&token)) else { return };
        if let Ok(permit) = principal.authorize(Read, Resource::buckets(org())) {
            self.log.write(&Line::Allowed { began, token, revision: permit.revision() });
        }
    }

    /// Learns of tokens.
    fn look(&self, random: &mut Random) {
        thread::sleep(Duration::from_millis(100));
        let filter = Filter::new().status(Status::Active);
        let mut after = None;
        while let Ok(page) = self.authority.list(host(), &filter, after, 100) {
            let mut known = self.known.lock().unwrap();
            for token in page.tokens {
                let name = token.description().split(' ').next().unwrap_or_default();
                // All of the registers, some of the others.
                if (name.starts_with("register") || random.within(0..4) == 0)
                    && !known.iter().any(|(_, id)| *id == token.id())
                {
                    known.push_back((name.to_owned(), token.id()));
                }
            }
            while known.len() > KNOWN {
                let oldest = known.pop_front();
                known.extend(oldest.filter(|(name, _)| name.starts_with("register")));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }

    /// Writes down when it has which revision.
    fn watch(&self) {
        let mut last = 0;
        while !self.ended.load(Ordering::Relaxed) {
            let revision = self.authority.position().revision;
            if revision != last {
                last = revision;
                self.log.write(&Line::Reached { at: now(), revision });
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn any(&self, random: &mut Random) -> Option<(String, TokenId)> {
        random.one_of(self.known.lock().unwrap().make_contiguous()).cloned()
    }

    fn find(&self, name: &str) -> Result<Option<portcullis::Token>, Error> {
        let id = self.known.lock().unwrap().iter().find(|(known, _)| known == name).map(|(_, id)| *id);
        id.map(|id| self.authority.get(host(), id)).transpose()
    }
}

pub fn register(number: u64) -> String {
    format!("register{number}")
}

/// The number in a register's description.
pub fn value(description: &str) -> u64 {
    description.split(' ').nth(1).and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// A store that may be wrong on purpose.
struct Wrong {
    store: PostgresStore,
    /// Takes what is in doubt for refused.
    guesses: bool,
    /// Leaves out changes.
    skips: bool,
    read: u64,
}

impl TokenStore for Wrong {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        match self.store.commit(expected, id, records) {
            Err(CommitError::InDoubt(error)) if self.guesses => Err(CommitError::Refused(error)),
            answer => answer,
        }
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        let mut changes = self.store.changes(since, limit)?;
        if self.skips && since != Position::ORIGIN {
            changes.records.retain(|_| {
                self.read += 1;
                !self.read.is_multiple_of(3)
            });
        }
        Ok(changes)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.store.touch(used)
    }

    fn wake_on_change(&mut self, waker: std::task::Waker) {
        self.store.wake_on_change(waker);
    }
}
