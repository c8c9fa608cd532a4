//! Takes steps with two authorities on one store and in the model, and compares everything after each.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use portcullis::testing::{self, Fault, Faults, FaultyStore, ManualClock};
use portcullis::{
    Actor, Authority, Clock, Error, Everywhere, Filter, KindName, Principal, Reason, Standing, Status, Timestamp,
    TokenId,
};

use super::calls::{Call, HOUR, New, Reply, START, chosen, kind, nobody, organization, start, user};
use super::compare::{Seen, differs, ensure, same};
use super::medium::{Medium, Place};
use super::node::{Doubt, Held, Node, Used, later, seconds};
use super::rules::{self, Acting, Learned, Objection, Plan, Told, Verdict};
use super::state::State;
use super::steps::{Numbers, STEP, Step, StoreCall};

/// How many principals are kept at a time on an authority.
const HELD: usize = 10;

/// An authority, and what the model says that it knows.
pub struct Seat {
    /// `None` only while it is opened again.
    pub authority: Option<Authority>,
    pub faults: Faults,
    pub node: Node,
}

/// Who makes a call.
#[derive(Debug, Clone, Copy)]
pub enum Who {
    Host,
    /// A principal of the authority that is asked.
    Held(usize),
    /// One of the other authority.
    Foreign(usize),
}

pub struct Run {
    pub clock: ManualClock,
    pub medium: Medium,
    /// What the store held at each revision.
    pub history: Vec<State>,
    /// When tokens were last used, as the store knows it.
    pub used: BTreeMap<TokenId, Used>,
    pub seats: [Seat; 2],
    /// Every token and secret that ever was.
    pub ids: Vec<TokenId>,
    pub secrets: Vec<String>,
    /// Principals of authorities that are closed.
    pub closed: Vec<Principal<'static>>,
    pub told: Vec<String>,
    /// Tokens that were answered, while several calls are judged, and after which state.
    pub shown: Vec<(usize, Seen)>,
}

fn now(clock: &ManualClock) -> Timestamp {
    clock.now()
}

/// How old an authority's view may get.
fn bound(number: usize) -> Option<Duration> {
    (number == 1).then_some(HOUR * 2)
}

fn open(medium: &Medium, number: usize, clock: &ManualClock) -> (Authority, Faults) {
    // One of them reads in pages of a few records.
    let store = if number == 0 { medium.clone() } else { medium.paged() };
    let (store, faults) = FaultyStore::new(store);
    let settings = Authority::builder().clock(clock.clone()).follow(HOUR).write_last_used(Duration::MAX);
    // And that one denies everything when it has not read the store for too long.
    let settings = match bound(number) {
        Some(bound) => settings.stale_after(bound),
        None => settings.availability_over_revocation(),
    };
    (settings.open(store).wait().unwrap(), faults)
}

/// Takes the steps that these bytes are, on a store in that place. Where the library is not like the model: all that
/// was done, and what differs.
///
/// # Errors
/// They differ.
pub fn run(bytes: &[u8], place: impl Place + 'static) -> Result<(), String> {
    let clock = ManualClock::new(START);
    let medium = Medium::new(place);
    let empty = State::new();
    let seats = [0, 1].map(|number| {
        let (authority, faults) = open(&medium, number, &clock);
        Seat { authority: Some(authority), faults, node: Node::new(&empty, &BTreeMap::new(), &clock, bound(number)) }
    });
    let mut world = Run {
        clock,
        medium,
        history: vec![empty],
        used: BTreeMap::new(),
        seats,
        ids: vec!["020f755c3c082000".parse().unwrap()],
        secrets: vec![chosen(0)],
        closed: Vec::new(),
        told: Vec::new(),
        shown: Vec::new(),
    };
    let Err(difference) = catch_unwind(AssertUnwindSafe(|| world.take(bytes))) else { return Ok(()) };
    let texts = [difference.downcast_ref::<String>().map(String::as_str), difference.downcast_ref::<&str>().copied()];
    let difference = texts.into_iter().flatten().next().unwrap_or("a panic");
    // A store that hangs would keep its authority from closing.
    for seat in &world.seats {
        seat.faults.heal();
        seat.faults.release();
    }
    let told = world.told.iter().enumerate().map(|(number, line)| format!("{number:>3}: {line}\n"));
    Err(format!("{}{difference}", told.collect::<String>()))
}

impl Run {
    fn take(&mut self, bytes: &[u8]) {
        let (steps, _) = bytes.as_chunks::<STEP>();
        // Mostly there is something to begin with.
        if steps.first().is_none_or(|first| first[STEP - 1] >= 32) {
            self.begin();
            self.look();
        }
        for step in steps {
            self.note_who_is_current();
            self.step(&mut Numbers::new(step));
            self.look();
        }
        // What is stored is what both would find.
        for seat in [0, 1] {
            self.reopen(seat, true);
            self.look();
        }
    }

    pub fn now(&self) -> Timestamp {
        now(&self.clock)
    }

    pub fn head(&self) -> &State {
        self.history.last().unwrap()
    }

    pub fn authority(&self, seat: usize) -> &Authority {
        self.seats[seat].authority.as_ref().unwrap()
    }

    /// Some tokens, and principals of them.
    fn begin(&mut self) {
        self.call(0, Who::Host, &Call::Setup(user(0)));
        for number in [1, 3, 8, 11, 4] {
            let new = New {
                kind: kind(number, self.ids[0]),
                owner: Some(user(number)),
                description: String::new(),
                expires: None,
                secret: None,
            };
            self.call(number % 2, Who::Host, &Call::Create(new));
        }
        for seat in [0, 1] {
            // A call by which it reads what the other did.
            self.call(seat, Who::Host, &Call::SetOwner(user(0), Standing::Active));
            (1..self.secrets.len()).for_each(|secret| self.hold(seat, secret));
        }
    }

    fn step(&mut self, numbers: &mut Numbers<'_>) {
        let step = Step::read(numbers);
        let seat = numbers.below(2);
        match step {
            Step::Faulty(..) | Step::Doubt(_) if self.seats[seat].node.doubt.is_some() => self.any_call(seat, numbers),
            Step::Call => self.any_call(seat, numbers),
            Step::Together => self.together(seat, numbers),
            Step::Faulty(call, nth, fault) => self.faulty(seat, numbers, (call, nth, fault)),
            Step::Doubt(happens) => self.in_doubt(seat, numbers, happens),
            Step::Hold => {
                let secret = numbers.below(self.secrets.len());
                self.hold(seat, secret);
            }
            Step::List => self.list(seat, numbers),
            Step::Clock(by, back) => {
                let time = if back { self.now().saturating_sub(by) } else { self.now().saturating_add(by) };
                self.told.push(format!("the clock shows {time}"));
                if back {
                    self.clock.set(time);
                } else {
                    self.clock.advance(by);
                }
                for seat in &mut self.seats {
                    let time = seconds(time);
                    seat.node.time = (seat.node.time.0.min(time), seat.node.time.1.max(time));
                }
            }
            Step::Reopen => self.reopen(seat, true),
            Step::Crash => self.reopen(seat, false),
            Step::Restore(commits) => {
                let revision = self.head().at.revision.saturating_sub(commits);
                self.told.push(format!("the store is restored as of revision {revision}"));
                self.medium.restore(revision);
                self.history.truncate(usize::try_from(revision).unwrap() + 1);
            }
        }
    }

    fn any_call(&mut self, seat: usize, numbers: &mut Numbers<'_>) {
        let who = self.who(seat, numbers);
        let call = self.any(numbers);
        self.call(seat, who, &call);
    }

    pub fn actor(&self, seat: usize, who: Who) -> Actor {
        match who {
            Who::Host => Actor::host("model"),
            Who::Held(number) => (&self.seats[seat].node.held[number].real).into(),
            Who::Foreign(number) => (&self.seats[1 - seat].node.held[number].real).into(),
        }
    }

    /// Who that is, as far as that authority knows.
    pub fn acting(&self, seat: usize, who: Who) -> Result<Acting, Objection> {
        let node = &self.seats[seat].node;
        match who {
            Who::Host => Ok(Acting::Host("model".into())),
            Who::Held(number) => node.acting(&node.held[number], &self.clock),
            Who::Foreign(_) => Err(rules::foreign()),
        }
    }

    fn tell(&mut self, seat: usize, who: Who, call: &Call, answer: &Result<Reply, Error>) {
        let name = match who {
            Who::Host => "the host".into(),
            Who::Held(number) => format!("principal {number} ({})", self.seats[seat].node.held[number].token),
            Who::Foreign(number) => format!("a principal of the other ({number})"),
        };
        let answer = match answer {
            Ok(Reply::Issued(issued)) => format!("token {} with `{}`", issued.token.id(), issued.secret.expose()),
            Ok(Reply::Updated(portcullis::Updated { token, .. })) => {
                format!("token {} at revision {}", token.id(), token.revision())
            }
            Ok(Reply::Receipt(receipt)) => format!("{receipt:?}"),
            Err(error) => error.to_string(),
        };
        self.told.push(format!("authority {seat}, {name}: {call:?}\n     -> {answer}"));
    }

    fn call(&mut self, seat: usize, who: Who, call: &Call) {
        let answer = start(self.authority(seat), &self.actor(seat, who), call).wait();
        self.tell(seat, who, call, &answer);
        self.catch_up(seat);
        self.judge(seat, who, call, answer, None);
        self.called(seat);
    }

    /// Several calls that the authority finds waiting together. It is as if they came one after another, but they may
    /// have one revision.
    fn together(&mut self, seat: usize, numbers: &mut Numbers<'_>) {
        let standing = match self.head().owner(nobody()) {
            Standing::Active => Standing::Suspended,
            _ => Standing::Active,
        };
        let mut calls = vec![(Who::Host, Call::SetOwner(nobody(), standing))];
        for _ in 0..2 {
            calls.push((self.who(seat, numbers), self.any(numbers)));
        }
        // Others are about the same as that one before.
        let who = self.who(seat, numbers);
        calls.push((who, calls[2].1.clone()));

        let faults = self.seats[seat].faults.clone();
        // What is in doubt is settled before anything that would hang.
        if self.seats[seat].node.doubt.is_some() || self.seats[seat].node.lost {
            return calls.iter().for_each(|(who, call)| self.call(seat, *who, call));
        }
        faults.next(testing::Call::Commit, Fault::Hang);
        let mut waiting = Vec::new();
        for (number, (who, call)) in calls.iter().enumerate() {
            waiting.push(start(self.authority(seat), &self.actor(seat, *who), call));
            if number == 0 {
                faults.wait_until_hanging();
            }
        }
        faults.release();
        self.told.push(format!("{} calls together", calls.len()));
        self.catch_up(seat);
        let since = self.head().at.revision;
        let mut states = Vec::new();
        for ((who, call), waiting) in calls.iter().zip(waiting) {
            let answer = waiting.wait();
            self.tell(seat, *who, call, &answer);
            self.judge(seat, *who, call, answer, Some(since));
            states.push(self.head().clone());
            self.shown
                .iter_mut()
                .filter(|(after, _)| *after == usize::MAX)
                .for_each(|shown| shown.0 = states.len() - 1);
        }
        self.called(seat);
        // A token is shown as it is after the commit: as the call left it, or one that was made together with it.
        for (after, shown) in std::mem::take(&mut self.shown) {
            let later = states[after..].iter().filter_map(|state| Some((state, state.tokens.get(&shown.id)?)));
            let mut expected = later.map(|(state, token)| Seen::by_the_rules(state, token, self.now()));
            ensure(expected.any(|expected| expected == shown), || format!("the answer shows {shown:#?}"));
        }
    }

    /// The authority settles what it is in doubt about, and reads what others changed.
    fn catch_up(&mut self, seat: usize) {
        self.settle(seat);
        let node = &mut self.seats[seat].node;
        if node.check(&self.clock).is_err() {
            node.read = self.clock.uptime();
        }
        node.read(&self.history, &self.used);
    }

    /// A commit in doubt is repeated: it happened, happens now, or cannot any more.
    fn settle(&mut self, seat: usize) {
        let Some(Doubt { before, mut after, happened }) = self.seats[seat].node.doubt.take() else { return };
        // Unless a backup from before it was restored.
        let happened = happened && self.history.iter().any(|state| state.at == after.at);
        if !happened && self.head().at == before.at {
            after.at = self.medium.position(before.at.revision + 1);
            self.history.push(after.clone());
        } else if !happened {
            return;
        }
        self.seats[seat].node.show(&after);
    }

    fn plan(&self, state: &State, revision: u64, seat: usize, who: Who, call: &Call, learned: &Learned) -> Verdict {
        Plan { state, now: self.now(), revision, learned }.judge(self.acting(seat, who), call)
    }

    /// Whether the answer is the right one, and what is there afterwards. `since` is for calls that may share commits
    /// from that revision on.
    fn judge(&mut self, seat: usize, who: Who, call: &Call, answer: Result<Reply, Error>, since: Option<u64>) {
        let last = self.head().at.revision;
        let told = match &answer {
            Ok(Reply::Issued(issued)) => Some(issued.token.revision()),
            Ok(Reply::Updated(updated)) => Some(updated.token.revision()),
            Ok(Reply::Receipt(receipt)) => Some(receipt.revision),
            Err(_) => None,
        };
        let shares = since.is_some_and(|since| last > since) && told == Some(last);
        let revision = if shares { last } else { last + 1 };
        let learned = match &answer {
            Ok(Reply::Issued(issued)) => Learned { id: issued.token.id(), secret: issued.secret.expose().to_owned() },
            _ => Learned { id: self.ids[0], secret: String::new() },
        };
        let head = self.head().clone();
        match (self.plan(&head, revision, seat, who, call, &learned), answer) {
            (Verdict::Refused(objections), Err(error)) => {
                let objection = Objection::of(&error);
                ensure(objections.contains(&objection), || {
                    format!("{objection:?}, but expected one of {objections:?}")
                });
            }
            (Verdict::Refused(objections), Ok(_)) => differs(format!("it was allowed, but {objections:?}")),
            (Verdict::Done(_, _, Told::MayBeForgotten(id)), Err(error)) => {
                same(&Objection::of(&error), &rules::not_found(id), "the answer");
            }
            (Verdict::Done(..), Err(error)) => differs(format!("it was refused: {error}")),
            (Verdict::Done(mut after, changed, told), Ok(reply)) => {
                if changed {
                    after.at = self.medium.position(revision);
                    if shares {
                        self.history.pop();
                    }
                    self.history.push((*after).clone());
                    self.seats[seat].node.show(&after);
                }
                let shown = self.answered(seat, &after, told, &reply, changed, revision);
                match (shown, since) {
                    (Some((found, _)), Some(_)) => self.shown.push((usize::MAX, found)),
                    (Some((found, expected)), None) => same(&found, &expected, "the answer"),
                    (None, _) => {}
                }
            }
        }
    }

    /// What was answered is right. A token in it, as it is shown and as the rules say.
    fn answered(
        &mut self,
        seat: usize,
        after: &State,
        told: Told,
        reply: &Reply,
        changed: bool,
        revision: u64,
    ) -> Option<(Seen, Seen)> {
        let now = self.now();
        let shown = |id, token: &portcullis::Token| {
            (Seen::really(token, now), Seen::by_the_rules(after, &after.tokens[&id], now))
        };
        match (told, reply) {
            (Told::Token(id), Reply::Updated(updated)) => {
                self.compare_everywhere(seat, &updated.receipt);
                return Some(shown(id, &updated.token));
            }
            (Told::Token(id), Reply::Issued(issued)) => {
                let secret = issued.secret.expose().to_owned();
                same(&secret, &after.tokens[&id].secret, "the secret");
                if !self.ids.contains(&id) {
                    self.ids.push(id);
                }
                self.issued(secret);
                return Some(shown(id, &issued.token));
            }
            (Told::Count(count), Reply::Receipt(receipt)) => {
                same(&receipt.changed, &count, "how many changed");
                self.compare_everywhere(seat, receipt);
                ensure(!changed || receipt.revision == revision, || format!("{receipt:?}, not revision {revision}"));
            }
            (Told::MayBeForgotten(_), Reply::Receipt(receipt)) => same(&receipt.changed, &0, "how many changed"),
            (told, reply) => differs(format!("{reply:?} for {told:?}")),
        }
        None
    }

    /// Rule 17: when a change holds on every authority.
    fn compare_everywhere(&self, seat: usize, receipt: &portcullis::Receipt) {
        let expected = match bound(seat) {
            Some(bound) => Everywhere::By(self.now().saturating_add(bound + bound / 1_000)),
            None => Everywhere::Unbounded,
        };
        same(&receipt.everywhere, &expected, "when it holds everywhere");
    }

    /// A secret that was in use before, and forgotten, may be in use again. Whether a principal from before, of an
    /// authority that did not notice, lives on is not laid down.
    fn issued(&mut self, secret: String) {
        if self.secrets.contains(&secret) {
            for seat in &mut self.seats {
                seat.node.held.retain(|held| held.secret != secret || held.dead);
            }
        } else {
            self.secrets.push(secret);
        }
    }

    /// After a call that was answered the authority is where the store is.
    fn called(&mut self, seat: usize) {
        let now = seconds(self.now());
        self.seats[seat].node.time = (now, now);
        same(&self.medium.head(), &self.head().at, "what the store holds");
        same(&self.authority(seat).position(), &self.head().at, "how far it followed");
        self.note_reading(seat);
    }

    fn faulty(&mut self, seat: usize, numbers: &mut Numbers<'_>, (store_call, nth, fault): (StoreCall, u64, Fault)) {
        let (who, call) = (self.who(seat, numbers), self.any(numbers));
        let faults = self.seats[seat].faults.clone();
        let store_call = match store_call {
            StoreCall::Commit => testing::Call::Commit,
            StoreCall::Changes => testing::Call::Changes,
        };
        faults.nth(store_call, nth, fault);
        self.told.push(format!("the store's {store_call:?} number {nth} from now on goes wrong: {fault:?}"));
        let answer = start(self.authority(seat), &self.actor(seat, who), &call).wait();
        faults.heal();
        self.tell(seat, who, &call, &answer);
        if let Err(Error::Store(_)) = answer {
            same(&self.medium.head(), &self.head().at, "nothing changed");
            self.follow_position(seat);
        } else {
            self.catch_up(seat);
            self.judge(seat, who, &call, answer, None);
            self.called(seat);
        }
    }

    /// How far an authority came before its store failed, it says itself.
    fn follow_position(&mut self, seat: usize) {
        let (lost, at) =
            (self.authority(seat).health().denies == Some(Reason::Unavailable), self.authority(seat).position());
        let now = seconds(self.now());
        let node = &mut self.seats[seat].node;
        node.time = (node.time.0.min(now), node.time.1.max(now));
        if lost {
            node.lose();
            return;
        }
        if node.lost || at != node.view.at {
            node.read(&self.history, &self.used);
            same(&at, &self.seats[seat].node.view.at, "how far it followed");
        }
        self.note_reading(seat);
    }

    fn note_who_is_current(&mut self) {
        let (at, uptime) = (self.head().at, self.clock.uptime());
        for seat in &mut self.seats {
            if !seat.node.lost && seat.node.view.at == at {
                seat.node.current = uptime;
            }
        }
    }

    /// When an authority last read the store it says itself; it cannot have been where the store is any later.
    fn note_reading(&mut self, seat: usize) {
        let uptime = self.clock.uptime();
        let behind = self.authority(seat).health().behind;
        self.note_who_is_current();
        let node = &mut self.seats[seat].node;
        node.read = uptime.saturating_sub(behind);
        ensure(node.read <= node.current, || format!("read at {:?}, but behind since {:?}", node.read, node.current));
    }

    /// The store takes a commit, or does not, and never says so.
    fn in_doubt(&mut self, seat: usize, numbers: &mut Numbers<'_>, happens: bool) {
        let (who, call) = (self.who(seat, numbers), self.any(numbers));
        if call.chooses() {
            return self.call(seat, who, &call);
        }
        let faults = self.seats[seat].faults.clone();
        let fault = if happens { Fault::DoubtAfter } else { Fault::DoubtBefore };
        (1..=8).for_each(|nth| faults.nth(testing::Call::Commit, nth, fault));
        let answer = start(self.authority(seat), &self.actor(seat, who), &call).wait();
        faults.heal();
        self.told.push(format!("the store does not answer: {fault:?}"));
        self.tell(seat, who, &call, &answer);
        if !matches!(answer, Err(Error::InDoubt(_))) {
            self.catch_up(seat);
            self.judge(seat, who, &call, answer, None);
            return self.called(seat);
        }
        self.follow_position(seat);
        let before = self.seats[seat].node.view.clone();
        let learned = Learned { id: self.ids[0], secret: String::new() };
        let verdict = self.plan(&before, before.at.revision + 1, seat, who, &call, &learned);
        let Verdict::Done(mut after, true, told) = verdict else { differs(format!("in doubt, but {verdict:?}")) };
        let happened = self.medium.head() != self.head().at;
        if happened {
            ensure(happens && self.head().at == before.at, || "what cannot happen did".into());
            after.at = self.medium.head();
            self.history.push((*after).clone());
        }
        if let Told::Token(id) = told {
            self.issued(after.tokens[&id].secret.clone());
        }
        self.seats[seat].node.doubt = Some(Doubt { before, after: *after, happened });
    }

    fn hold(&mut self, seat: usize, secret: usize) {
        let secret = self.secrets[secret].clone();
        let Ok(id) = self.seats[seat].node.authenticate(&secret, &self.clock) else { return };
        let real = self.authority(seat).authenticate(&secret).unwrap().into_owned();
        self.told.push(format!("authority {seat}: a principal for `{secret}` of {id} is kept"));
        let node = &mut self.seats[seat].node;
        node.use_token(id);
        if node.held.len() >= HELD {
            node.held.remove(0);
        }
        node.held.push(Held { real, token: id, secret, dead: false });
    }

    fn list(&mut self, seat: usize, numbers: &mut Numbers<'_>) {
        let who = self.who(seat, numbers);
        let mut some = |all: usize| numbers.below(all) == 0;
        let [organized, owned, created, kinds, statuses, ends, begun] = [3, 4, 6, 5, 5, 5, 5].map(&mut some);
        let kinds_named = [KindName::Operator, KindName::AllAccess, KindName::ReadWrite, KindName::Custom];
        let mut filter = Filter::new();
        filter.organization = organized.then(|| organization(numbers.next()));
        filter.owner = owned.then(|| user(numbers.next()));
        filter.creator = created.then(|| self.ids[numbers.below(self.ids.len())]);
        filter.kind = kinds.then(|| numbers.of(&kinds_named));
        filter.status = statuses.then(|| numbers.of(&[Status::Active, Status::Inactive, Status::Revoked]));
        filter.expires_by = ends.then(|| START.saturating_add(HOUR));
        let after = begun.then(|| self.ids[numbers.below(self.ids.len())]);
        let limit = 1 + numbers.below(4);
        self.told.push(format!("authority {seat}, {who:?}: list {filter:?} after {after:?}"));
        self.compare_list(seat, who, &filter, after, limit);
    }

    fn reopen(&mut self, seat: usize, orderly: bool) {
        self.told.push(format!("authority {seat} {}", if orderly { "is closed and opened" } else { "crashes" }));
        let faults = self.seats[seat].faults.clone();
        if orderly {
            self.seats[seat].authority = None;
            self.settle(seat);
            let node = &self.seats[seat].node;
            for id in &node.unwritten {
                if let Some(used) = node.used.get(id) {
                    let stored = self.used.entry(*id).or_insert(*used);
                    *stored = later(*stored, *used);
                }
            }
        } else {
            faults.always(testing::Call::Touch, Fault::Refuse);
            faults.always(testing::Call::Commit, Fault::DoubtBefore);
            self.seats[seat].authority = None;
            self.medium.crash();
        }
        let (authority, faults) = open(&self.medium, seat, &self.clock);
        let node = Node::new(self.history.last().unwrap(), &self.used, &self.clock, bound(seat));
        let held =
            std::mem::replace(&mut self.seats[seat], Seat { authority: Some(authority), faults, node }).node.held;
        self.closed.truncate(2);
        self.closed.extend(held.into_iter().map(|held| held.real));
    }
}
