//! Every management call, with every one of its commits failing in every way (design rules 17 to 19).

use std::time::Duration;

use portcullis::testing::{Call, Fault};
use portcullis::{Authority, Error};

use crate::calls::{CASES, Case, set_up};
use test_support::company::{Company, View};
use test_support::fixture::{NEVER, SOON, eventually, following, host};

/// Runs `check` for each call and each of its commits, all at once: most of the time they wait.
fn for_each_commit(follow: Duration, check: impl Fn(&Run<'_>) + Sync) {
    let check = &check;
    std::thread::scope(|scope| {
        for case in &CASES {
            scope.spawn(move || {
                for n in 1..=case.commits {
                    let world = Company::new(follow);
                    world.crowd(case.crowd);
                    (case.prepare)(&world);
                    let before = world.look();
                    let revision = world.revision();
                    println!("{}, commit {n}", case.name);
                    check(&Run { case, n, world: &world, before, revision });
                }
            });
        }
    });
}

struct Run<'a> {
    case: &'a Case,
    /// Which of its commits fails.
    n: u64,
    world: &'a Company,
    before: View,
    revision: u64,
}

impl Run<'_> {
    /// The n-th commit fails, and so often again.
    fn inject(&self, times: u64, fault: Fault) {
        (0..times).for_each(|again| self.world.faults.nth(Call::Commit, self.n + again, fault));
    }

    fn done(&self, authority: &Authority) -> bool {
        (self.case.done)(self.world, authority)
    }

    /// What is shown before the commit in question is published.
    fn nothing_is_published(&self) {
        let view = self.world.look();
        if self.n == 1 {
            assert_eq!(view, self.before);
        } else {
            assert!(view.allowed.is_subset(&self.before.allowed));
        }
        assert!(!self.done(&self.world.authority));
    }

    /// What must hold in the end: that this many commits were made, and that memory shows what the store has.
    fn made(&self, commits: u64) {
        let view = self.world.look();
        assert_eq!(view, self.world.reopened());
        assert_eq!(self.world.revision() - self.revision, commits);
        if commits == 0 {
            assert_eq!(view, self.before);
        }
        assert_eq!(self.done(&self.world.authority), commits == self.case.commits);
    }

    fn acknowledged(&self, answer: Result<Option<String>, Error>) {
        if let Some(secret) = answer.unwrap() {
            assert!(self.world.authority.authenticate(&secret).is_ok());
            assert!(self.world.another().authenticate(&secret).is_ok());
        }
        self.made(self.case.commits);
    }

    /// That the error is this, told beside what earlier commits changed.
    fn failed(&self, answer: Result<Option<String>, Error>, text: &str) {
        let error = answer.unwrap_err();
        assert!(error.is_temporary() && !error.is_refusal());
        match error {
            Error::Unfinished { changed, source } => {
                assert!(self.n > 1 && changed > 900, "{changed}");
                assert_eq!(source.to_string(), text);
            }
            error => {
                assert_eq!(self.n, 1);
                assert_eq!(error.to_string(), text);
            }
        }
    }

    /// Repeating the call does what is left.
    fn repeat(&self) {
        let answer = (self.case.call)(self.world).wait();
        assert!(answer.is_ok(), "{answer:?}");
        assert!(self.done(&self.world.authority));
        assert_eq!(self.world.look(), self.world.reopened());
    }
}

const STORE: &str = "the store failed, nothing changed";
const IN_DOUBT: &str = "the store failed and the change is in doubt; read it back later to see";
/// As often as a commit is tried before its callers are told that it is in doubt.
const TRIES: u64 = 4;

#[test]
fn a_refused_commit_changes_nothing() {
    for_each_commit(NEVER, |run| {
        run.inject(1, Fault::Refuse);
        run.failed((run.case.call)(run.world).wait(), STORE);
        run.made(run.n - 1);
        run.repeat();
    });
}

#[test]
fn a_commit_in_doubt_is_repeated_until_the_store_says() {
    for fault in [Fault::DoubtBefore, Fault::DoubtAfter, Fault::Panic] {
        for times in [1, 2] {
            for_each_commit(NEVER, |run| {
                run.inject(times, fault);
                run.acknowledged((run.case.call)(run.world).wait());
            });
        }
    }
}

#[test]
fn a_commit_that_stays_in_doubt_and_was_made_is_published_at_the_next_call() {
    for_each_commit(NEVER, |run| {
        run.inject(TRIES, Fault::DoubtAfter);
        run.failed((run.case.call)(run.world).wait(), IN_DOUBT);
        run.nothing_is_published();
        run.world.next_call();
        assert_eq!(run.world.look(), run.world.reopened());
        assert_eq!(run.world.revision() - run.revision, run.n + 1);
        assert_eq!(run.done(&run.world.authority), run.n == run.case.commits);
        if run.n < run.case.commits {
            run.repeat();
        }
    });
}

#[test]
fn a_commit_that_stays_in_doubt_and_was_made_is_published_within_the_follow_interval() {
    for_each_commit(SOON, |run| {
        // The first attempts of settling fail, too.
        run.inject(TRIES + 3, Fault::DoubtAfter);
        run.failed((run.case.call)(run.world).wait(), IN_DOUBT);
        eventually("published", || run.world.authority.position().revision == run.revision + run.n);
        run.made(run.n);
    });
}

#[test]
fn a_commit_that_stays_in_doubt_and_was_not_made_is_made_by_settling_it() {
    for fault in [Fault::DoubtBefore, Fault::Panic] {
        for_each_commit(NEVER, |run| {
            run.inject(TRIES, fault);
            run.failed((run.case.call)(run.world).wait(), IN_DOUBT);
            run.nothing_is_published();
            assert_eq!(run.world.revision() - run.revision, run.n - 1);
            run.world.next_call();
            assert_eq!(run.world.look(), run.world.reopened());
            assert_eq!(run.done(&run.world.authority), run.n == run.case.commits);
        });
    }
}

#[test]
fn while_the_store_hangs_requests_are_decided_and_the_caller_waits() {
    for_each_commit(NEVER, |run| {
        run.inject(1, Fault::Hang);
        let mut started = (run.case.call)(run.world);
        run.world.faults.wait_until_hanging();
        run.nothing_is_published();
        assert!(!started.is_answered_within(Duration::ZERO));
        run.world.faults.release();
        run.acknowledged(started.wait());
    });
}

#[test]
fn a_caller_that_goes_away_loses_its_answer_and_nothing_else() {
    for timeout in [None, Some(Duration::from_millis(1))] {
        for_each_commit(NEVER, |run| {
            run.inject(1, Fault::Hang);
            let mut started = (run.case.call)(run.world);
            run.world.faults.wait_until_hanging();
            if let Some(timeout) = timeout {
                assert!(!started.is_answered_within(timeout));
            }
            drop(started);
            run.world.faults.release();
            eventually("done", || run.done(&run.world.authority));
            run.made(run.case.commits);
        });
    }
}

#[test]
fn setup_happens_once_however_its_commit_fails() {
    let owner = || portcullis::UserId::generate().unwrap();
    for (fault, times, happens) in [
        (Fault::Refuse, 1, false),
        (Fault::DoubtBefore, 1, true),
        (Fault::DoubtAfter, 1, true),
        (Fault::Panic, 1, true),
        (Fault::DoubtAfter, TRIES, true),
        // Settled by the next call, which makes it.
        (Fault::DoubtBefore, TRIES, true),
    ] {
        let (answer, store, authority) = set_up(|faults| (1..=times).for_each(|n| faults.nth(Call::Commit, n, fault)));
        assert_eq!(answer.is_ok(), happens && times == 1, "{fault:?}, {times} times");
        let again = authority.setup(owner()).wait();
        assert_eq!(matches!(again, Err(Error::AlreadySetUp)), happens, "{fault:?}, {times} times: {again:?}");
        let other = following(NEVER).open(store).wait().unwrap();
        assert!(matches!(other.setup(owner()).wait(), Err(Error::AlreadySetUp)));
        for authority in [&authority, &other] {
            assert_eq!(authority.list(host(), &portcullis::Filter::default(), None, 10).unwrap().tokens.len(), 1);
        }
    }
}

#[test]
fn a_call_that_changes_nothing_still_asks_the_store() {
    for case in CASES.iter().filter(|case| case.commits == 0) {
        for fault in [Fault::Refuse, Fault::Panic] {
            let world = Company::new(NEVER);
            (case.prepare)(&world);
            let before = world.look();
            world.faults.next(Call::Changes, fault);
            let answer = (case.call)(&world).wait();
            assert_eq!(answer.unwrap_err().to_string(), STORE, "{}", case.name);
            assert_eq!(world.look(), before);
            assert!((case.call)(&world).wait().is_ok());
            assert_eq!(world.reopened(), before);
        }
    }
}
