//! Whole authorities under many schedules of their threads, chosen by shuttle: callers, management threads, and requests that
//! hold principals. A schedule in which somebody waits for ever fails, too. `.ci/interleavings` runs it.

use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::{Config, Runner, thread};

use crate::{
    Actor, Authority, Error, Filter, Issued, MemoryStore, NewToken, OrgId, Principal, Resource, ResourceId, Rotation,
    Standing, Status, Update, UserId, Write,
};

/// How many schedules of each, if the environment does not say otherwise.
const SCHEDULES: usize = 300;

/// Half of them at random, half so that few switches of threads come at the worst moments.
fn schedules(run: impl Fn() + Send + Sync + Copy + 'static) {
    let count = std::env::var("PORTCULLIS_SCHEDULES").map_or(SCHEDULES, |count| count.parse().unwrap());
    let mut config = Config::new();
    // An index is made on it, of atomics that are larger here.
    config.stack_size = 1 << 17;
    Runner::new(RandomScheduler::new(count.div_ceil(2)), config.clone()).run(run);
    Runner::new(PctScheduler::new(3, count / 2), config).run(run);
}

fn host() -> Actor {
    Actor::host("test")
}

fn organization() -> OrgId {
    OrgId::try_from(1).unwrap()
}

fn owner() -> UserId {
    UserId::try_from(1).unwrap()
}

fn open(store: &MemoryStore) -> Authority {
    let settings = Authority::builder().follow(Duration::from_hours(1)).availability_over_revocation();
    settings.open(store.clone()).wait().unwrap()
}

fn new() -> NewToken {
    NewToken::all_access(organization()).owner(owner())
}

fn issue(authority: &Authority) -> Issued {
    authority.create(host(), new()).wait().unwrap()
}

fn held(authority: &Authority, issued: &Issued) -> Principal<'static> {
    authority.authenticate(issued.secret.expose()).unwrap().into_owned()
}

fn may(principal: &Principal<'_>) -> bool {
    principal.authorize(Write, Resource::authorizations(organization())).is_ok()
}

/// Asks again and again while `change` is made: once that has returned, nothing that begins says yes.
fn ends(change: impl FnOnce(&Authority, &Issued)) {
    let store = MemoryStore::new();
    let authority = open(&store);
    let issued = issue(&authority);
    let (principal, over) = (held(&authority, &issued), Arc::new(AtomicBool::new(false)));
    let reader = thread::spawn({
        let over = Arc::clone(&over);
        move || {
            for _ in 0..4 {
                let over = over.load(Ordering::SeqCst);
                let allowed = may(&principal);
                assert!(!(over && allowed));
            }
        }
    });
    change(&authority, &issued);
    over.store(true, Ordering::SeqCst);
    assert!(authority.authenticate(issued.secret.expose()).is_err());
    reader.join().unwrap();
}

#[test]
fn rule_17_no_decision_that_begins_after_a_revocation_returned_says_yes() {
    schedules(|| ends(|authority, issued| _ = authority.revoke(host(), issued.token.id()).wait().unwrap()));
}

#[test]
fn rule_17_nor_after_a_deletion_or_a_rotation_or_a_suspension() {
    schedules(|| ends(|authority, issued| _ = authority.delete(host(), issued.token.id()).wait().unwrap()));
    schedules(|| {
        ends(|authority, issued| _ = authority.rotate(host(), issued.token.id(), Rotation::new()).wait().unwrap());
    });
    schedules(|| {
        ends(|authority, _| _ = authority.set_owner_standing(host(), owner(), Standing::Suspended).wait().unwrap())
    });
}

#[test]
fn rule_09_of_racing_setups_exactly_one_wins() {
    schedules(|| {
        let store = MemoryStore::new();
        let racers: Vec<_> = (0..2)
            .map(|_| {
                let authority = open(&store);
                thread::spawn(move || {
                    let pending = [authority.setup(owner()), authority.setup(owner())];
                    pending.into_iter().map(|pending| usize::from(pending.wait().is_ok())).sum::<usize>()
                })
            })
            .collect();
        let won: usize = racers.into_iter().map(|racer| racer.join().unwrap()).sum();
        assert_eq!(won, 1);
        assert_eq!(all(&open(&store)), 1);
    });
}

fn all(authority: &Authority) -> usize {
    authority.list(host(), &Filter::default(), None, 100).unwrap().tokens.len()
}

#[test]
fn rule_18_of_updates_on_one_revision_exactly_one_wins() {
    schedules(|| {
        let store = MemoryStore::new();
        let authorities = [open(&store), open(&store)];
        let token = issue(&authorities[0]).token;
        let (id, revision) = (token.id(), token.revision());
        let racers = authorities.map(|authority| {
            thread::spawn(move || {
                let update = |text| authority.update(host(), id, Update::new().description(text).if_revision(revision));
                let pending = [update("one"), update("other")];
                pending.map(|pending| match pending.wait() {
                    Ok(_) => 1,
                    Err(Error::RevisionMismatch { .. }) => 0,
                    Err(error) => panic!("{error}"),
                })
            })
        });
        let won: i32 = racers.into_iter().flat_map(|racer| racer.join().unwrap()).sum();
        assert_eq!(won, 1);
    });
}

#[test]
fn rule_18_an_update_that_races_a_delete_never_brings_the_token_back() {
    schedules(|| {
        let store = MemoryStore::new();
        let [a, b] = [open(&store), open(&store)];
        let issued = issue(&a);
        let (id, principal) = (issued.token.id(), held(&a, &issued));
        let updater = thread::spawn(move || {
            for pending in [
                b.update(host(), id, Update::new().description("x")).wait().map(|_| ()),
                b.rotate(host(), id, Rotation::new()).wait().map(|_| ()),
            ] {
                assert!(matches!(pending, Ok(()) | Err(Error::NotFound(_))));
            }
        });
        a.delete(host(), id).wait().unwrap();
        updater.join().unwrap();
        assert!(matches!(a.update(host(), id, Update::new()).wait(), Err(Error::NotFound(_))));
        assert!(!may(&principal));
        assert_eq!(all(&open(&store)), 0);
    });
}

#[test]
fn callers_that_share_commits_each_get_their_own_answer() {
    schedules(|| {
        let store = MemoryStore::new();
        let authority = Arc::new(open(&store));
        let first = issue(&authority);
        let id = first.token.id();
        let callers: Vec<_> = (0..3)
            .map(|number: u32| {
                let authority = Arc::clone(&authority);
                thread::spawn(move || {
                    let issued = authority.create(host(), new().description(number.to_string())).wait().unwrap();
                    assert_eq!(issued.token.description(), number.to_string());
                    authority.authenticate(issued.secret.expose()).unwrap();
                    authority.revoke(host(), id).wait().unwrap().changed
                })
            })
            .collect();
        // Of three revocations one changed something.
        assert_eq!(callers.into_iter().map(|caller| caller.join().unwrap()).sum::<usize>(), 1);
        assert_eq!(all(&authority), 4);
        assert_eq!(all(&open(&store)), 4);
    });
}

/// A principal of a deleted token, whose slot another token takes.
#[test]
fn rule_18_a_principal_is_never_that_of_another_token() {
    schedules(|| {
        let authority = open(&MemoryStore::new());
        let reads = NewToken::read_write(organization()).owner(owner()).read(ResourceId::try_from(1).unwrap());
        let issued = authority.create(host(), reads).wait().unwrap();
        let principal = held(&authority, &issued);
        let reader = thread::spawn(move || (0..4).for_each(|_| assert!(!may(&principal))));
        authority.delete(host(), issued.token.id()).wait().unwrap();
        _ = issue(&authority);
        _ = issue(&authority);
        reader.join().unwrap();
    });
}

/// Rule 19: who goes away loses the answer, never the change; and closing waits for what is under way.
#[test]
fn rule_19_what_is_under_way_when_an_authority_closes_is_done() {
    schedules(|| {
        let store = MemoryStore::new();
        let authority = open(&store);
        let [issued, other] = [issue(&authority), issue(&authority)];
        let principal = held(&authority, &other);
        let pending = authority.revoke(host(), issued.token.id());
        // The second goes into a commit of its own.
        for text in ["one", "two"] {
            drop(authority.update(host(), other.token.id(), Update::new().description(text)));
        }
        let waiter = thread::spawn(move || pending.wait());
        drop(authority);
        assert!(!may(&principal), "nobody keeps in step what it knows");
        assert_eq!(waiter.join().unwrap().unwrap().changed, 1);
        let again = open(&store);
        assert_eq!(again.get(host(), issued.token.id()).unwrap().status(), Status::Revoked);
        assert_eq!(again.get(host(), other.token.id()).unwrap().description(), "two");
    });
}

/// Rule 17 between authorities: who follows to a receipt's revision knows of the change.
#[test]
fn rule_17_whoever_followed_to_a_receipt_denies() {
    schedules(|| {
        let store = MemoryStore::new();
        let authority = open(&store);
        let issued = issue(&authority);
        let other = open(&store);
        let principal = held(&other, &issued);
        let revoked = thread::spawn(move || authority.revoke(host(), issued.token.id()).wait().unwrap().revision);
        _ = other.set_owner_standing(host(), 9_u64.try_into().unwrap(), Standing::Suspended).wait();
        let revision = revoked.join().unwrap();
        assert!(other.follow_to(revision).wait().unwrap().revision >= revision);
        assert!(!may(&principal));
    });
}
