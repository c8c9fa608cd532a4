//! Many callers at once, and several authorities on one store (design rules 17 and 18).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::testing::{Call, Fault};
use portcullis::{
    Authority, Error, Event, EventKind, Filter, MemoryStore, NewToken, Pending, Reason, Receipt, Resource, ResourceId,
    Standing, Status, Timestamp, Token, TokenId, TokenStore, Update, UserId, Write,
};
use test_support::company::Company;
use test_support::fixture::{NEVER, SOON, eventually, following, head, host};

#[test]
fn callers_that_wait_together_share_a_commit() {
    let world = Company::new(NEVER);
    let commits = world.faults.calls(Call::Commit);
    world.faults.next(Call::Commit, Fault::Hang);
    let first = world.authority.update(host(), world.idle.id, Update::new().description("first"));
    world.faults.wait_until_hanging();
    let pending: Vec<_> = thread::scope(|scope| {
        let create = || {
            let new = NewToken::read_write(world.organization).write(world.bucket);
            world.authority.create(&world.held[1], new)
        };
        let callers: Vec<_> = (0..64).map(|_| scope.spawn(create)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    world.faults.release();
    let revision = first.wait().unwrap().receipt.revision;
    let made: Vec<_> = pending.into_iter().map(|pending| pending.wait().unwrap()).collect();
    assert!(made.iter().all(|issued| issued.token.revision() == revision + 1));
    assert!(made.iter().all(|issued| world.authority.authenticate(issued.secret.expose()).is_ok()));
    assert_eq!(world.faults.calls(Call::Commit), commits + 2);
    assert_eq!(world.look(), world.reopened());
}

/// A store that notes how many records each commit has, and how many last-used times are written at a time.
struct Sizes<S> {
    store: S,
    committed: Arc<Mutex<Vec<usize>>>,
    touched: Arc<Mutex<Vec<usize>>>,
}

impl<S: TokenStore> TokenStore for Sizes<S> {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        self.committed.lock().unwrap().push(records.len());
        self.store.commit(expected, id, records)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        self.store.changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.touched.lock().unwrap().push(used.len());
        self.store.touch(used)
    }
}

#[test]
fn what_does_not_fit_into_a_commit_is_in_the_next() {
    let sizes = Arc::default();
    let world = Company::on(NEVER, |store| Sizes { store, committed: Arc::clone(&sizes), touched: Arc::default() });
    world.crowd(1_050);
    world.faults.next(Call::Commit, Fault::Hang);
    let first = world.authority.update(host(), world.idle.id, Update::new().description("first"));
    world.faults.wait_until_hanging();
    sizes.lock().unwrap().clear();
    // Everything under `admin`, which takes two commits; then what goes along with the first of them, and what does not.
    let all = world.authority.revoke_all(host(), world.admin.id);
    let set = |owner: u64| world.authority.set_owner_standing(host(), owner.try_into().unwrap(), Standing::Suspended);
    let pending: Vec<_> = (1..=3).map(set).collect();
    world.faults.release();
    first.wait().unwrap();
    let revisions: Vec<_> = pending.into_iter().map(|pending| pending.wait().unwrap().revision).collect();
    assert_eq!((revisions[0] + 1, revisions[1]), (revisions[1], revisions[2]));
    // The crowd, `admin`, and the two others that it made.
    assert_eq!(all.wait().unwrap().changed, 1_050 + 1 + 2);
    assert_eq!(sizes.lock().unwrap()[..2], [1_000, 2]);
    assert_eq!(sizes.lock().unwrap().iter().sum::<usize>(), 1_050 + 1 + 2 + 3);
}

#[test]
fn many_last_used_times_are_written_some_at_a_time() {
    const MANY: usize = 20_100;
    let touched = Arc::default();
    let world = Company::on(NEVER, |store| Sizes { store, committed: Arc::default(), touched: Arc::clone(&touched) });
    let new = || NewToken::read_write(world.organization).read(world.bucket).owner(world.owner);
    let pending: Vec<_> = (0..MANY).map(|_| world.authority.create(host(), new())).collect();
    let many: Vec<_> = pending.into_iter().map(|pending| pending.wait().unwrap()).collect();
    for issued in &many {
        world.authority.authenticate(issued.secret.expose()).unwrap();
    }
    world.authority.close().wait().unwrap();
    let sizes = std::mem::take(&mut *touched.lock().unwrap());
    assert!(sizes.len() == 3 && sizes.iter().all(|size| (1..10_064).contains(size)), "{sizes:?}");
    let reopened = Authority::open(world.store.clone()).wait().unwrap();
    for issued in &many {
        assert!(reopened.get(host(), issued.token.id()).unwrap().last_used_at().is_some());
    }
}

/// A commit of hundreds of the largest tokens would take a store so long that it never answered in time.
#[test]
fn large_tokens_share_a_commit_with_few() {
    const LARGE: usize = 25;
    let world = Company::new(NEVER);
    let commits = || world.faults.calls(Call::Commit);
    let parent = world.authority.create(host(), NewToken::all_access(world.organization).owner(world.owner));
    let parent = parent.wait().unwrap();
    let actor = Arc::new(world.authority.authenticate(parent.secret.expose()).unwrap());
    let large = || {
        let new = NewToken::read_write(world.organization);
        (1..=10_000).fold(new, |new, bucket| new.write(ResourceId::try_from(bucket).unwrap()))
    };
    let before = commits();
    world.faults.next(Call::Commit, Fault::Hang);
    let first = world.authority.update(host(), world.idle.id, Update::new().description("first"));
    world.faults.wait_until_hanging();
    let pending: Vec<_> = (0..LARGE).map(|_| world.authority.create(&*actor, large())).collect();
    world.faults.release();
    let revision = first.wait().unwrap().receipt.revision;
    for (number, issued) in pending.into_iter().enumerate() {
        assert_eq!(issued.wait().unwrap().token.revision(), revision + 1 + number as u64 / 10);
    }
    assert_eq!(commits(), before + 4);
    // Ten at a time, of which the first have room for the one that all are under.
    assert_eq!(world.authority.revoke_all(host(), parent.token.id()).wait().unwrap().changed, 1 + LARGE);
    assert_eq!(commits(), before + 7);
    assert_eq!(world.look(), world.reopened());
}

#[test]
fn one_of_those_that_share_a_commit_fails_alone() {
    let world = Company::new(NEVER);
    world.faults.next(Call::Commit, Fault::Hang);
    let first = world.authority.revoke(host(), world.sensor.id);
    world.faults.wait_until_hanging();
    let good = world.authority.update(host(), world.brief.id, Update::new().description("good"));
    let bad = world.authority.update(host(), world.sensor.id, Update::new().description("bad"));
    let last = world.authority.update(host(), world.idle.id, Update::new().description("last"));
    world.faults.release();
    first.wait().unwrap();
    let good = good.wait().unwrap().receipt.revision;
    assert!(matches!(bad.wait(), Err(Error::Revoked(_))));
    assert_eq!(last.wait().unwrap().receipt.revision, good);
}

#[test]
fn an_update_without_a_change_is_answered_though_the_same_commit_deletes_the_token() {
    let world = Company::new(NEVER);
    world.faults.next(Call::Commit, Fault::Hang);
    let first = world.authority.revoke(host(), world.sensor.id);
    world.faults.wait_until_hanging();
    let before = world.authority.get(host(), world.idle.id).unwrap();
    let update = world.authority.update(host(), world.idle.id, Update::new().deactivate());
    let delete = world.authority.delete(host(), world.idle.id);
    world.faults.release();
    first.wait().unwrap();
    let updated = update.wait().unwrap();
    assert_eq!((updated.receipt.changed, updated.token), (0, before));
    assert_eq!(delete.wait().unwrap().changed, 1);
}

#[test]
fn an_update_without_a_change_shows_what_those_before_it_did() {
    let world = Company::new(NEVER);
    let stand = [
        &(|| world.authority.set_owner_standing(host(), world.owner, Standing::Suspended))
            as &dyn Fn() -> Pending<Receipt>,
        &|| world.authority.set_organization_standing(host(), world.organization, Standing::Deleted),
    ];
    for stand in stand {
        world.faults.next(Call::Commit, Fault::Hang);
        let first =
            world.authority.update(host(), world.idle.id, Update::new().description(world.revision().to_string()));
        world.faults.wait_until_hanging();
        let standing = stand();
        let update = world.authority.update(host(), world.sensor.id, Update::new().activate());
        world.faults.release();
        first.wait().unwrap();
        standing.wait().unwrap();
        let shown = update.wait().unwrap().token;
        assert_eq!(shown, world.authority.get(host(), world.sensor.id).unwrap());
    }
}

#[test]
fn revoking_all_reaches_what_was_made_just_before() {
    let world = Company::new(NEVER);
    world.faults.next(Call::Commit, Fault::Hang);
    let first = world.authority.update(host(), world.idle.id, Update::new().description("first"));
    world.faults.wait_until_hanging();
    let made = world.authority.create(&world.held[1], NewToken::read_write(world.organization).write(world.bucket));
    let all = world.authority.revoke_all(host(), world.admin.id);
    world.faults.release();
    first.wait().unwrap();
    let made = made.wait().unwrap().token.id();
    // `admin`, and the three that it made.
    assert_eq!(all.wait().unwrap().changed, 4);
    assert_eq!(world.authority.get(host(), made).unwrap().status(), Status::Revoked);
}

type Set<'a> = &'a dyn Fn(Standing) -> Pending<Receipt>;

#[test]
fn one_of_those_that_share_a_commit_sees_what_those_before_it_did_for_its_actor() {
    let world = Company::new(NEVER);
    let held = &world.held[1];
    let organization = |standing| world.authority.set_organization_standing(host(), world.organization, standing);
    let owner = |standing| world.authority.set_owner_standing(host(), world.owner, standing);
    for set in [&organization as Set<'_>, &owner as Set<'_>] {
        set(Standing::Suspended).wait().unwrap();
        world.faults.next(Call::Commit, Fault::Hang);
        let first =
            world.authority.update(host(), world.idle.id, Update::new().description(world.revision().to_string()));
        world.faults.wait_until_hanging();
        let restored = set(Standing::Active);
        let allowed = world.authority.update(held, world.sensor.id, Update::new().description("allowed"));
        let suspended = set(Standing::Suspended);
        let refused = world.authority.update(held, world.sensor.id, Update::new().description("refused"));
        world.faults.release();
        first.wait().unwrap();
        restored.wait().unwrap();
        assert_eq!(allowed.wait().unwrap().token.description(), "allowed");
        suspended.wait().unwrap();
        assert!(matches!(refused.wait(), Err(Error::NotAccepted(_))));
        set(Standing::Active).wait().unwrap();
    }
}

/// The same random numbers at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// What a token must look like after the changes that were told, in the order of their commits.
#[derive(Debug, Default, Clone, PartialEq)]
struct Expected {
    revoked: bool,
    deleted: bool,
}

#[test]
fn random_calls_of_many_threads_are_as_if_one_after_another() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let observer = move |event: &Event| told.lock().unwrap().push(event.clone());
    let store = MemoryStore::new();
    let authority = following(SOON).observer(observer).open(store.clone()).wait().unwrap();
    let owner = UserId::generate().unwrap();
    let organization = portcullis::OrgId::generate().unwrap();
    let create = || {
        let new = NewToken::all_access(organization).owner(owner);
        authority.create(host(), new).wait().unwrap()
    };
    let tokens: Vec<_> = (0..20).map(|_| create()).collect();
    let ids: Vec<_> = tokens.iter().map(|issued| issued.token.id()).collect();

    let increments: usize = thread::scope(|scope| {
        let work = |seed| {
            let (mut numbers, mut increments) = (Numbers(seed), 0);
            for _ in 0..150 {
                let id = ids[numbers.below(ids.len())];
                match numbers.below(20) {
                    0 => _ = authority.revoke(host(), id).wait(),
                    1 => _ = authority.delete(host(), id).wait(),
                    // Counts, on condition that nobody else did meanwhile.
                    _ => {
                        let Ok(token) = authority.get(host(), id) else { continue };
                        let count = token.description().parse().unwrap_or(0) + 1;
                        let update = Update::new().description(u32::to_string(&count)).if_revision(token.revision());
                        increments += usize::from(authority.update(host(), id, update).wait().is_ok());
                    }
                }
            }
            increments
        };
        let workers: Vec<_> = (1..=8).map(|seed| scope.spawn(move || work(seed))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });

    let events = events.lock().unwrap();
    let mut expected: BTreeMap<TokenId, Expected> = ids.iter().map(|id| (*id, Expected::default())).collect();
    let mut last = 0;
    let mut updates = 0;
    for event in events.iter() {
        let (Some(revision), Some(id)) = (event.revision, event.token) else { continue };
        assert!(revision >= last, "events come in the order of their commits");
        last = revision;
        let token = expected.entry(id).or_default();
        match event.kind {
            EventKind::Updated => {
                assert!(!token.revoked && !token.deleted);
                updates += 1;
            }
            EventKind::Revoked => {
                assert!(!token.revoked && !token.deleted);
                token.revoked = true;
            }
            EventKind::Deleted => {
                assert!(!token.deleted);
                token.deleted = true;
            }
            _ => {}
        }
    }
    assert_eq!(updates, increments);
    for authority in [&authority, &Authority::open(store).wait().unwrap()] {
        for (id, expected) in &expected {
            let found = authority.get(host(), *id).ok();
            assert_eq!(found.is_none(), expected.deleted);
            assert_eq!(
                found.is_some_and(|token| token.status() == Status::Revoked),
                expected.revoked && !expected.deleted
            );
        }
    }
}

/// What can never be taken back: the tokens that were seen revoked, or deleted.
#[derive(Default)]
struct Final {
    revoked: BTreeSet<TokenId>,
    gone: BTreeSet<TokenId>,
    revisions: BTreeMap<TokenId, u64>,
}

impl Final {
    fn see(&mut self, authority: &Authority, id: TokenId) {
        match authority.get(host(), id) {
            Ok(token) => {
                assert!(!self.gone.contains(&id), "a deleted token came back");
                assert!(token.status() == Status::Revoked || !self.revoked.contains(&id), "a revoked token came back");
                if token.status() == Status::Revoked {
                    self.revoked.insert(id);
                }
                let last = self.revisions.insert(id, token.revision());
                assert!(last <= Some(token.revision()), "an older state came back");
            }
            Err(Error::NotFound(_)) => _ = self.gone.insert(id),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn two_authorities_lose_no_update_and_bring_nothing_back() {
    let store = MemoryStore::new();
    let open = |store: &MemoryStore| following(SOON).open(store.clone()).wait().unwrap();
    let authorities = [open(&store), open(&store)];
    let organization = portcullis::OrgId::generate().unwrap();
    let owner = UserId::generate().unwrap();
    let made: Vec<_> = (0..12)
        .map(|_| authorities[0].create(host(), NewToken::all_access(organization).owner(owner)).wait().unwrap())
        .collect();
    let ids: Vec<_> = made.iter().map(|issued| issued.token.id()).collect();
    let head_of = |token: &Token| token.description().parse().unwrap_or(0);
    eventually("followed", || ids.iter().all(|id| authorities[1].get(host(), *id).is_ok()));

    let stop = AtomicBool::new(false);
    let counted: BTreeMap<TokenId, u32> = thread::scope(|scope| {
        for authority in &authorities {
            let (ids, made, stop) = (&ids, &made, &stop);
            scope.spawn(move || {
                let mut seen = Final::default();
                while !stop.load(Ordering::Relaxed) {
                    for (id, issued) in ids.iter().zip(made) {
                        seen.see(authority, *id);
                        let resource = Resource::authorizations(organization);
                        let principal = authority.authenticate(issued.secret.expose());
                        let allowed = principal.map(|principal| principal.authorize(Write, resource).is_ok());
                        assert!(allowed != Ok(true) || !(seen.revoked.contains(id) || seen.gone.contains(id)));
                    }
                    thread::yield_now();
                }
            });
        }
        let work = |seed: u64| {
            let mut numbers = Numbers(seed);
            let authority = &authorities[usize::from(seed.is_multiple_of(2))];
            let mut counted = BTreeMap::<TokenId, u32>::new();
            for _ in 0..150 {
                let id = ids[numbers.below(ids.len())];
                match numbers.below(40) {
                    0 => _ = authority.revoke(host(), id).wait(),
                    1 => _ = authority.delete(host(), id).wait(),
                    _ => {
                        let Ok(token) = authority.get(host(), id) else { continue };
                        let description = (head_of(&token) + 1).to_string();
                        let update = Update::new().description(description).if_revision(token.revision());
                        match authority.update(host(), id, update).wait() {
                            Ok(_) => *counted.entry(id).or_default() += 1,
                            Err(
                                Error::RevisionMismatch { .. }
                                | Error::Busy(_)
                                | Error::NotFound(_)
                                | Error::Revoked(_),
                            ) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            }
            counted
        };
        let workers: Vec<_> = (1..=6).map(|seed| scope.spawn(move || work(seed))).collect();
        let mut counted = BTreeMap::new();
        for worker in workers {
            for (id, count) in worker.join().unwrap() {
                *counted.entry(id).or_default() += count;
            }
        }
        stop.store(true, Ordering::Relaxed);
        counted
    });

    let end = head(&store);
    for authority in &authorities {
        eventually("followed", || authority.position() == end);
        let page = authority.list(host(), &Filter::default(), None, 100).unwrap();
        for token in &page.tokens {
            assert_eq!(head_of(token), counted.get(&token.id()).copied().unwrap_or(0), "no update is lost");
        }
    }
    let [a, b] = authorities.each_ref().map(|authority| {
        let page = authority.list(host(), &Filter::default(), None, 100).unwrap();
        page.tokens.iter().map(|token| (token.id(), token.revision(), token.status())).collect::<Vec<_>>()
    });
    assert_eq!(a, b);
}

#[test]
fn of_many_setups_in_many_places_one_wins() {
    let store = MemoryStore::new();
    let authorities: Vec<_> = (0..4).map(|_| Authority::open(store.clone()).wait().unwrap()).collect();
    let won: usize = thread::scope(|scope| {
        let setup = |authority: &Authority| {
            (0..4).filter(|_| authority.setup(UserId::generate().unwrap()).wait().is_ok()).count()
        };
        let workers: Vec<_> = (0..16)
            .map(|n| {
                scope.spawn({
                    let authority = &authorities[n % 4];
                    move || setup(authority)
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(won, 1);
}

#[test]
fn no_decision_after_a_revocation_returned_says_yes() {
    let world = Company::new(NEVER);
    let organization = Resource::authorizations(world.organization);
    for round in 0..50 {
        let admin = world.authority.authenticate(&world.admin.secret).unwrap();
        let issued = world.authority.create(&admin, NewToken::all_access(world.organization)).wait().unwrap();
        let held = world.authority.authenticate(issued.secret.expose()).unwrap();
        let revoked = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let after = revoked.load(Ordering::SeqCst);
                        let decision = held.authorize(Write, organization);
                        if after {
                            assert!(decision.is_err(), "round {round}");
                            break;
                        }
                    }
                });
            }
            let id = issued.token.id();
            match round % 3 {
                0 => _ = world.authority.revoke(host(), id).wait().unwrap(),
                1 => _ = world.authority.delete(host(), id).wait().unwrap(),
                _ => _ = world.authority.set_owner_standing(host(), world.owner, Standing::Suspended).wait().unwrap(),
            }
            revoked.store(true, Ordering::SeqCst);
        });
        assert!(matches!(held.check(), Err(Reason::Revoked | Reason::Unknown | Reason::OwnerSuspended)));
        world.authority.set_owner_standing(host(), world.owner, Standing::Active).wait().unwrap();
    }
}
