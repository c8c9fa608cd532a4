//! Rule 19, and the order in which changes are told.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use portcullis::testing::{Call, Fault, FaultyStore};
use portcullis::{
    ActorName, Authority, Error, Event, EventKind, MemoryStore, NewToken, RedbStore, Rotation, Standing, Update,
};

use test_support::fixture::{Events, HOUR, World, all, eventually, host, id_of, ids, ok, org, text, user};

const IN_DOUBT: &str = "the store failed and the change is in doubt; read it back later to see";

fn new() -> NewToken {
    NewToken::all_access(org(1)).owner(user(1))
}

#[test]
fn rule_19_what_was_acknowledged_survives_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let (file, copy) = (directory.path().join("tokens.redb"), directory.path().join("after-the-crash.redb"));
    let authority = Authority::open(RedbStore::open(&file).unwrap()).wait().unwrap();
    let kept = authority.create(host(), new().description("kept")).wait().unwrap();
    let revoked = authority.create(host(), new()).wait().unwrap();
    let rotated = authority.create(host(), new()).wait().unwrap();
    let deleted = authority.create(host(), new()).wait().unwrap();
    let after = authority.rotate(host(), rotated.token.id(), Rotation::new().overlap(HOUR)).wait().unwrap();
    ok(authority.delete(host(), deleted.token.id()));
    ok(authority.set_organization_standing(host(), org(2), Standing::Suspended));
    ok(authority.revoke(host(), revoked.token.id()));
    // The file as it is at this moment: nothing was closed.
    std::fs::copy(&file, &copy).unwrap();
    let survived = Authority::open(RedbStore::open(&copy).unwrap()).wait().unwrap();
    assert_eq!(survived.position(), authority.position());
    assert_eq!(ids(&all(&survived)), ids(&all(&authority)));
    assert_eq!(survived.get(host(), kept.token.id()).unwrap(), kept.token);
    assert_eq!(survived.organization_standing(org(2)).unwrap(), Standing::Suspended);
    for issued in [&kept, &rotated, &after] {
        survived.authenticate(issued.secret.expose()).unwrap();
    }
    for issued in [&revoked, &deleted] {
        assert!(survived.authenticate(issued.secret.expose()).is_err());
    }
}

#[test]
fn rule_19_a_replaced_file_takes_no_changes_and_decisions_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let (file, backup) = (directory.path().join("tokens.redb"), directory.path().join("backup.redb"));
    let authority = Authority::open(RedbStore::open(&file).unwrap()).wait().unwrap();
    let token = authority.create(host(), new()).wait().unwrap();
    std::fs::copy(&file, &backup).unwrap();
    let later = authority.create(host(), new()).wait().unwrap();
    std::fs::write(&file, std::fs::read(&backup).unwrap()).unwrap();
    for _ in 0..3 {
        let Err(Error::Store(error)) = authority.create(host(), new()).wait() else { panic!() };
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` was removed, replaced or overwritten while it was open; put the file that is to be used there and restart",
                file.display()
            )
        );
    }
    for issued in [&token, &later] {
        authority.authenticate(issued.secret.expose()).unwrap();
    }
    drop(authority);
    // The backup was not written to, and is what the next start uses.
    assert!(std::fs::read(&file).unwrap() == std::fs::read(&backup).unwrap());
    let restarted = Authority::open(RedbStore::open(&file).unwrap()).wait().unwrap();
    restarted.authenticate(token.secret.expose()).unwrap();
    assert!(restarted.authenticate(later.secret.expose()).is_err());
}

#[test]
fn rule_19_a_caller_that_goes_away_loses_its_answer_and_never_the_change() {
    let World { authority, events, store, .. } = World::new();
    drop(authority.create(host(), new()));
    // One that was polled, too.
    {
        let mut pending = pin!(authority.create(host(), new()));
        _ = pending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    let third = authority.create(host(), new()).wait().unwrap();
    assert_eq!(all(&authority).len(), 3);
    authority.authenticate(third.secret.expose()).unwrap();
    assert_eq!(events.all().len(), 3);
    // Nor when the whole authority goes with it.
    drop(authority.revoke(host(), third.token.id()));
    drop(authority);
    let reopened = Authority::open(store).wait().unwrap();
    assert_eq!(all(&reopened).len(), 3);
    assert!(reopened.authenticate(third.secret.expose()).is_err());
}

#[test]
fn rule_19_a_commit_in_doubt_is_whole_or_absent() {
    let (store, faults) = FaultyStore::new(MemoryStore::new());
    let events = Events::default();
    let log = events.clone();
    let authority = Authority::builder().observer(move |event: &Event| log.push(event)).open(store).wait().unwrap();
    // Refused: nothing changed.
    faults.next(Call::Commit, Fault::Refuse);
    assert_eq!(text(authority.create(host(), new())), "the store failed, nothing changed");
    assert_eq!((all(&authority), authority.position().revision), (vec![], 0));
    // A doubt that is soon settled is none: it happened once, whenever the answer was lost.
    for fault in [Fault::DoubtBefore, Fault::DoubtAfter, Fault::Panic] {
        faults.next(Call::Commit, fault);
        ok(authority.create(host(), new()));
    }
    assert_eq!((all(&authority).len(), authority.position().revision), (3, 3));
    // One that lasts is told, and settled by the next call: it happened, or it happens now.
    for (fault, count) in [(Fault::DoubtAfter, 4), (Fault::DoubtBefore, 6)] {
        faults.always(Call::Commit, fault);
        let error = authority.create(host(), new()).wait().unwrap_err();
        assert_eq!(error.to_string(), IN_DOUBT);
        assert!(error.is_temporary());
        // Nothing else is planned before that.
        assert!(matches!(authority.create(host(), new()).wait(), Err(Error::Store(_))));
        faults.heal();
        ok(authority.create(host(), new()));
        assert_eq!((all(&authority).len(), authority.position().revision), (count + 1, count as u64 + 1));
    }
    let told: Vec<_> = events.all().into_iter().filter(|event| event.kind == EventKind::Created).collect();
    let revisions: Vec<_> = told.iter().map(|event| event.revision).collect();
    assert_eq!(revisions, (1..8).map(Some).collect::<Vec<_>>()[..told.len()]);
    assert_eq!(told.len(), all(&authority).len());
    assert!(told.iter().all(|event| event.actor == Some(ActorName::Host("test".into()))));
}

#[test]
fn a_store_that_cannot_be_read_stops_what_changes_nothing_and_no_decision() {
    let (store, faults) = FaultyStore::new(MemoryStore::new());
    let authority = Authority::open(store).wait().unwrap();
    let issued = authority.create(host(), new()).wait().unwrap();
    faults.always(Call::Changes, Fault::Refuse);
    let failed = "the store failed, nothing changed";
    assert_eq!(text(authority.update(host(), issued.token.id(), Update::new())), failed);
    authority.authenticate(issued.secret.expose()).unwrap().check().unwrap();
    // Nor is it certain that there is no such token; and what changes something needs no reading.
    let unknown = portcullis::TokenId::generate().unwrap();
    assert_eq!(text(authority.revoke(host(), unknown)), failed);
    ok(authority.revoke(host(), issued.token.id()));
}

#[test]
fn rule_18_a_refusal_is_told_only_of_what_is_in_the_store() {
    let world = World::new();
    let (store, faults) = FaultyStore::new(world.store.clone());
    let late = Authority::builder().follow(HOUR).availability_over_revocation().open(store).wait().unwrap();
    let issued = world.issue(new());
    // As far as the late one knows there is no such token, and it cannot look.
    faults.always(Call::Changes, Fault::Refuse);
    let failed = "the store failed, nothing changed";
    assert_eq!(text(late.revoke(host(), issued.token.id())), failed);
    // Nor does a commit that fails say so, of which it would have been part.
    faults.heal();
    for (fault, told) in [(Fault::Refuse, failed), (Fault::DoubtBefore, IN_DOUBT)] {
        faults.next(Call::Commit, Fault::Hang);
        let first = late.set_owner_standing(host(), user(3), Standing::Suspended);
        faults.wait_until_hanging();
        faults.always(Call::Commit, fault);
        let second = late.set_owner_standing(host(), user(4), Standing::Suspended);
        let unknown = portcullis::TokenId::generate().unwrap();
        let refused = late.revoke(host(), unknown);
        faults.release();
        drop(first.wait());
        assert_eq!(text(second), told);
        assert_eq!(text(refused), failed);
        faults.heal();
        assert_eq!(text(late.revoke(host(), unknown)), format!("token `{unknown}` not found"));
    }
}

#[test]
fn events_come_in_the_order_of_commits_and_before_the_answer() {
    let world = World::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let id = world.issue(NewToken::all_access(org(1))).token.id();
                    let told = |kind: &EventKind| {
                        world.events.all().iter().any(|event| event.token == Some(id) && event.kind == *kind)
                    };
                    assert!(told(&EventKind::Created));
                    ok(world.authority.revoke(host(), id));
                    assert!(told(&EventKind::Revoked));
                }
            });
        }
    });
    let events = world.events.all();
    assert_eq!(events.len(), 160);
    assert!(events.is_sorted_by_key(|event| event.revision));
    assert_eq!(events.last().unwrap().revision, Some(world.authority.position().revision));
}

#[test]
fn every_change_and_every_refusal_is_told() {
    let world = World::new();
    let root = world.authority.setup(user(1)).wait().unwrap();
    let operator = world.login(&root);
    let actor = id_of(&operator);
    let id =
        world.authority.create(&operator, NewToken::all_access(org(1)).expires_in(HOUR)).wait().unwrap().token.id();
    ok(world.authority.update(&operator, id, Update::new().description("x")));
    ok(world.authority.update(&operator, id, Update::new().description("x")));
    ok(world.authority.rotate(&operator, id, Rotation::new()));
    assert!(world.authority.rotate(&operator, actor, Rotation::new()).wait().is_err());
    ok(world.authority.revoke(&operator, id));
    ok(world.authority.revoke(&operator, id));
    ok(world.authority.set_owner_standing(host(), user(2), Standing::Suspended));
    ok(world.authority.set_organization_standing(host(), org(2), Standing::Deleted));
    ok(world.authority.delete(&operator, id));
    world.clock.advance(HOUR);
    ok(world.authority.purge(host(), world.now()));
    assert!(world.authority.setup(user(1)).wait().is_err());
    let expected = [
        format!("host `setup`: created (token {actor}) at revision 1"),
        format!("token {actor}: created (token {id}) at revision 2"),
        format!("token {actor}: updated (token {id}) at revision 3"),
        format!("token {actor}: rotated (token {id}) at revision 4"),
        format!(
            "token {actor}: rotate refused: a token can rotate neither itself nor one that it was created under: a thief would lock the owner out"
        ),
        format!("token {actor}: revoked (token {id}) at revision 5"),
        format!("host `test`: owner {} is now suspended at revision 6", user(2)),
        format!("host `test`: organization {} is now deleted at revision 7", org(2)),
        format!("token {actor}: deleted (token {id}) at revision 8"),
        "host `test`: forgot 1 deleted tokens at revision 9".to_owned(),
        "host `setup`: setup refused: setup was done before; an operator, or the host, makes further operator tokens"
            .to_owned(),
    ];
    assert_eq!(world.events.take(), expected);
}

#[test]
fn a_flood_of_bad_secrets_is_told_as_a_number() {
    let World { authority, events, .. } = World::new();
    for _ in 0..1_000 {
        assert!(authority.authenticate("x".repeat(40)).is_err());
    }
    authority.close().wait().unwrap();
    let told = events.take();
    let count = |text: &String| -> u64 {
        text.strip_suffix(" more not authenticated").map_or(1, |count| count.parse().unwrap())
    };
    assert_eq!(told.iter().map(count).sum::<u64>(), 1_000);
    assert!(told.len() <= 20, "{}", told.len());
    assert_eq!(told[0], "not authenticated: no token has this secret");
}

#[test]
fn an_observer_that_panics_ends_nothing() {
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let observer = move |_: &Event| {
        *count.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
        // Not by the macro, so that no message is printed.
        std::panic::resume_unwind(Box::new("an observer that panics"));
    };
    let authority = Authority::builder().observer(observer).open(MemoryStore::new()).wait().unwrap();
    ok(authority.create(host(), new()));
    ok(authority.create(host(), new()));
    assert_eq!(*seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner), 2);
}

#[test]
fn calls_under_way_are_done_before_an_authority_is_closed() {
    let World { authority, store, .. } = World::new();
    let pending: Vec<_> = (0..100).map(|_| authority.create(host(), new())).collect();
    authority.close().wait().unwrap();
    assert!(pending.into_iter().all(|pending| pending.wait().is_ok()));
    assert_eq!(all(&Authority::open(store).wait().unwrap()).len(), 100);
}

#[test]
fn an_answer_wakes_whoever_waits_for_it() {
    let (store, faults) = FaultyStore::new(MemoryStore::new());
    let authority = Authority::open(store).wait().unwrap();
    faults.next(Call::Commit, Fault::Hang);
    let mut pending = authority.create(host(), new());
    assert!(pending.wait_for(std::time::Duration::ZERO).unwrap().is_none());
    faults.wait_until_hanging();
    let woken = Arc::new(Woken::default());
    let waker = Arc::clone(&woken).into();
    let mut pending = pin!(pending);
    assert!(pending.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    faults.release();
    eventually("woken", || woken.0.load(std::sync::atomic::Ordering::SeqCst));
    assert!(pending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}
