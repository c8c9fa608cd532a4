//! Tests with loom, which tries every order of the index's atomic operations that the memory model allows. One thread writes,
//! as the management thread does; others read. `.ci/interleavings` runs them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread::{self, JoinHandle};

use crate::index::Index;
use crate::index::lookup::Lookup;
use crate::index::slot::{Facts, Slot};
use crate::index::state::State;
use crate::index::target::Handle;
use crate::index::words::Words;
use crate::model::action::Action;
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, ResourceId, TokenId, UserId};
use crate::model::kind::TokenKind;
use crate::model::resource::Resource;
use crate::model::status::{Standing, Status};
use crate::model::time::{SystemClock, Timestamp};
use crate::model::token::Creator;
use crate::secret::{Credential, Digest, Keyring};
use crate::store::Position;
use crate::store::record::{Body, Record, Stand, TokenRecord, Tombstone};

/// Tries all orders with at most this many switches away from a thread that could go on.
fn all_orders(switches: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(switches);
    let (run, orders) = (Arc::new(run), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&orders);
    model.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        let run = Arc::clone(&run);
        spawn(move || run()).join().unwrap();
    });
    println!("{}: {} orders", std::thread::current().name().unwrap_or_default(), orders.load(Ordering::Relaxed));
}

/// A thread with a stack on which an index fits.
fn spawn(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().stack_size(1 << 16).spawn(run).unwrap()
}

fn facts(number: u32) -> Facts {
    let word = u64::from(number);
    Facts { state: State::TOKEN, expires: word, value: twice(word), owner: number, ..Facts::empty(number) }
}

/// A value with this word in both halves.
fn twice(word: u64) -> u128 {
    u128::from(word) << 64 | u128::from(word)
}

#[test]
fn a_slot_is_never_seen_half_written() {
    all_orders(3, || {
        let slot = Arc::new(Slot::default());
        slot.write(&facts(1), &[1; 4]);
        let reader = spawn({
            let slot = Arc::clone(&slot);
            move || {
                let seen = slot.facts(|facts| *facts);
                let word = u64::from(seen.serial);
                assert_eq!((seen.expires, seen.value, seen.owner), (word, twice(word), seen.serial));
            }
        });
        slot.write(&facts(2), &[2; 4]);
        reader.join().unwrap();
    });
}

#[test]
fn a_digest_leads_only_to_what_was_written_with_it() {
    all_orders(3, || {
        let slot = Arc::new(Slot::default());
        slot.write(&facts(1), &[1; 4]);
        let reader = spawn({
            let slot = Arc::clone(&slot);
            move || {
                let seen = slot.facts_of(&[1; 4], 0, |facts| facts.serial);
                assert!(seen.is_none() || seen == Some(1));
            }
        });
        slot.write(&facts(2), &[2; 4]);
        reader.join().unwrap();
    });
}

fn number(n: u32) -> Words {
    let mix = |k: u64| (u64::from(n) + 1).wrapping_mul(k).rotate_left(29).wrapping_mul(k);
    [mix(0x9e37_79b9_7f4a_7c15), mix(0xd1b5_4a32_d192_ed03), mix(0x8bb8_4b93_962e_acc9), u64::from(n)]
}

fn finds(lookup: &Lookup, n: u32) -> bool {
    lookup.find(&number(n), |slot| (slot == n).then_some(())).is_some()
}

#[test]
fn what_is_there_is_found_while_its_page_splits() {
    // Some of them move to the new page, some do not.
    for sought in 0..3 {
        all_orders(3, move || {
            let lookup = Arc::new(Lookup::new());
            (0..3).for_each(|n| lookup.insert(&number(n), n, number));
            let reader = spawn({
                let lookup = Arc::clone(&lookup);
                move || assert!(finds(&lookup, sought))
            });
            // The page holds three.
            lookup.insert(&number(3), 3, number);
            reader.join().unwrap();
            assert!((0..4).all(|n| finds(&lookup, n)));
        });
    }
}

/// A reader learns of the new page from the directory alone, which does not grow.
#[test]
fn what_is_there_is_found_while_a_page_splits_that_is_not_the_deepest() {
    // The hashes of the first four begin with ones, those of the next three with zeros: one of these moves.
    const THERE: [u32; 7] = [5, 6, 1, 18, 0, 8, 14];
    for sought in [0, 14] {
        all_orders(3, move || {
            let lookup = Arc::new(Lookup::new());
            THERE.into_iter().for_each(|n| lookup.insert(&number(n), n, number));
            let reader = spawn({
                let lookup = Arc::clone(&lookup);
                move || assert!(finds(&lookup, sought))
            });
            lookup.insert(&number(15), 15, number);
            reader.join().unwrap();
            assert!(THERE.into_iter().chain([15]).all(|n| finds(&lookup, n)));
        });
    }
}

#[test]
fn what_is_there_is_found_while_its_page_takes_a_higher_number() {
    for sought in 0..2 {
        all_orders(3, move || {
            let lookup = Arc::new(Lookup::new());
            (0..2).for_each(|n| lookup.insert(&number(n), n, number));
            let reader = spawn({
                let lookup = Arc::clone(&lookup);
                move || assert!(finds(&lookup, sought))
            });
            // It needs more bits than the others, which lose some of their digest's.
            lookup.insert(&number(1_000), 1_000, number);
            reader.join().unwrap();
            assert!(finds(&lookup, 0) && finds(&lookup, 1) && finds(&lookup, 1_000));
        });
    }
}

#[test]
fn what_is_there_is_found_while_its_page_is_swept() {
    all_orders(3, || {
        let lookup = Arc::new(Lookup::new());
        (0..3).for_each(|n| lookup.insert(&number(n), n, number));
        (1..3).for_each(|n| lookup.remove(&number(n), n));
        let reader = spawn({
            let lookup = Arc::clone(&lookup);
            move || assert!(finds(&lookup, 0))
        });
        lookup.insert(&number(3), 3, number);
        reader.join().unwrap();
        assert!(finds(&lookup, 0) && finds(&lookup, 3) && !finds(&lookup, 1));
    });
}

/// A slot that is found was written before.
#[test]
fn what_is_found_is_whole() {
    all_orders(3, || {
        let shared = Arc::new((Lookup::new(), Slot::default()));
        let reader = spawn({
            let shared = Arc::clone(&shared);
            move || {
                let (lookup, slot) = &*shared;
                let found = lookup.find(&number(7), |_| slot.facts_of(&number(7), 0, |facts| facts.serial));
                assert!(found.is_none() || found == Some(5));
            }
        });
        let (lookup, slot) = &*shared;
        slot.write(&facts(5), &number(7));
        lookup.insert(&number(7), 0, number);
        reader.join().unwrap();
    });
}

fn organization() -> OrgId {
    OrgId::try_from(1).unwrap()
}

fn bucket(number: u64) -> ResourceId {
    ResourceId::try_from(number).unwrap()
}

fn owner() -> UserId {
    UserId::try_from(1).unwrap()
}

fn digest(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

fn token(number: u64, kind: TokenKind) -> TokenRecord {
    TokenRecord {
        id: TokenId::try_from(number).unwrap(),
        kind,
        owner: owner(),
        description: Arc::default(),
        status: Status::Active,
        creator: Creator::Host("test".into()),
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        expires_at: Expiry::Never,
        credential: Credential { key: Keyring::PLAIN, digest: digest(u8::try_from(number).unwrap()) },
        overlap: None,
        former: Vec::new(),
    }
}

fn buckets(granted: &[(u64, Action)]) -> TokenKind {
    TokenKind::read_write(organization(), granted.iter().map(|(number, actions)| (bucket(*number), *actions))).unwrap()
}

fn put(token: TokenRecord) -> Body {
    Body::Token(Box::new(token))
}

fn stand(standing: Standing) -> Body {
    Body::Owner(owner(), Stand { standing, since: Timestamp::EPOCH })
}

fn apply(index: &Index, bodies: Vec<Body>) {
    let records: Vec<_> = bodies.into_iter().map(Record).collect();
    let position = Position { revision: index.position().revision + 1, ..Position::ORIGIN };
    index.apply(position, records.iter().map(|record| (position.revision, record)));
}

/// An open index with these tokens.
fn index(bodies: Vec<Body>) -> Arc<Index> {
    let index = Arc::new(Index::new());
    apply(&index, bodies);
    index.open(None);
    index
}

fn login(index: &Index, number: u8) -> Option<Handle> {
    index.authenticate(&digest(number), Keyring::PLAIN, &SystemClock).ok()
}

fn may(index: &Index, handle: Handle, action: Action, number: u64) -> bool {
    let resource = Resource::bucket(organization(), bucket(number));
    index.authorize(handle, action, &resource, &SystemClock).is_ok()
}

/// Rule 17, for a reader that learned of the revocation in any way that orders events.
#[test]
fn no_decision_that_begins_after_a_revocation_says_yes() {
    all_orders(2, || {
        let mine = token(1, TokenKind::all_access(organization()));
        let index = index(vec![put(mine.clone())]);
        let held = login(&index, 1).unwrap();
        let told = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let reader = spawn({
            let (index, told) = (Arc::clone(&index), Arc::clone(&told));
            move || {
                let revoked = told.load(loom::sync::atomic::Ordering::Acquire);
                let allowed = may(&index, held, Action::READ, 1);
                assert!(!(revoked && allowed));
            }
        });
        apply(&index, vec![put(TokenRecord { status: Status::Revoked, ..mine })]);
        told.store(true, loom::sync::atomic::Ordering::Release);
        reader.join().unwrap();
    });
}

/// A change takes effect as a whole: neither what was granted before nor what is granted after mixes with the other.
#[test]
fn no_decision_sees_half_a_change() {
    all_orders(2, || {
        let mine = token(1, buckets(&[(1, Action::READ)]));
        let index = index(vec![put(mine.clone())]);
        let held = login(&index, 1).unwrap();
        let reader = spawn({
            let index = Arc::clone(&index);
            move || assert!(!may(&index, held, Action::WRITE, 1))
        });
        apply(&index, vec![put(TokenRecord { kind: buckets(&[(2, Action::WRITE)]), ..mine })]);
        reader.join().unwrap();
        assert!(may(&index, held, Action::WRITE, 2));
    });
}

/// The same where the permissions are in a set of their own, whose number the next set takes.
#[test]
fn no_decision_takes_the_permissions_of_another_token() {
    all_orders(2, || {
        let mine = token(1, buckets(&[(1, Action::READ), (2, Action::READ)]));
        let other = token(2, buckets(&[(1, Action::WRITE), (2, Action::WRITE)]));
        let index = index(vec![put(mine.clone())]);
        let held = login(&index, 1).unwrap();
        let reader = spawn({
            let index = Arc::clone(&index);
            move || assert!(!may(&index, held, Action::WRITE, 1))
        });
        apply(&index, vec![put(TokenRecord { kind: buckets(&[(3, Action::READ)]), ..mine })]);
        apply(&index, vec![put(other)]);
        reader.join().unwrap();
        assert!(!may(&index, held, Action::WRITE, 1));
    });
}

/// What is granted before a change and after it is granted all the time.
#[test]
fn no_decision_lacks_what_a_change_leaves() {
    all_orders(1, || {
        let mine = token(1, buckets(&[(1, Action::READ), (2, Action::READ)]));
        let index = index(vec![put(mine.clone())]);
        let held = login(&index, 1).unwrap();
        let reader = spawn({
            let index = Arc::clone(&index);
            move || assert!(may(&index, held, Action::READ, 1))
        });
        apply(&index, vec![put(TokenRecord { kind: buckets(&[(1, Action::READ), (3, Action::READ)]), ..mine })]);
        reader.join().unwrap();
    });
}

/// Rule 18: a principal is never taken for one of the token that got its slot.
///
/// No switches: a reader that stores nothing can run last. Whatever it would have seen before, loom lets it see then. With one switch it is 333,794 orders instead of 39,158.
#[test]
fn a_slot_that_is_used_again_is_not_the_old_tokens() {
    all_orders(0, || {
        let mine = token(1, buckets(&[(1, Action::READ)]));
        let index = index(vec![put(mine.clone())]);
        let held = login(&index, 1).unwrap();
        let reader = spawn({
            let index = Arc::clone(&index);
            move || assert!(!may(&index, held, Action::WRITE, 1))
        });
        let tombstone = Tombstone { id: mine.id, deleted_at: Timestamp::EPOCH, digests: vec![digest(1)] };
        apply(&index, vec![Body::Tombstone(tombstone)]);
        apply(&index, vec![put(token(2, TokenKind::all_access(organization())))]);
        assert_eq!(login(&index, 2).unwrap().slot(), held.slot(), "the slot is used again");
        reader.join().unwrap();
        assert!(!may(&index, held, Action::READ, 1));
    });
}

/// Rule 15: while a secret overlaps with its successor, one of the two always is accepted, and the first all the time.
#[test]
fn a_rotation_with_an_overlap_leaves_no_gap() {
    all_orders(2, || {
        let before = token(1, TokenKind::all_access(organization()));
        let index = index(vec![put(before.clone())]);
        let reader = spawn({
            let index = Arc::clone(&index);
            move || assert!(login(&index, 1).is_some())
        });
        let credential = Credential { key: Keyring::PLAIN, digest: digest(2) };
        let overlap = Some((before.credential, Timestamp::MAX));
        apply(&index, vec![put(TokenRecord { credential, overlap, ..before })]);
        reader.join().unwrap();
        assert!(login(&index, 1).is_some() && login(&index, 2).is_some());
    });
}

/// Rule 16: a token that is activated together with the suspension of its owner is accepted at no time.
///
/// One switch shows it; with two it is 972,259 orders.
#[test]
fn a_suspension_comes_before_what_is_activated_with_it() {
    all_orders(1, || {
        let mine = token(1, TokenKind::all_access(organization()));
        let index = index(vec![put(TokenRecord { status: Status::Inactive, ..mine.clone() })]);
        let reader = spawn({
            let index = Arc::clone(&index);
            move || assert!(login(&index, 1).is_none())
        });
        apply(&index, vec![put(mine), stand(Standing::Suspended)]);
        reader.join().unwrap();
    });
}

/// A token that is new is found whole, or not at all.
#[test]
fn a_new_token_is_found_whole_or_not_at_all() {
    all_orders(2, || {
        let index = index(vec![stand(Standing::Active)]);
        let reader = spawn({
            let index = Arc::clone(&index);
            move || {
                if let Some(handle) = login(&index, 1) {
                    assert!(may(&index, handle, Action::READ, 1) && !may(&index, handle, Action::WRITE, 1));
                }
            }
        });
        apply(&index, vec![put(token(1, buckets(&[(1, Action::READ)])))]);
        reader.join().unwrap();
        assert!(login(&index, 1).is_some());
    });
}

fn organization_stand(standing: Standing) -> Body {
    Body::Organization(organization(), Stand { standing, since: Timestamp::EPOCH })
}

/// Rule 16: of a commit that restores one and suspends the other, neither half is seen alone, whichever is which.
#[test]
fn what_is_denied_before_and_after_is_denied_in_between() {
    let suspended = Standing::Suspended;
    for [before, after] in [
        [vec![stand(suspended)], vec![stand(Standing::Active), organization_stand(suspended)]],
        [vec![organization_stand(suspended)], vec![organization_stand(Standing::Active), stand(suspended)]],
    ] {
        let (before, after) = (copied(before), copied(after));
        all_orders(2, move || {
            let mine = put(token(1, TokenKind::all_access(organization())));
            let index = index(before().into_iter().chain([mine]).collect());
            let reader = spawn({
                let index = Arc::clone(&index);
                move || assert!(login(&index, 1).is_none())
            });
            apply(&index, after());
            reader.join().unwrap();
        });
    }
}

/// Standings again and again.
fn copied(bodies: Vec<Body>) -> impl Fn() -> Vec<Body> {
    move || {
        let copy = |body: &Body| match body {
            Body::Owner(id, stand) => Body::Owner(*id, *stand),
            Body::Organization(id, stand) => Body::Organization(*id, *stand),
            _ => unreachable!("only standings are copied"),
        };
        bodies.iter().map(copy).collect()
    }
}

/// Rule 17: a suspended owner's token that was refused once stays refused, while another owner is restored.
#[test]
fn a_suspension_that_was_seen_stays() {
    all_orders(2, || {
        let other = UserId::try_from(2).unwrap();
        let other = |standing| Body::Owner(other, Stand { standing, since: Timestamp::EPOCH });
        let index = index(vec![other(Standing::Suspended), put(token(1, TokenKind::all_access(organization())))]);
        let reader = spawn({
            let index = Arc::clone(&index);
            move || {
                let [first, second] = [(); 2].map(|()| login(&index, 1).is_some());
                assert!(first || !second);
            }
        });
        apply(&index, vec![other(Standing::Active)]);
        apply(&index, vec![stand(Standing::Suspended)]);
        reader.join().unwrap();
    });
}

/// Asked in one call, a secret gets what its token had before a change or has after it.
///
/// One switch shows it; with two it is 224,275 orders.
#[test]
fn no_decision_in_one_call_sees_half_a_change() {
    all_orders(1, || {
        let mine = token(1, buckets(&[(1, Action::READ)]));
        let index = index(vec![put(mine.clone())]);
        let may = |index: &Index, number| {
            let resource = Resource::bucket(organization(), bucket(number));
            let decided = index.authorize_secret(&digest(1), Keyring::PLAIN, Action::WRITE, &resource, &SystemClock);
            decided.is_ok_and(|decision| decision.is_ok())
        };
        let reader = spawn({
            let index = Arc::clone(&index);
            move || assert!(!may(&index, 1))
        });
        apply(&index, vec![put(TokenRecord { kind: buckets(&[(2, Action::WRITE)]), ..mine })]);
        reader.join().unwrap();
        assert!(may(&index, 2));
    });
}

/// Rule 17: while everything is read again, page by page, no decision sees some pages without the others.
///
/// No switches: they would show no more to a reader that stores nothing.
#[test]
fn nothing_is_decided_by_half_of_what_is_read_again() {
    all_orders(0, || {
        // As when it was cleared.
        let index = index(Vec::new());
        let reader = spawn({
            let index = Arc::clone(&index);
            move || assert!(login(&index, 1).is_none())
        });
        index.close();
        apply(&index, vec![put(token(1, TokenKind::all_access(organization())))]);
        apply(&index, vec![stand(Standing::Suspended)]);
        index.open(None);
        reader.join().unwrap();
    });
}
