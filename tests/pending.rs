//! Answers for async and plain callers; and the end of an authority with calls under way.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use portcullis::testing::{Call, Fault, FaultyStore};
use portcullis::{
    Authority, Error, Event, MemoryStore, OpenError, Pending, Reason, Receipt, RedbStore, Standing, UserId,
};
use test_support::company::Company;
use test_support::fixture::{NEVER, World, eventually, following, head, host};

/// Wakes a thread, and counts.
struct Unpark(Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unpark();
    }
}

/// All that an executor needs.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current(), AtomicUsize::new(0))));
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return answer;
        }
        thread::park();
    }
}

fn poll<T>(pending: &mut Pending<T>, waker: &Waker) -> Poll<Result<T, Error>> {
    std::pin::Pin::new(pending).poll(&mut Context::from_waker(waker))
}

fn suspend(authority: &Authority) -> Pending<Receipt> {
    authority.set_owner_standing(host(), UserId::generate().unwrap(), Standing::Suspended)
}

#[test]
fn async_callers_need_no_runtime() {
    let receipts = block_on(async {
        let authority = Authority::open(MemoryStore::new()).await?;
        let root = authority.setup(UserId::generate().unwrap()).await?;
        let receipt = authority.revoke(host(), root.token.id()).await?;
        authority.close().await?;
        Ok::<_, Error>((root.token.revision(), receipt.revision))
    });
    assert_eq!(receipts.unwrap(), (1, 2));
}

#[test]
fn the_last_waker_is_woken_once() {
    let world = Company::new(NEVER);
    let wakers = [0; 2].map(|_| Arc::new(Unpark(thread::current(), AtomicUsize::new(0))));
    world.faults.next(Call::Commit, Fault::Hang);
    let mut pending = suspend(&world.authority);
    world.faults.wait_until_hanging();
    for waker in &wakers {
        assert!(poll(&mut pending, &Waker::from(Arc::clone(waker))).is_pending());
    }
    world.faults.release();
    eventually("woken", || wakers[1].1.load(Ordering::SeqCst) == 1);
    assert!(matches!(poll(&mut pending, Waker::noop()), Poll::Ready(Ok(_))));
    assert_eq!(wakers[0].1.load(Ordering::SeqCst), 0);
    // Asked again, which nobody should, it neither panics nor hangs.
    assert!(matches!(poll(&mut pending, Waker::noop()), Poll::Ready(Err(Error::Closed))));
}

#[test]
fn plain_callers_wait_as_long_as_they_like() {
    let world = Company::new(NEVER);
    world.faults.next(Call::Commit, Fault::Hang);
    let mut pending = suspend(&world.authority);
    world.faults.wait_until_hanging();
    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        assert_eq!(pending.wait_for(timeout).unwrap(), None);
    }
    world.faults.release();
    assert!(pending.wait_for(Duration::MAX).unwrap().is_some());
    // Asked again, which nobody should, it neither panics nor hangs.
    assert!(matches!(pending.wait_for(Duration::MAX), Err(Error::Closed)));
    let mut answered = suspend(&world.authority);
    eventually("answered", || match poll(&mut answered, Waker::noop()) {
        Poll::Ready(answer) => answer.is_ok(),
        Poll::Pending => false,
    });
    assert_eq!(format!("{answered:?}"), "Pending(..)");
}

#[test]
fn an_executor_that_panics_when_woken_stops_nothing() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("a waker that panics as it was told"));
        }
    }
    let world = Company::new(NEVER);
    world.faults.next(Call::Commit, Fault::Hang);
    let mut pending = suspend(&world.authority);
    world.faults.wait_until_hanging();
    assert!(poll(&mut pending, &Waker::from(Arc::new(Panics))).is_pending());
    world.faults.release();
    assert!(pending.wait().is_ok());
    suspend(&world.authority).wait().unwrap();
    assert_eq!(world.look(), world.reopened());
}

#[test]
fn changes_are_published_and_told_before_they_are_answered() {
    let (told, asked) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let (tell, ask) = (Mutex::new(told.0), Mutex::new(asked.1));
    let observer = move |event: &Event| {
        if event.kind == portcullis::EventKind::Revoked {
            tell.lock().unwrap().send(()).unwrap();
            ask.lock().unwrap().recv().unwrap();
        }
    };
    let authority = following(NEVER).observer(observer).open(MemoryStore::new()).wait().unwrap();
    let root = authority.setup(UserId::generate().unwrap()).wait().unwrap();
    let held = authority.authenticate(root.secret.expose()).unwrap();
    let mut pending = authority.revoke(host(), root.token.id());
    told.1.recv().unwrap();
    assert_eq!(held.check(), Err(Reason::Revoked));
    assert!(poll(&mut pending, Waker::noop()).is_pending());
    asked.0.send(()).unwrap();
    assert!(pending.wait().is_ok());
}

#[test]
fn an_observer_that_panics_stops_nothing() {
    let told = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&told);
    let observer = move |_: &Event| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::panic::resume_unwind(Box::new("an observer that panics as it was told"));
    };
    let store = MemoryStore::new();
    let authority = following(NEVER).observer(observer).open(store.clone()).wait().unwrap();
    let root = authority.setup(UserId::generate().unwrap()).wait().unwrap();
    assert!(matches!(authority.setup(UserId::generate().unwrap()).wait(), Err(Error::AlreadySetUp)));
    authority.revoke(host(), root.token.id()).wait().unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 3);
    assert_eq!(authority.position(), head(&store));
}

/// Ends an authority with calls under way, and says how many succeeded.
fn end(world: Company, end: impl FnOnce(Authority) + Send) -> usize {
    world.faults.next(Call::Commit, Fault::Hang);
    let pending: Vec<_> = (0..50).map(|_| suspend(&world.authority)).collect();
    world.faults.wait_until_hanging();
    let Company { world: World { authority, faults, store, .. }, held, .. } = world;
    thread::scope(|scope| {
        scope.spawn(|| end(authority));
        faults.release();
    });
    assert!(held.iter().all(|principal| principal.check() == Err(Reason::Unavailable)));
    assert!(held.iter().all(|principal| principal.token().is_err()));
    let before = head(&store).revision;
    let answers = pending.into_iter().filter_map(|pending| pending.wait().ok()).count();
    assert_eq!(head(&store).revision, before);
    answers
}

#[test]
fn dropping_an_authority_answers_the_calls_under_way() {
    assert_eq!(end(Company::new(NEVER), drop), 50);
}

#[test]
fn closing_an_authority_answers_the_calls_under_way() {
    assert_eq!(end(Company::new(NEVER), |authority| authority.close().wait().unwrap()), 50);
    assert_eq!(end(Company::new(NEVER), |authority| block_on(authority.close()).unwrap()), 50);
}

#[test]
fn closing_an_authority_finishes_calls_of_several_commits() {
    let world = Company::new(NEVER);
    world.crowd(2_100);
    world.faults.next(Call::Commit, Fault::Hang);
    let all = world.authority.revoke_all(host(), world.admin.id);
    world.faults.wait_until_hanging();
    let World { authority, faults, .. } = world.world;
    let closed = authority.close();
    faults.release();
    closed.wait().unwrap();
    assert_eq!(all.wait().unwrap().changed, 2_103);
}

#[test]
fn dropping_an_authority_in_async_code_does_not_deadlock() {
    let answers = end(Company::new(NEVER), |authority| {
        block_on(async move {
            let pending = suspend(&authority);
            drop(authority);
            pending.await.unwrap();
        });
    });
    assert_eq!(answers, 50);
}

#[test]
fn an_authority_can_be_dropped_on_its_own_thread() {
    // By an executor that runs the task where it is woken.
    struct Holds(Mutex<Option<Authority>>, AtomicUsize);
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let world = Company::new(NEVER);
    world.faults.next(Call::Commit, Fault::Hang);
    let mut pending = suspend(&world.authority);
    let later = suspend(&world.authority);
    world.faults.wait_until_hanging();
    let Company { world: World { authority, faults, .. }, held, .. } = world;
    let holds = Arc::new(Holds(Mutex::new(Some(authority)), AtomicUsize::new(0)));
    assert!(poll(&mut pending, &Waker::from(Arc::clone(&holds))).is_pending());
    faults.release();
    assert!(later.wait().is_ok());
    eventually("closed", || held.iter().all(|principal| principal.check() == Err(Reason::Unavailable)));
    assert_eq!(holds.1.load(Ordering::SeqCst), 1);

    // And in the log, where it is the last thing that is told.
    let place = Arc::new(Mutex::new(None::<Authority>));
    let taken = Arc::clone(&place);
    let observer = move |_: &Event| drop(taken.lock().unwrap().take());
    let authority = Authority::builder().observer(observer).open(MemoryStore::new()).wait().unwrap();
    let mut guard = place.lock().unwrap();
    let pending = authority.setup(UserId::generate().unwrap());
    *guard = Some(authority);
    drop(guard);
    assert!(pending.wait().is_ok());
}

#[test]
fn a_file_can_be_opened_again_as_soon_as_its_authority_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    let open = || Authority::open(RedbStore::open(&file).unwrap()).wait().unwrap();
    for n in 0..10 {
        let authority = open();
        let pending: Vec<_> = (0..10).map(|_| suspend(&authority)).collect();
        if n % 2 == 0 {
            drop(authority);
        } else {
            authority.close().wait().unwrap();
        }
        assert!(pending.into_iter().all(|pending| pending.wait().is_ok()));
    }
    assert!(open().position().revision >= 10);

    // Also when it could not be read.
    let (store, faults) = FaultyStore::new(RedbStore::open(&file).unwrap());
    faults.next(Call::Changes, Fault::Refuse);
    assert!(matches!(Authority::open(store).wait(), Err(OpenError::Store(_))));
    drop(open());
}

#[test]
fn a_file_stays_in_use_while_its_authority_lives() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    let authority = Authority::open(RedbStore::open(&file).unwrap()).wait().unwrap();
    assert!(matches!(RedbStore::open(&file), Err(portcullis::store::RedbError::Locked(_))));
    drop(authority);
    assert!(RedbStore::open(&file).is_ok());
}

#[test]
fn a_clock_that_panics_while_opening_is_told() {
    let clock = || -> portcullis::Timestamp { panic!("no time") };
    let opened = Authority::builder().clock(clock).open(MemoryStore::new()).wait();
    assert!(matches!(opened, Err(OpenError::Ended)));
}
