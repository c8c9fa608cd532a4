//! Reading the store fails, or its history turns out to be another one.

use std::sync::Arc;

use portcullis::store::{ChangesError, Position};
use portcullis::testing::{Call, Fault, FaultyStore};
use portcullis::{
    Authority, Error, Filter, MemoryStore, NewToken, OpenError, Reason, Standing, Timestamp, TokenStore, Update, UserId,
};

use test_support::company::{Company, Token};
use test_support::fixture::{NEVER, SOON, eventually, following, head, host};
use test_support::stores::{Others, Reads, Restorable, Shared, paged};

/// The faults of a [`FaultyStore`] that fail a call without its happening, or after it.
const FAULTS: [Fault; 4] = [Fault::Refuse, Fault::DoubtBefore, Fault::DoubtAfter, Fault::Panic];

#[test]
fn an_opening_that_fails_at_any_page_is_an_error() {
    let world = Company::new(NEVER);
    let (store, faults) = FaultyStore::new(world.store.clone());
    let opened = following(NEVER).clock(world.clock.clone()).open(paged(store, 1)).wait().unwrap();
    assert_eq!(world.see(&opened), world.look());
    let pages = faults.calls(Call::Changes);
    assert!(pages > 3);
    for fault in FAULTS {
        for n in 1..=pages {
            let (store, faults) = FaultyStore::new(world.store.clone());
            faults.nth(Call::Changes, n, fault);
            let answer = Authority::open(paged(store, 1)).wait();
            assert_eq!(answer.unwrap_err().to_string(), "the store failed, nothing changed", "page {n}");
        }
    }
}

#[test]
fn a_catch_up_that_fails_after_a_conflict_fails_the_call() {
    for fault in FAULTS {
        let world = Company::new(NEVER);
        let other = world.another();
        other.revoke(host(), world.brief.id).wait().unwrap();
        let before = world.look();
        world.faults.next(Call::Changes, fault);
        let answer = world.authority.revoke(host(), world.sensor.id).wait();
        assert!(matches!(answer, Err(Error::Store(_))), "{answer:?}");
        assert_eq!(world.look(), before);
        world.authority.revoke(host(), world.sensor.id).wait().unwrap();
        assert_eq!(world.look(), world.reopened());
    }
}

#[test]
fn pages_are_seen_all_or_none() {
    for n in 2..=3 {
        let world = Company::on(NEVER, |store| paged(store, 1));
        let other = world.another();
        // Never accepted: the owner was suspended before, though the record of that is replaced later.
        let owner = UserId::generate().unwrap();
        other.set_owner_standing(host(), owner, Standing::Suspended).wait().unwrap();
        let new = NewToken::all_access(world.organization).owner(owner);
        let token = Token::new(&other.create(host(), new).wait().unwrap());
        assert!(other.authenticate(&token.secret).is_err());
        other.update(host(), world.sensor.id, Update::new().deactivate()).wait().unwrap();
        other.set_owner_standing(host(), owner, Standing::Deleted).wait().unwrap();

        let before = world.look();
        world.faults.nth(Call::Changes, n, Fault::Refuse);
        let answer = world.authority.revoke(host(), world.brief.id).wait();
        assert!(matches!(answer, Err(Error::Store(_))), "{answer:?}");
        assert_eq!(world.look(), before);
        assert_eq!(world.authority.authenticate(&token.secret).unwrap_err().reason(), Reason::Unknown);

        // Nor is it when it hangs there.
        world.faults.nth(Call::Changes, n, Fault::Hang);
        let pending = world.authority.revoke(host(), world.brief.id);
        world.faults.wait_until_hanging();
        assert_eq!(world.look(), before);
        assert_eq!(world.authority.authenticate(&token.secret).unwrap_err().reason(), Reason::Unknown);
        world.faults.release();
        pending.wait().unwrap();
        assert_eq!(world.authority.authenticate(&token.secret).unwrap_err().reason(), Reason::OwnerDeleted);
        assert_eq!(world.look(), world.reopened());
    }
}

#[test]
fn what_changes_between_two_pages_is_seen_as_it_is_in_the_end() {
    let others = Others::default();
    let hook = others.clone();
    let world = Company::on(NEVER, |store| Shared(paged(store, 1), hook));
    world.authority.set_owner_standing(host(), world.owner, Standing::Suspended).wait().unwrap();
    let other = world.another();
    let owner = world.owner;
    other.set_owner_standing(host(), owner, Standing::Active).wait().unwrap();
    other.update(host(), world.sensor.id, Update::new().description("a second page")).wait().unwrap();
    let mut calls = 0;
    others.always(move || {
        calls += 1;
        // The commit that meets the change, the first page, the second.
        if calls == 3 {
            other.set_owner_standing(host(), owner, Standing::Suspended).wait().unwrap();
        }
    });
    world.authority.update(host(), world.root.id, Update::new().description("later")).wait().unwrap();
    assert_eq!(world.look().standings.0, Standing::Suspended);
    assert_eq!(world.look(), world.reopened());
    assert_eq!(world.held[1].check(), Err(Reason::OwnerSuspended));
}

#[test]
fn a_store_that_fails_while_it_is_followed_is_followed_again() {
    for fault in FAULTS {
        let world = Company::new(SOON);
        world.faults.always(Call::Changes, fault);
        let calls = world.faults.calls(Call::Changes);
        eventually("tried", || world.faults.calls(Call::Changes) > calls + 3);
        let before = world.look();
        world.another().revoke(host(), world.sensor.id).wait().unwrap();
        assert_eq!(world.look(), before);
        world.faults.heal();
        eventually("followed", || world.held[2].check() == Err(Reason::Revoked));
        assert_eq!(world.look(), world.reopened());
    }
}

/// Nothing is accepted, nothing is shown, and nothing is said not to exist.
#[track_caller]
fn everything_is_denied(world: &Company) {
    for token in world.tokens() {
        assert_eq!(world.authority.authenticate(&token.secret).unwrap_err().reason(), Reason::Unavailable);
        assert!(matches!(world.authority.get(host(), token.id), Err(Error::Unavailable)));
    }
    for held in &world.held {
        assert_eq!(held.authorize(portcullis::Read, world.write()).unwrap_err().reason(), Reason::Unavailable);
        assert_eq!(held.token().unwrap_err(), Reason::Unavailable);
        assert!(matches!(world.authority.get(held, world.sensor.id), Err(Error::Unavailable)));
    }
    let answer = world.authority.list(host(), &Filter::default(), None, 10);
    assert_eq!(answer.unwrap_err().to_string(), "the authority is closed or reading its store anew");
}

/// While everything is read anew: it hangs at the n-th page, then fails there, and works at last.
fn is_read_anew(world: &Company, n: u64) {
    world.faults.nth(Call::Changes, n, Fault::Hang);
    world.faults.nth(Call::Changes, n + 1, Fault::Refuse);
    let pending = world.authority.revoke(host(), world.sensor.id);
    world.faults.wait_until_hanging();
    everything_is_denied(world);
    world.faults.release();
    assert!(matches!(pending.wait(), Err(Error::Store(_))));
    everything_is_denied(world);

    // What is not read yet is not taken for missing.
    world.authority.update(host(), world.root.id, Update::new().description("there")).wait().unwrap();
    assert_eq!(world.look(), world.reopened());
    assert!(world.held.iter().all(|held| held.check().is_err()));
}

#[test]
fn when_the_changes_since_are_gone_everything_is_denied_until_it_is_read_anew() {
    let world = Company::on(NEVER, |store| paged(store, 1));
    let other = world.another();
    other.delete(host(), world.idle.id).wait().unwrap();
    let new = NewToken::all_access(world.organization).owner(world.owner);
    _ = other.create(host(), new).wait().unwrap();
    other.purge(host(), Timestamp::MAX).wait().unwrap();
    // The conflict is met, the first reading says `TooOld`, the second is the first page.
    is_read_anew(&world, 3);
}

#[test]
fn when_another_history_is_found_everything_is_denied_until_it_is_read_anew() {
    let store = Restorable::default();
    let handle = store.clone();
    let (faulty, faults) = FaultyStore::new(store);
    let authority = following(NEVER).open(paged(faulty, 1)).wait().unwrap();
    let owner = UserId::generate().unwrap();
    let root = Token::new(&authority.setup(owner).wait().unwrap());
    let organization = portcullis::OrgId::generate().unwrap();
    let create = |authority: &Authority| {
        Token::new(&authority.create(host(), NewToken::all_access(organization).owner(owner)).wait().unwrap())
    };
    let (kept, lost) = (create(&authority), create(&authority));
    let held = [&root, &kept, &lost].map(|token| authority.authenticate(&token.secret).unwrap());
    let revoked = authority.revoke(host(), kept.id).wait().unwrap();
    assert_eq!(revoked.revision, 4);

    // The backup has root and the one that was revoked since; then another authority makes one in it.
    handle.restore(2);
    let other = following(NEVER).open(handle.clone()).wait().unwrap();
    let later = create(&other);
    let call = || authority.set_owner_standing(host(), UserId::generate().unwrap(), Standing::Suspended);
    // `Diverged`, the first page, and the second, which fails.
    faults.nth(Call::Changes, 2, Fault::Hang);
    faults.nth(Call::Changes, 3, Fault::Refuse);
    let pending = call();
    faults.wait_until_hanging();
    let denied = || {
        assert!(held.iter().all(|held| held.check() == Err(Reason::Unavailable)));
        assert_eq!(authority.authenticate(&root.secret).unwrap_err().reason(), Reason::Unavailable);
        assert!(matches!(authority.get(host(), root.id), Err(Error::Unavailable)));
    };
    denied();
    faults.release();
    assert!(matches!(pending.wait(), Err(Error::Store(_))));
    denied();
    call().wait().unwrap();
    let accepted = |secret: &str| authority.authenticate(secret).map(drop).map_err(|error| error.reason());
    assert_eq!(accepted(&root.secret), Ok(()));
    // As the backup has it.
    assert_eq!(accepted(&kept.secret), Ok(()));
    assert_eq!(accepted(&lost.secret), Err(Reason::Unknown));
    assert_eq!(accepted(&later.secret), Ok(()));
    // Nobody goes on as somebody else.
    assert!(held.iter().all(|held| held.check() == Err(Reason::Unknown)));
    assert!(held.iter().all(|held| held.token().is_err()));
    assert!(matches!(
        authority.create(&held[0], NewToken::all_access(organization)).wait(),
        Err(Error::NotAccepted(_))
    ));
}

#[test]
fn that_another_history_is_found_is_told_and_when_it_is_served() {
    let store = Restorable::default();
    let handle = store.clone();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let observer = move |event: &portcullis::Event| log.lock().unwrap().push(event.to_string());
    let authority = following(SOON).observer(observer).open(store).wait().unwrap();
    let suspend =
        || authority.set_owner_standing(host(), UserId::generate().unwrap(), Standing::Suspended).wait().unwrap();
    suspend();
    suspend();
    let followed = authority.position();
    handle.restore(1);
    eventually("told", || told.lock().unwrap().len() == 5);
    assert_eq!(
        told.lock().unwrap()[2..],
        [
            format!("the store has another history than the one followed to {followed}"),
            "denying everything: the authority is closed or reading its store anew".to_owned(),
            "serving again at revision 1".to_owned(),
        ]
    );
}

#[test]
fn a_store_that_has_forgotten_deletions_can_be_opened_page_by_page() {
    let world = Company::new(NEVER);
    world.authority.delete(host(), world.sensor.id).wait().unwrap();
    world.authority.purge(host(), Timestamp::MAX).wait().unwrap();
    let store = paged(world.store.clone(), 1);
    let opened = following(NEVER).clock(world.clock.clone()).open(store).wait().unwrap();
    assert_eq!(world.see(&opened), world.look());
}

#[test]
fn a_store_that_can_never_be_read_to_its_end_keeps_nobody_waiting() {
    for lost in [|| ChangesError::Diverged, || ChangesError::TooOld] {
        let store = MemoryStore::new();
        let read = move |store: &mut MemoryStore, since, _| match since {
            Position::ORIGIN => store.changes(since, 1),
            _ if head(store).revision > 2 => Err(lost()),
            _ => store.changes(since, 1),
        };
        let lossy = Reads(store.clone(), read);
        let authority = following(NEVER).open(lossy).wait().unwrap();
        let root = authority.setup(UserId::generate().unwrap()).wait().unwrap();
        let other = following(NEVER).open(store).wait().unwrap();
        for _ in 0..2 {
            let suspended = other.set_owner_standing(host(), UserId::generate().unwrap(), Standing::Suspended);
            suspended.wait().unwrap();
        }
        let answer = authority.revoke(host(), root.token.id()).wait();
        assert!(matches!(answer, Err(Error::Store(_))), "{answer:?}");
        assert_eq!(authority.authenticate(root.secret.expose()).unwrap_err().reason(), Reason::Unavailable);
    }
}

#[test]
fn pages_that_lead_nowhere_are_a_failure() {
    let world = Company::new(NEVER);
    for store in [MemoryStore::new(), world.store.clone()] {
        let read = |store: &mut MemoryStore, since, limit| {
            let mut page = store.changes(since, limit)?;
            page.more = true;
            Ok(page)
        };
        assert!(matches!(Authority::open(Reads(store, read)).wait(), Err(OpenError::Store(_))));
    }
}

#[test]
fn last_used_times_that_the_store_does_not_take_are_offered_again() {
    for fault in FAULTS {
        let store = MemoryStore::new();
        let (faulty, faults) = FaultyStore::new(store.clone());
        let authority = following(SOON).write_last_used(SOON).open(faulty).wait().unwrap();
        let root = authority.setup(UserId::generate().unwrap()).wait().unwrap();
        faults.always(Call::Touch, fault);
        let position = authority.position();
        assert!(authority.authenticate(root.secret.expose()).is_ok());
        let calls = faults.calls(Call::Touch);
        eventually("offered again", || faults.calls(Call::Touch) > calls + 3);
        assert_eq!(authority.position(), position);
        assert!(authority.authenticate(root.secret.expose()).is_ok());
        faults.heal();
        let known = |authority: &Authority| authority.get(host(), root.token.id()).unwrap().last_used_at();
        let kept = || known(&following(NEVER).open(store.clone()).wait().unwrap());
        eventually("kept", || kept().is_some());
        let last = known(&authority);
        authority.close().wait().unwrap();
        assert!(kept() >= last);
        assert_eq!(head(&store), position);
    }
}

#[test]
fn an_opening_whose_caller_went_away_closes_the_store() {
    let (store, faults) = FaultyStore::new(MemoryStore::new());
    let kept = Arc::new(());
    let counted = Arc::clone(&kept);
    let store = Reads(store, move |store: &mut FaultyStore<MemoryStore>, since, limit| {
        _ = &counted;
        store.changes(since, limit)
    });
    faults.next(Call::Changes, Fault::Hang);
    let opening = Authority::open(store);
    faults.wait_until_hanging();
    drop(opening);
    faults.release();
    eventually("closed", || Arc::strong_count(&kept) == 1);
}
