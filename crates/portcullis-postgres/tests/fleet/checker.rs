//! Whether what nodes wrote down can be the history of one store that keeps its promises.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::history::{Answer, Asked, History, Line, Time};

/// A promise that was broken.
#[derive(Debug)]
#[allow(dead_code)] // Read by people, through `Debug`.
pub enum Violation {
    /// A decision that says which revision it was made at ignores an end at that revision or before.
    AllowedAtRevision { token: String, allowed: u64, ended: u64 },
    /// A decision that began after a receipt's time ignores its change.
    AllowedTooLate { token: String, began: Time, by: Time },
    /// The same on the node that made the change, after its call returned.
    AllowedAfterReturn { token: String, began: Time, returned: Time },
    /// Two nodes made the same commit.
    SharedRevision { revision: u64 },
    /// A change that began after another had returned came before it.
    OutOfOrder { revision: u64, returned: u64 },
    /// Two changes of a register that each say that they alone made it.
    Doubled { register: String, value: u64 },
    /// A change of a register that nobody made, or who did was told that it was not made.
    FromNowhere { register: String, value: u64 },
    /// A token whose creation was refused.
    Refused { token: String },
    /// What is there in the end is not what was done last.
    NotAsLast { what: String },
}

/// What is there in the end.
#[derive(Default)]
pub struct End {
    /// Every token, and whether it is accepted.
    pub tokens: BTreeMap<String, bool>,
    pub registers: BTreeMap<String, u64>,
}

/// The store was put back to a backup.
#[derive(Debug, Clone, Copy)]
pub struct Restored {
    /// What it contains.
    pub revision: u64,
    /// When the restored store could be used.
    pub at: Time,
}

/// A change that was acknowledged.
struct Done {
    node: (u64, u64),
    asked: Time,
    answered: Time,
    revision: u64,
    changed: usize,
    by: Time,
    what: Asked,
    /// Whether it was made after the store was restored.
    later: bool,
}

impl Done {
    /// Whether a restored backup lacks it.
    fn is_taken_back(&self, restored: Option<Restored>) -> bool {
        restored.is_some_and(|restored| !self.later && self.revision > restored.revision)
    }
}

pub struct Report {
    pub violations: Vec<Violation>,
    lines: usize,
    allowed: usize,
    done: usize,
    refused: usize,
    in_doubt: usize,
    taken_back: usize,
    diverged: usize,
    denying: usize,
    last_revision: u64,
    /// From an answer to another node's having the revision, in order.
    propagation: Vec<Time>,
}

pub fn check(histories: &[History], end: &End, restored: Option<Restored>) -> Report {
    let (mut done, mut in_doubt, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for history in histories {
        let mut asked = HashMap::new();
        for line in &history.lines {
            match line {
                Line::Asked { op, at, what } => _ = asked.insert(*op, (*at, what.clone())),
                Line::Answered { op, at, answer } => {
                    let Some((begun, what)) = asked.remove(op) else { continue };
                    match *answer {
                        Answer::Done { revision, changed, by } => {
                            let later = restored.is_some_and(|restored| *at >= restored.at);
                            let (node, answered) = (history.node, *at);
                            done.push(Done { node, asked: begun, answered, revision, changed, by, what, later });
                        }
                        Answer::Refused(_) => refused.push(what),
                        Answer::InDoubt => in_doubt.push(what),
                    }
                }
                _ => {}
            }
        }
        // Whoever was killed may have been heard.
        in_doubt.extend(asked.into_values().map(|(_, what)| what));
    }
    let mut violations = Vec::new();
    let allowed = check_allowed(histories, &done, restored, &mut violations);
    check_order(&done, &mut violations);
    check_registers(&done, &in_doubt, end, restored, &mut violations);
    for what in &refused {
        if let Asked::Create(token) = what
            && end.tokens.contains_key(token)
        {
            violations.push(Violation::Refused { token: token.clone() });
        }
    }
    check_end(&done, &in_doubt, end, restored, &mut violations);
    let count =
        |kind: fn(&Line) -> bool| histories.iter().flat_map(|history| &history.lines).filter(|line| kind(line)).count();
    Report {
        violations,
        lines: count(|_| true),
        allowed,
        refused: refused.len(),
        in_doubt: in_doubt.len(),
        taken_back: done.iter().filter(|done| done.is_taken_back(restored)).count(),
        diverged: count(|line| matches!(line, Line::Diverged { .. })),
        denying: count(|line| matches!(line, Line::Denying { denying: true, .. })),
        last_revision: done.iter().map(|done| done.revision).max().unwrap_or_default(),
        propagation: if restored.is_none() { propagation(histories, &done) } else { Vec::new() },
        done: done.len(),
    }
}

fn check_allowed(
    histories: &[History],
    done: &[Done],
    restored: Option<Restored>,
    violations: &mut Vec<Violation>,
) -> usize {
    let mut ends: HashMap<&str, Vec<&Done>> = HashMap::new();
    for done in done {
        if let Asked::End(token) = &done.what {
            ends.entry(token).or_default().push(done);
        }
    }
    let mut count = 0;
    for history in histories {
        // Whether this node has noticed that the store was restored.
        let mut later = history.lines.first().is_some_and(|line| match (line, restored) {
            (Line::Asked { at, .. } | Line::Reached { at, .. }, Some(restored)) => *at >= restored.at,
            _ => false,
        });
        for line in &history.lines {
            later |= matches!(line, Line::Diverged { .. });
            let Line::Allowed { began, token, revision } = line else { continue };
            count += 1;
            for end in ends.get(&**token).into_iter().flatten() {
                if end.is_taken_back(restored) && later {
                    continue;
                }
                let (token, began) = (token.clone(), *began);
                if later == end.later && *revision >= end.revision {
                    violations.push(Violation::AllowedAtRevision { token, allowed: *revision, ended: end.revision });
                } else if end.node == history.node && began > end.answered {
                    violations.push(Violation::AllowedAfterReturn { token, began, returned: end.answered });
                } else if began > end.by && !end.is_taken_back(restored) {
                    violations.push(Violation::AllowedTooLate { token, began, by: end.by });
                }
            }
        }
    }
    count
}

fn check_order(done: &[Done], violations: &mut Vec<Violation>) {
    for later in [false, true] {
        let changes = || done.iter().filter(|done| done.changed > 0 && done.later == later);
        let mut made_by = HashMap::new();
        for done in changes() {
            if *made_by.entry(done.revision).or_insert(done.node) != done.node {
                violations.push(Violation::SharedRevision { revision: done.revision });
            }
        }
        let (mut asked, mut answered): (Vec<_>, Vec<_>) = (changes().collect(), changes().collect());
        asked.sort_by_key(|done| done.asked);
        answered.sort_by_key(|done| done.answered);
        let (mut answered, mut returned) = (answered.into_iter().peekable(), 0);
        for done in asked {
            while let Some(before) = answered.next_if(|before| before.answered < done.asked) {
                returned = returned.max(before.revision);
            }
            if done.revision <= returned {
                violations.push(Violation::OutOfOrder { revision: done.revision, returned });
            }
        }
    }
}

/// Every number from one on was set exactly once.
fn check_registers(
    done: &[Done],
    in_doubt: &[Asked],
    end: &End,
    restored: Option<Restored>,
    violations: &mut Vec<Violation>,
) {
    let mut possible = BTreeSet::new();
    for what in in_doubt {
        if let Asked::Set(register, value) = what {
            possible.insert((register, *value));
        }
    }
    for (register, last) in &end.registers {
        let mut values = BTreeMap::new();
        for done in done.iter().filter(|done| !done.is_taken_back(restored)) {
            if let Asked::Set(of, value) = &done.what
                && of == register
                && values.insert(*value, done.revision).is_some()
            {
                violations.push(Violation::Doubled { register: register.clone(), value: *value });
            }
        }
        let mut before = 0;
        for value in 1..=*last {
            match values.get(&value) {
                Some(revision) if *revision <= before => {
                    violations.push(Violation::OutOfOrder { revision: *revision, returned: before });
                }
                Some(revision) => before = *revision,
                None if possible.contains(&(register, value)) => {}
                None => violations.push(Violation::FromNowhere { register: register.clone(), value }),
            }
        }
        if values.keys().next_back().is_some_and(|highest| highest > last) {
            violations.push(Violation::NotAsLast { what: format!("{register} is {last}") });
        }
    }
}

fn check_end(
    done: &[Done],
    in_doubt: &[Asked],
    end: &End,
    restored: Option<Restored>,
    violations: &mut Vec<Violation>,
) {
    let mut wrong = |what: String| violations.push(Violation::NotAsLast { what });
    let perhaps = in_doubt.iter().filter_map(|what| if let Asked::End(token) = what { Some(token) } else { None });
    let perhaps: BTreeSet<_> = perhaps.collect();
    let mut ended = BTreeSet::new();
    for done in done.iter().filter(|done| !done.is_taken_back(restored)) {
        if let Asked::End(token) = &done.what {
            ended.insert(token);
            if end.tokens.get(token) == Some(&true) {
                wrong(format!("token {token} is accepted"));
            }
        }
    }
    for done in done.iter().filter(|done| !done.is_taken_back(restored)) {
        if let Asked::Create(token) = &done.what
            && !ended.contains(token)
            && !perhaps.contains(token)
            && end.tokens.get(token) != Some(&true)
        {
            wrong(format!("token {token} is not accepted"));
        }
    }
}

fn propagation(histories: &[History], done: &[Done]) -> Vec<Time> {
    let mut took = Vec::new();
    for history in histories {
        let reached =
            |line: &Line| if let Line::Reached { at, revision } = line { Some((*revision, *at)) } else { None };
        let reached: Vec<_> = history.lines.iter().filter_map(reached).collect();
        let Some((_, first)) = reached.first() else { continue };
        for done in done.iter().filter(|done| done.changed > 0 && done.node.0 != history.node.0) {
            let at = reached.partition_point(|(revision, _)| *revision < done.revision);
            if let Some((_, at)) = reached.get(at)
                && first <= &done.answered
            {
                took.push(at.saturating_sub(done.answered));
            }
        }
    }
    took.sort_unstable();
    took
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, allowed, done, refused, in_doubt, last_revision, taken_back, diverged, denying, .. } = self;
        writeln!(f, "  {lines} lines, {allowed} decisions that allowed, nodes denied everything {denying} times")?;
        writeln!(f, "  changes: {done} done in {last_revision} commits, {refused} refused, {in_doubt} in doubt")?;
        if *taken_back > 0 {
            writeln!(f, "  the restored backup took {taken_back} changes back, noticed {diverged} times")?;
        }
        let at = |part: usize| {
            let time = self.propagation.get((self.propagation.len().saturating_sub(1)) * part / 1_000);
            time.map_or(0.0, |time| f64::from(u32::try_from(*time).unwrap_or(u32::MAX)) / 1_000.0)
        };
        if !self.propagation.is_empty() {
            let (p50, p99, most) = (at(500), at(990), at(1_000));
            writeln!(f, "  from an answer to another node's having it: p50 {p50} ms, p99 {p99} ms, maximum {most} ms")?;
        }
        write!(f, "  violations: {}", self.violations.len())
    }
}
