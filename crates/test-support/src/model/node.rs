//! What one authority knows: an old state until it looks again, and the principals that it gave out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portcullis::{Clock, Reason, Timestamp, TokenId};

use super::rules::{Acting, Objection, not_accepted};
use super::state::State;

/// An authenticated secret that somebody keeps.
pub struct Held {
    pub real: portcullis::Principal<'static>,
    pub token: TokenId,
    pub secret: String,
    /// It died with its secret, for good.
    pub dead: bool,
}

/// When a token was last used, in seconds: not before, not after. The authority looks at the clock now and then.
pub type Used = (u64, u64);

/// A commit that the store did not answer.
pub struct Doubt {
    /// What it was made on, and what it makes.
    pub before: State,
    pub after: State,
    /// Whether it is in the store.
    pub happened: bool,
}

pub struct Node {
    pub view: State,
    /// It lost the way to the store's history and could not read everything anew.
    pub lost: bool,
    pub held: Vec<Held>,
    pub used: BTreeMap<TokenId, Used>,
    /// Which of them it has not written to the store yet.
    pub unwritten: BTreeSet<TokenId>,
    pub doubt: Option<Doubt>,
    /// The times that it may take for the current one.
    pub time: Used,
    /// How old its view of the store may get.
    pub bound: Option<Duration>,
    /// When it last read the store, as it says, and when it last really was where the store is: by the clock's uptime.
    pub read: Duration,
    pub current: Duration,
}

pub fn seconds(time: Timestamp) -> u64 {
    time.as_micros() / 1_000_000
}

pub fn later(a: Used, b: Used) -> Used {
    (a.0.max(b.0), a.1.max(b.1))
}

impl Node {
    /// Just opened.
    pub fn new(head: &State, used: &BTreeMap<TokenId, Used>, clock: &dyn Clock, bound: Option<Duration>) -> Self {
        let (now, uptime) = (clock.now(), clock.uptime());
        let used = used.iter().filter(|(id, _)| head.tokens.contains_key(id)).map(|(id, used)| (*id, *used)).collect();
        let (held, unwritten, time) = (Vec::new(), BTreeSet::new(), (seconds(now), seconds(now)));
        Self {
            view: head.clone(),
            lost: false,
            held,
            used,
            unwritten,
            doubt: None,
            time,
            bound,
            read: uptime,
            current: uptime,
        }
    }

    /// It read what others changed, or everything where there was no way from its own state to the store's.
    pub fn read(&mut self, history: &[State], used: &BTreeMap<TokenId, Used>) {
        let Some(head) = history.last() else { return };
        let at = self.view.at;
        let known = history.iter().any(|state| state.at == at);
        let forgotten = at.revision < head.horizon && at.revision > 0;
        if self.lost || !known || forgotten {
            self.lose();
        }
        let before = if self.lost { 0 } else { at.revision };
        self.lost = false;
        for token in head.tokens.values().filter(|token| token.revision > before) {
            if let Some(stored) = used.get(&token.id) {
                let own = self.used.entry(token.id).or_insert(*stored);
                *own = later(*own, *stored);
            }
        }
        self.show(head);
    }

    /// It knows nothing any more, until it has read everything.
    pub fn lose(&mut self) {
        self.lost = true;
        self.used.clear();
        self.unwritten.clear();
        self.held.iter_mut().for_each(|held| held.dead = true);
    }

    /// From now on it shows this state. Principals die with their secrets.
    pub fn show(&mut self, state: &State) {
        self.view = state.clone();
        self.used.retain(|id, _| state.tokens.contains_key(id));
        for held in &mut self.held {
            let has = state.tokens.get(&held.token).is_some_and(|token| {
                token.secret == held.secret || token.overlap.as_ref().is_some_and(|(before, _)| *before == held.secret)
            });
            held.dead |= !has;
        }
    }

    /// Why it denies everything: it knows nothing, or only what was too long ago.
    pub fn check(&self, clock: &dyn Clock) -> Result<(), Reason> {
        if self.lost {
            return Err(Reason::Unavailable);
        }
        let behind = clock.uptime().saturating_sub(self.read);
        if self.bound.is_some_and(|bound| behind >= bound) { Err(Reason::Stale) } else { Ok(()) }
    }

    /// Whose secret it is.
    pub fn authenticate(&self, secret: &str, clock: &dyn Clock) -> Result<TokenId, Reason> {
        self.check(clock)?;
        self.view.authenticate(secret, clock.now())
    }

    /// A secret of that token was accepted.
    pub fn use_token(&mut self, id: TokenId) {
        let used = self.used.entry(id).or_insert(self.time);
        *used = later(*used, self.time);
        self.unwritten.insert(id);
    }

    /// The token of a principal, if it is accepted.
    pub fn token_of(&self, held: &Held, clock: &dyn Clock) -> Result<&super::state::Token, Reason> {
        self.check(clock)?;
        let now = clock.now();
        let token = self.view.tokens.get(&held.token).filter(|token| State::in_use(token, &held.secret, now));
        let token = token.filter(|_| !held.dead).ok_or(Reason::Unknown)?;
        self.view.accepts(token, now)?;
        Ok(token)
    }

    pub fn acting(&self, held: &Held, clock: &dyn Clock) -> Result<Acting, Objection> {
        self.token_of(held, clock).map(|token| Acting::Token(Box::new(token.clone()))).map_err(not_accepted)
    }
}
