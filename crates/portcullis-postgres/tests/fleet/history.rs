//! What nodes write down: one line for each thing, written before the next begins, so that it outlives `kill -9`.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use portcullis::{Everywhere, Timestamp};
use serde::{Deserialize, Serialize};

/// Microseconds since 1970. All nodes are on one machine: they share its clock.
pub type Time = u64;

pub fn now() -> Time {
    Timestamp::from(SystemTime::now()).as_micros()
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// A new token.
    Create(String),
    /// That the token is never accepted again: by revoking, deleting, deactivating it, or suspending its owner.
    End(String),
    /// That a register, last seen with the number before, has this one.
    Set(String, u64),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Done {
        revision: u64,
        changed: usize,
        by: Time,
    },
    /// For certain, nothing changed.
    Refused(String),
    InDoubt,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Line {
    Asked {
        op: u64,
        at: Time,
        what: Asked,
    },
    Answered {
        op: u64,
        at: Time,
        answer: Answer,
    },
    /// A decision that began then allowed something, and told that revision.
    Allowed {
        began: Time,
        token: String,
        revision: u64,
    },
    /// From then on the node had the revision.
    Reached {
        at: Time,
        revision: u64,
    },
    /// The node noticed that the store has another history.
    Diverged {
        at: Time,
    },
    /// Everything is denied from then on, or not any more.
    Denying {
        at: Time,
        denying: bool,
    },
}

pub struct Log(Mutex<File>);

impl Log {
    pub fn create(path: &Path) -> Self {
        Self(Mutex::new(File::create(path).unwrap()))
    }

    pub fn write(&self, line: &Line) {
        let text = serde_json::to_string(line).unwrap() + "\n";
        self.0.lock().unwrap().write_all(text.as_bytes()).unwrap();
    }
}

/// What one node wrote between its start and its end.
pub struct History {
    /// Its number, and how often it was started before.
    pub node: (u64, u64),
    pub lines: Vec<Line>,
}

impl History {
    pub fn read(node: (u64, u64), path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // The last line may be cut off.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Self { node, lines: whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
    }
}

pub fn time_of(everywhere: Everywhere) -> Time {
    match everywhere {
        Everywhere::By(time) => time.as_micros(),
        Everywhere::Now => 0,
        Everywhere::Unbounded => Time::MAX,
    }
}
