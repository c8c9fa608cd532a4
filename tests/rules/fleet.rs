//! Rule 17 on several authorities of one store: how old a view may get, what a receipt says, who waits for whom.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::testing::{Call, Fault, Faults, FaultyStore, ManualClock};
use portcullis::{
    Action, Authority, AuthorityBuilder, Clock, Error, Everywhere, MemoryStore, NewToken, Principal, Read, Reason,
    Receipt, RedbStore, Resource, Standing, SystemClock, Timestamp, TokenId, TokenStore, Update,
};

use test_support::fixture::{Events, HOUR, START, TICK, World, eventually, host, ok, org, user};

const SECOND: Duration = Duration::from_secs(1);
/// What the builder's documentation says.
const DEFAULT_BOUND: Duration = Duration::from_secs(5);

/// An authority on the world's store that reads it quickly, with the default bound, and what makes its store fail.
fn node(world: &World, settings: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> (Authority, Faults, Events) {
    let (store, faults) = FaultyStore::new(world.store.clone());
    let events = Events::default();
    let log = events.clone();
    let builder = Authority::builder().clock(world.clock.clone()).follow(Duration::from_millis(1));
    let builder = settings(builder.observer(move |event: &portcullis::Event| log.push(event)));
    (builder.open(store).wait().unwrap(), faults, events)
}

fn denied(authority: &Authority, principal: &Principal<'_>, secret: &str) {
    assert_eq!(principal.check(), Err(Reason::Stale));
    assert_eq!(principal.authorize(Read, Resource::buckets(org(1))).unwrap_err().reason(), Reason::Stale);
    assert_eq!(authority.authenticate(secret).unwrap_err().reason(), Reason::Stale);
    let in_one_call = authority.authorize(secret, Read, Resource::buckets(org(1))).unwrap_err();
    assert!(in_one_call.reason() == Reason::Stale && in_one_call.is_temporary());
    let error = authority.get(host(), TokenId::generate().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the authority could not read its store for too long");
    assert!(error.is_temporary() && !error.is_refusal());
}

#[test]
fn rule_17_a_view_that_is_too_old_denies_until_the_store_answers_again() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let secret = issued.secret.expose();
    let (node, faults, events) = node(&world, |builder| builder);
    let principal = node.authenticate(secret).unwrap();
    assert_eq!(node.health().bound, Some(DEFAULT_BOUND));

    // Also a store that hangs: no thread is needed to notice.
    faults.always(Call::Changes, Fault::Hang);
    faults.wait_until_hanging();
    ok(world.authority.revoke(host(), issued.token.id()));
    world.clock.advance(DEFAULT_BOUND.saturating_sub(TICK));
    assert_eq!(principal.check(), Ok(()));
    assert_eq!((node.health().denies, node.health().behind), (None, DEFAULT_BOUND.saturating_sub(TICK)));
    world.clock.advance(TICK);
    denied(&node, &principal, secret);
    assert_eq!((node.health().denies, node.health().behind), (Some(Reason::Stale), DEFAULT_BOUND));
    assert_eq!(node.health().last_contact, START);
    // Setting the clock back does not bring the time back.
    world.clock.set(START);
    denied(&node, &principal, secret);
    world.clock.advance(1_000 * HOUR);
    denied(&node, &principal, secret);

    faults.heal();
    faults.release();
    eventually("it follows again", || principal.check() == Err(Reason::Revoked));
    eventually("told", || node.health().denies.is_none());
    assert_eq!(node.health().behind, Duration::ZERO);
    let told = events.take();
    assert_eq!(told[0], "denying everything: the authority could not read its store for too long");
    assert_eq!(told.last().unwrap(), &format!("serving again at revision {}", node.position().revision));
}

#[test]
fn rule_17_setting_the_clock_forward_makes_no_view_old() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let (node, faults, _) = node(&world, |builder| builder);
    let principal = node.authenticate(issued.secret.expose()).unwrap();
    faults.always(Call::Changes, Fault::Hang);
    faults.wait_until_hanging();
    world.clock.set(START.saturating_add(1_000 * HOUR));
    assert_eq!(principal.check(), Ok(()));
    faults.heal();
    faults.release();
}

#[test]
fn rule_17_the_bound_counts_from_the_start_of_the_reading() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let (node, faults, events) = node(&world, |builder| builder);
    let principal = node.authenticate(issued.secret.expose()).unwrap();
    faults.next(Call::Changes, Fault::Hang);
    faults.wait_until_hanging();
    // What is read in the end may have been so when the reading began, and no longer.
    world.clock.advance(DEFAULT_BOUND);
    faults.nth(Call::Changes, 1, Fault::Hang);
    faults.release();
    faults.wait_until_hanging();
    denied(&node, &principal, issued.secret.expose());
    faults.heal();
    faults.release();
    eventually("it serves again", || principal.check() == Ok(()));
    drop(node);
    let told = events.take();
    assert_eq!(told.iter().filter(|event| event.starts_with("serving")).count(), 1, "{told:?}");
}

#[test]
fn rule_17_a_store_that_fails_is_told_when_the_view_has_become_too_old() {
    let world = World::new();
    let (node, faults, events) = node(&world, |builder| builder);
    faults.always(Call::Changes, Fault::Refuse);
    eventually("seen", || node.health().error.is_some());
    assert_eq!(node.health().denies, None);
    world.clock.advance(DEFAULT_BOUND);
    eventually("told", || !events.all().is_empty());
    assert_eq!(node.health().error.unwrap().to_string(), "the store failed, nothing changed");
    faults.heal();
    eventually("told again", || events.all().len() == 2);
    assert!(node.health().error.is_none());
    let told = events.take();
    assert!(told[0].starts_with("denying everything: the authority could not read its store for too long"), "{told:?}");
    assert_eq!(told[1], "serving again at revision 0");
}

#[test]
fn rule_17_an_authority_alone_on_its_store_is_never_too_old() {
    let (store, faults) = FaultyStore::new(MemoryStore::new());
    let clock = ManualClock::new(START);
    let authority = Authority::builder().clock(clock.clone()).open(store).wait().unwrap();
    let root = authority.setup(user(1)).wait().unwrap();
    let principal = authority.authenticate(root.secret.expose()).unwrap();
    faults.always(Call::Changes, Fault::Refuse);
    clock.advance(1_000 * HOUR);
    assert_eq!(principal.check(), Ok(()));
    assert_eq!((authority.health().bound, authority.health().behind), (None, Duration::ZERO));
}

#[test]
fn rule_17_a_host_that_prefers_availability_says_so_and_gets_it() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let (node, faults, _) = node(&world, AuthorityBuilder::availability_over_revocation);
    let principal = node.authenticate(issued.secret.expose()).unwrap();
    faults.always(Call::Changes, Fault::Hang);
    faults.wait_until_hanging();
    world.clock.advance(1_000 * HOUR);
    assert_eq!(principal.check(), Ok(()));
    assert_eq!((node.health().bound, node.health().behind), (None, 1_000 * HOUR));
    faults.heal();
    faults.release();
}

#[test]
fn rule_17_a_receipt_says_when_a_change_holds_everywhere() {
    let world = World::new();
    let (bounded, _, _) = node(&world, |builder| builder);
    let (longer, _, _) = node(&world, |builder| builder.stale_after(10 * SECOND));
    let (available, _, _) = node(&world, AuthorityBuilder::availability_over_revocation);
    world.clock.advance(HOUR);
    let now = world.now();
    for (authority, everywhere) in [
        (&bounded, Everywhere::By(now.saturating_add(Duration::from_millis(5_005)))),
        (&longer, Everywhere::By(now.saturating_add(Duration::from_millis(10_010)))),
        (&available, Everywhere::Unbounded),
    ] {
        let issued = authority.create(host(), NewToken::all_access(org(1)).owner(user(1))).wait().unwrap();
        let told = |receipt: Receipt| (receipt.revision, receipt.changed, receipt.everywhere);
        let expected = |changed| (authority.position().revision, changed, everywhere);
        assert_eq!((told(issued.receipt), issued.token.revision()), (expected(1), authority.position().revision));
        let id = issued.token.id();
        let updated = authority.update(host(), id, Update::new().description("x")).wait().unwrap();
        assert_eq!((told(updated.receipt), updated.token.revision()), (expected(1), authority.position().revision));
        assert_eq!(told(authority.revoke(host(), id).wait().unwrap()), expected(1));
        // What was so already, is so everywhere as long after it was seen.
        assert_eq!(told(authority.revoke(host(), id).wait().unwrap()), expected(0));
        assert_eq!(told(authority.revoke_all(host(), id).wait().unwrap()), expected(0));
    }
    let directory = tempfile::tempdir().unwrap();
    let alone: [Box<dyn TokenStore>; 2] =
        [Box::new(MemoryStore::new()), Box::new(RedbStore::open(directory.path().join("tokens")).unwrap())];
    for store in alone {
        assert!(!store.is_shared());
    }
    let alone = Authority::open(MemoryStore::new()).wait().unwrap();
    assert_eq!(alone.setup(user(1)).wait().unwrap().receipt.everywhere, Everywhere::Now);
}

#[test]
fn rule_17_past_the_time_of_a_receipt_no_authority_says_yes() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let (node, faults, _) = node(&world, |builder| builder);
    let (writer, _, _) = self::node(&world, |builder| builder);
    let held = node.authenticate(issued.secret.expose()).unwrap();
    world.clock.advance(HOUR);
    eventually("read again", || held.check() == Ok(()));
    faults.always(Call::Changes, Fault::Hang);
    faults.wait_until_hanging();
    let receipt = writer.revoke(host(), issued.token.id()).wait().unwrap();
    let Everywhere::By(time) = receipt.everywhere else { panic!("{receipt:?}") };
    while world.now() < time {
        world.clock.advance(SECOND);
    }
    assert_eq!(held.check(), Err(Reason::Stale));
    faults.heal();
    faults.release();
    eventually("followed", || held.check() == Err(Reason::Revoked));
}

#[test]
fn rule_17_an_authority_can_wait_for_the_revision_of_a_receipt() {
    let world = World::new();
    let late = world.node_with(|builder| builder.follow(HOUR));
    let issued = world.issue(NewToken::all_access(org(1)));
    assert_eq!(late.authenticate(issued.secret.expose()).unwrap_err().reason(), Reason::Unknown);
    assert_eq!(late.follow_to(issued.receipt.revision).wait().unwrap(), world.authority.position());
    late.authenticate(issued.secret.expose()).unwrap();
    // One that it has is answered, too; one that never comes, never.
    assert_eq!(late.follow_to(0).wait().unwrap(), world.authority.position());
    let mut next = late.follow_to(issued.receipt.revision + 1);
    assert_eq!(next.wait_for(Duration::from_millis(10)).unwrap(), None);
    drop(late.follow_to(u64::MAX));
    let receipt = world.authority.set_owner_standing(host(), user(7), Standing::Suspended).wait().unwrap();
    let after = late.follow_to(receipt.revision);
    assert_eq!(next.wait().unwrap().revision, receipt.revision);
    assert_eq!(after.wait().unwrap().revision, receipt.revision);
    // Without being asked again, and whatever fails meanwhile.
    let next = late.follow_to(receipt.revision + 1);
    let receipt = world.authority.set_owner_standing(host(), user(7), Standing::Active).wait().unwrap();
    assert_eq!(next.wait().unwrap().revision, receipt.revision);
    let (failing, faults, _) = node(&world, |builder| builder.follow(HOUR).availability_over_revocation());
    let receipt = world.authority.set_owner_standing(host(), user(8), Standing::Suspended).wait().unwrap();
    faults.next(Call::Changes, Fault::Refuse);
    assert_eq!(failing.follow_to(receipt.revision).wait().unwrap().revision, receipt.revision);
    let never = late.follow_to(u64::MAX);
    drop(late);
    assert!(matches!(never.wait(), Err(Error::Closed)));
}

#[test]
fn rule_17_the_time_that_views_grow_old_by_goes_on_whatever_the_clock_says() {
    let clocks: [Box<dyn Clock>; 2] = [Box::new(SystemClock), Box::new(|| START)];
    for clock in clocks {
        let before = clock.uptime();
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.uptime() >= before + Duration::from_millis(2));
    }
}

#[test]
fn a_store_is_not_read_for_those_who_wait_no_more() {
    let world = World::new();
    let late = world.node_with(|builder| builder.follow(HOUR));
    drop(late.follow_to(u64::MAX));
    let before = late.follow_to(0).wait().unwrap();
    world.authority.set_owner_standing(host(), user(7), Standing::Suspended).wait().unwrap();
    // Several times as long as between two readings for somebody.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(late.position(), before);
}

#[test]
fn every_decision_tells_the_revision_that_it_was_made_at() {
    let world = World::new();
    let principal = world.principal(NewToken::all_access(org(1)));
    for number in 1..4 {
        let receipt =
            world.authority.set_owner_standing(host(), user(100 + number), Standing::Suspended).wait().unwrap();
        let permit = principal.authorize(Read, Resource::buckets(org(1))).unwrap();
        let denial = principal.authorize(Read, Resource::INSTANCE).unwrap_err();
        assert_eq!((permit.revision(), denial.revision()), (receipt.revision, Some(receipt.revision)));
    }
    let receipt = world.authority.set_owner_standing(host(), user(1), Standing::Suspended).wait().unwrap();
    let denial = principal.authorize(Read, Resource::INSTANCE).unwrap_err();
    assert_eq!((denial.reason(), denial.revision()), (Reason::OwnerSuspended, Some(receipt.revision)));
    let id = principal.token_id().unwrap();
    let explained = world.authority.explain(host(), id, Action::READ, &Resource::INSTANCE).unwrap();
    assert_eq!(explained, portcullis::Decision::Denied(denial));
    let revision = world.authority.set_owner_standing(host(), user(1), Standing::Active).wait().unwrap().revision;
    let explained = world.authority.explain(host(), id, Action::READ, &Resource::buckets(org(1))).unwrap();
    assert_eq!(explained, portcullis::Decision::Allowed { revision });
    assert_eq!(explained, principal.authorize(Read, Resource::buckets(org(1))).into());
}

#[test]
fn a_store_that_would_be_read_too_rarely_is_not_opened() {
    let world = World::new();
    for (follow, stale_after) in [(5, 5), (6, 5)] {
        let settings = Authority::builder().follow(follow * SECOND).stale_after(stale_after * SECOND);
        let error = settings.open(world.store.clone()).wait().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "following the store every {follow}s cannot keep the view younger than {stale_after}s; follow it more \
                 often, or choose a longer `stale_after`"
            )
        );
    }
    // Alone on the store, nothing depends on it.
    drop(Authority::builder().follow(HOUR).open(MemoryStore::new()).wait().unwrap());
}

/// A store that can be told that others changed it.
#[derive(Clone)]
struct Told {
    store: MemoryStore,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl TokenStore for Told {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        self.store.commit(expected, id, records)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        self.store.changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.store.touch(used)
    }

    fn wake_on_change(&mut self, waker: Waker) {
        *self.waker.lock().unwrap() = Some(waker);
    }
}

#[test]
fn rule_17_a_store_that_tells_of_changes_is_read_before_its_turn() {
    let world = World::new();
    let store = Told { store: world.store.clone(), waker: Arc::default() };
    let builder = Authority::builder().follow(HOUR).availability_over_revocation();
    let node = builder.open(store.clone()).wait().unwrap();
    let waker = store.waker.lock().unwrap().take().unwrap();
    for number in 1..4 {
        ok(world.authority.set_owner_standing(host(), user(number), Standing::Suspended));
        (0..number).for_each(|_| waker.wake_by_ref());
        eventually("it follows", || node.position() == world.authority.position());
    }
    drop(node);
    waker.wake();
}

/// A store that takes longer than the view may be old, and then fails.
struct Slow {
    store: MemoryStore,
    clock: ManualClock,
    fails: Arc<AtomicBool>,
}

impl TokenStore for Slow {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        self.store.commit(expected, id, records)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        if self.fails.swap(false, Ordering::SeqCst) {
            self.clock.advance(DEFAULT_BOUND);
            return Err(ChangesError::Failed(StoreError::new("the disk is gone")));
        }
        self.store.changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.store.touch(used)
    }
}

#[test]
fn rule_17_why_the_store_could_not_be_read_is_told_where_that_made_the_view_too_old() {
    let (clock, events, fails) = (ManualClock::new(START), Events::default(), Arc::new(AtomicBool::new(false)));
    let store = Slow { store: MemoryStore::new(), clock: clock.clone(), fails: Arc::clone(&fails) };
    let log = events.clone();
    let builder = Authority::builder().clock(clock).follow(Duration::from_millis(1));
    let node = builder.observer(move |event: &portcullis::Event| log.push(event)).open(store).wait().unwrap();
    fails.store(true, Ordering::SeqCst);
    eventually("told", || events.all().len() == 2);
    drop(node);
    let denying = "denying everything: the authority could not read its store for too long: the disk is gone";
    assert_eq!(events.take(), [denying, "serving again at revision 0"]);
}

#[test]
fn rule_17_a_node_that_was_left_behind_reads_everything_anew_and_tells_of_no_other_history() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let (node, _, events) = node(&world, |builder| builder.follow(HOUR).availability_over_revocation());
    ok(world.authority.delete(host(), issued.token.id()));
    ok(world.authority.purge(host(), world.now()));
    let newest = world.authority.position();
    assert_eq!(node.follow_to(newest.revision).wait().unwrap(), newest);
    let serving = format!("serving again at revision {}", newest.revision);
    let denying = "denying everything: the authority is closed or reading its store anew".to_owned();
    assert_eq!(events.take(), [denying, serving]);
}
