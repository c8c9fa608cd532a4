//! Commits in doubt, and what happens beside them.

use std::sync::{Arc, Mutex};

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::testing::{Call, Fault, FaultyStore, ManualClock};
use portcullis::{
    Authority, Error, Event, EventKind, MemoryStore, NewToken, Reason, Standing, Status, Timestamp, TokenId,
    TokenStore, Update, UserId,
};

use test_support::company::Company;
use test_support::fixture::{NEVER, START, World, eventually, following, host};

/// As often as a commit is tried before its callers are told that it is in doubt.
const TRIES: u64 = 4;

/// A company with a revocation of the sensor in doubt.
fn in_doubt(fault: Fault) -> Company {
    let world = Company::new(NEVER);
    doubt(&world, fault);
    world
}

fn doubt(world: &Company, fault: Fault) {
    (1..=TRIES).for_each(|n| world.faults.nth(Call::Commit, n, fault));
    let answer = world.authority.revoke(host(), world.sensor.id).wait();
    assert!(matches!(answer, Err(Error::InDoubt(_))), "{answer:?}");
}

fn status(authority: &Authority, token: TokenId) -> Status {
    authority.get(host(), token).unwrap().status()
}

#[test]
fn a_commit_in_doubt_that_was_made_is_settled_after_others_committed() {
    let world = in_doubt(Fault::DoubtAfter);
    let other = world.another();
    other.revoke(host(), world.brief.id).wait().unwrap();
    world.next_call();
    assert_eq!(status(&world.authority, world.sensor.id), Status::Revoked);
    assert_eq!(status(&world.authority, world.brief.id), Status::Revoked);
    assert_eq!(world.look(), world.reopened());
}

#[test]
fn a_commit_in_doubt_that_was_not_made_is_dropped_when_others_committed() {
    let world = in_doubt(Fault::DoubtBefore);
    let other = world.another();
    other.update(host(), world.sensor.id, Update::new().description("kept")).wait().unwrap();
    world.next_call();
    let token = world.authority.get(host(), world.sensor.id).unwrap();
    assert_eq!((token.status(), token.description()), (Status::Active, "kept"));
    assert_eq!(world.look(), world.reopened());
}

#[test]
fn a_commit_in_doubt_that_is_refused_at_last_is_dropped() {
    let world = in_doubt(Fault::DoubtBefore);
    let before = world.look();
    world.faults.next(Call::Commit, Fault::Refuse);
    world.next_call();
    assert_eq!(world.look(), before);
    assert_eq!(world.reopened(), before);
}

#[test]
fn while_a_commit_is_in_doubt_others_are_told_that_nothing_of_theirs_changed() {
    let world = Company::new(NEVER);
    world.faults.always(Call::Commit, Fault::DoubtAfter);
    let first = world.authority.revoke(host(), world.sensor.id).wait();
    assert!(matches!(first, Err(Error::InDoubt(_))));
    let before = world.look();
    let (commits, changes) = (world.faults.calls(Call::Commit), world.faults.calls(Call::Changes));
    let second = world.authority.revoke(host(), world.brief.id).wait();
    assert_eq!(second.unwrap_err().to_string(), "the store failed, nothing changed");
    // It asked once more about the first, and for nothing else.
    assert_eq!(world.faults.calls(Call::Commit), commits + 1);
    assert_eq!(world.faults.calls(Call::Changes), changes);
    assert_eq!(world.look(), before);
    world.faults.heal();
    world.next_call();
    assert_eq!(status(&world.authority, world.sensor.id), Status::Revoked);
    assert_eq!(status(&world.authority, world.brief.id), Status::Active);
    assert_eq!(world.look(), world.reopened());
}

#[test]
fn a_commit_in_doubt_is_told_once_when_it_is_settled() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observed = Arc::clone(&told);
    let (store, faults) = FaultyStore::new(MemoryStore::new());
    let observer = move |event: &Event| observed.lock().unwrap().push((event.kind.clone(), event.revision));
    let authority = following(NEVER).observer(observer).open(store).wait().unwrap();
    let owner = UserId::generate().unwrap();
    // The first attempt to settle it fails, too.
    (1..=TRIES + 1).for_each(|n| faults.nth(Call::Commit, n, Fault::DoubtAfter));
    let suspended = authority.set_owner_standing(host(), owner, Standing::Suspended).wait();
    assert!(matches!(suspended, Err(Error::InDoubt(_))));
    assert!(told.lock().unwrap().is_empty());
    assert!(matches!(authority.set_owner_standing(host(), owner, Standing::Active).wait(), Err(Error::Store(_))));
    authority.set_owner_standing(host(), owner, Standing::Active).wait().unwrap();
    let mut told = told.lock().unwrap();
    told.retain(|(_, revision)| revision.is_some());
    assert_eq!(
        *told,
        [(EventKind::Owner(owner, Standing::Suspended), Some(1)), (EventKind::Owner(owner, Standing::Active), Some(2))]
    );
}

#[test]
fn closing_settles_what_is_in_doubt() {
    let world = in_doubt(Fault::DoubtBefore);
    let Company { world: World { authority, store, .. }, sensor, held, .. } = world;
    authority.close().wait().unwrap();
    assert!(held.iter().all(|principal| principal.check() == Err(Reason::Unavailable)));
    let authority = Authority::open(store).wait().unwrap();
    assert_eq!(status(&authority, sensor.id), Status::Revoked);
}

#[test]
fn closing_with_a_commit_that_stays_in_doubt_ends() {
    for fault in [Fault::DoubtBefore, Fault::DoubtAfter, Fault::Panic] {
        let world = Company::new(NEVER);
        let before = world.look();
        world.faults.always(Call::Commit, fault);
        world.faults.always(Call::Touch, fault);
        let pending = world.authority.revoke(host(), world.sensor.id);
        let Company { world: World { authority, store, clock, .. }, sensor, held, .. } = world;
        let closed = authority.close();
        assert!(matches!(pending.wait(), Err(Error::InDoubt(_))));
        closed.wait().unwrap();
        assert!(held.iter().all(|principal| principal.check() == Err(Reason::Unavailable)));
        let authority = Authority::builder().clock(clock).open(store).wait().unwrap();
        let revoked = status(&authority, sensor.id) == Status::Revoked;
        assert_eq!(revoked, fault == Fault::DoubtAfter);
        assert_eq!(before.tokens.len(), 5);
    }
}

#[test]
fn a_secret_in_doubt_cannot_be_chosen_again() {
    let world = Company::new(NEVER);
    let chosen = || portcullis::Secret::new("a-secret-of-somebody-elses-own-choice");
    let new = || NewToken::all_access(world.organization).owner(world.owner).secret(chosen());
    (1..=TRIES).for_each(|n| world.faults.nth(Call::Commit, n, Fault::DoubtAfter));
    assert!(matches!(world.authority.create(host(), new()).wait(), Err(Error::InDoubt(_))));
    assert!(world.authority.authenticate(chosen().expose()).is_err());
    assert!(matches!(world.authority.create(host(), new()).wait(), Err(Error::SecretTaken)));
    assert!(world.authority.authenticate(chosen().expose()).is_ok());
}

/// Returns its newest position also for a commit that is repeated.
struct Newest(FaultyStore<MemoryStore>);

impl TokenStore for Newest {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        self.0.commit(expected, id, records)?;
        let newest = self.0.changes(Position::ORIGIN, usize::MAX);
        newest.map(|page| page.position).map_err(|_| CommitError::InDoubt(StoreError::new("unreadable")))
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        self.0.changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.0.touch(used)
    }
}

#[test]
fn what_others_committed_is_read_even_if_the_store_returns_a_later_position() {
    let world = Company::on(NEVER, Newest);
    doubt(&world, Fault::DoubtAfter);
    world.another().revoke(host(), world.brief.id).wait().unwrap();
    world.next_call();
    assert_eq!(world.look(), world.reopened());
    assert_eq!(status(&world.authority, world.brief.id), Status::Revoked);
}

#[test]
fn calls_of_several_commits_take_turns_with_others() {
    let world = Company::new(NEVER);
    world.crowd(2_100);
    world.faults.next(Call::Commit, Fault::Hang);
    let all = world.authority.revoke_all(host(), world.admin.id);
    world.faults.wait_until_hanging();
    let new = || NewToken::all_access(world.organization).owner(world.owner);
    let others: Vec<_> = (0..5).map(|_| world.authority.create(host(), new())).collect();
    let revision = world.revision();
    world.faults.release();
    assert_eq!(all.wait().unwrap().changed, 2_103);
    for other in others {
        assert_eq!(other.wait().unwrap().token.revision(), revision + 2);
    }
}

/// A clock that fails when it is told to.
struct Fragile(ManualClock, Arc<Mutex<bool>>);

impl portcullis::Clock for Fragile {
    fn now(&self) -> Timestamp {
        if *self.1.lock().unwrap() && std::thread::current().name() == Some("portcullis") {
            // Not by the macro, so that no message is printed.
            std::panic::resume_unwind(Box::new("a clock that panics as it was told"));
        }
        self.0.now()
    }
}

#[test]
fn when_the_management_thread_dies_everything_is_denied_and_every_call_answered() {
    let breaks = Arc::new(Mutex::new(false));
    let clock = Fragile(ManualClock::new(START), Arc::clone(&breaks));
    let authority = following(NEVER).clock(clock).open(MemoryStore::new()).wait().unwrap();
    let root = authority.setup(UserId::generate().unwrap()).wait().unwrap();
    let held = authority.authenticate(root.secret.expose()).unwrap();
    *breaks.lock().unwrap() = true;
    let owner = UserId::generate().unwrap();
    let pending: Vec<_> = (0..10).map(|_| authority.set_owner_standing(host(), owner, Standing::Suspended)).collect();
    for pending in pending {
        assert!(matches!(pending.wait(), Err(Error::Closed)));
    }
    eventually("denied", || held.check() == Err(Reason::Unavailable));
    assert!(matches!(authority.revoke(&held, root.token.id()).wait(), Err(Error::Closed)));
    assert_eq!(authority.authenticate(root.secret.expose()).unwrap_err().reason(), Reason::Unavailable);
    assert!(matches!(authority.close().wait(), Err(Error::Closed)));
}
