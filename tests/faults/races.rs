//! Others change the store between planning and commit: the call is planned anew, with every rule checked again.

use std::sync::Arc;

use portcullis::testing::Call;
use portcullis::{
    Actor, Authority, Error, NewToken, Pattern, Permission, Reason, ResourceType, Rotation, Standing, Status,
    TokenKind, Update, UserId,
};

use test_support::company::Company;
use test_support::fixture::{NEVER, SOON, eventually, following, head, host};
use test_support::stores::{Others, Shared};

/// A company, and another authority that acts whenever the store is about to be called.
fn with_other() -> (Company, Others, Arc<Authority>) {
    let others = Others::default();
    let hook = others.clone();
    let world = Company::on(NEVER, move |store| Shared(store, hook));
    let other = Arc::new(world.another());
    (world, others, other)
}

/// What admin's creation of a token answers when the other authority does this first.
fn created_after(act: impl FnOnce(&Authority, &Company) + Send + 'static) -> (Company, Result<(), Error>) {
    let (world, others, other) = with_other();
    let world = Arc::new(world);
    let seen = Arc::clone(&world);
    let admin = Actor::from(&world.held[1]);
    others.once(move || act(&other, &seen));
    let new = NewToken::read_write(world.organization).write(world.bucket);
    let answer = world.authority.create(&admin, new).wait().map(drop);
    others.always(|| ());
    let world = Arc::into_inner(world).unwrap();
    assert_eq!(world.look(), world.reopened());
    (world, answer)
}

#[test]
fn an_actor_that_was_revoked_meanwhile_is_refused() {
    let (world, answer) = created_after(|other, world| _ = other.revoke(host(), world.admin.id).wait().unwrap());
    assert!(matches!(answer, Err(Error::NotAccepted(Reason::Revoked))), "{answer:?}");
    assert_eq!(world.look().tokens.len(), 5);
}

#[test]
fn an_actor_that_was_deleted_meanwhile_is_refused() {
    let (_, answer) = created_after(|other, world| _ = other.delete(host(), world.admin.id).wait().unwrap());
    assert!(matches!(answer, Err(Error::NotAccepted(Reason::Unknown))), "{answer:?}");
}

#[test]
fn an_actor_whose_secret_was_replaced_meanwhile_is_refused() {
    let (_, answer) = created_after(|other, world| {
        _ = other.rotate(host(), world.admin.id, Rotation::new()).wait().unwrap();
    });
    assert!(matches!(answer, Err(Error::NotAccepted(Reason::Unknown))), "{answer:?}");
}

#[test]
fn an_actor_whose_owner_or_organization_was_suspended_meanwhile_is_refused() {
    let (_, answer) = created_after(|other, world| {
        _ = other.set_owner_standing(host(), world.owner, Standing::Suspended).wait().unwrap();
    });
    assert!(matches!(answer, Err(Error::NotAccepted(Reason::OwnerSuspended))), "{answer:?}");
    let (_, answer) = created_after(|other, world| {
        _ = other.set_organization_standing(host(), world.organization, Standing::Deleted).wait().unwrap();
    });
    assert!(matches!(answer, Err(Error::NotAccepted(Reason::OrganizationDeleted))), "{answer:?}");
}

/// Read and write of all tokens of the organization, and nothing else.
fn narrow(world: &Company) -> TokenKind {
    let pattern = Pattern::new(Some(world.organization), Some(ResourceType::AUTHORIZATIONS), None).unwrap();
    let both = [Permission::read(pattern), Permission::write(pattern)];
    TokenKind::custom(Some(world.organization), both.into_iter().collect()).unwrap()
}

#[test]
fn an_actor_that_was_narrowed_meanwhile_gives_no_more_than_it_has() {
    let (_, answer) = created_after(|other, world| {
        _ = other.update(host(), world.admin.id, Update::new().kind(narrow(world))).wait().unwrap();
    });
    assert!(matches!(answer, Err(Error::Exceeds(_))), "{answer:?}");
}

#[test]
fn an_actor_that_may_still_do_it_succeeds() {
    let (world, answer) = created_after(|other, world| _ = other.revoke(host(), world.brief.id).wait().unwrap());
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(world.look().tokens.len(), 6);
}

#[test]
fn an_update_that_meets_a_deletion_does_not_bring_the_token_back() {
    let (world, others, other) = with_other();
    let id = world.sensor.id;
    others.once(move || _ = other.delete(host(), id).wait().unwrap());
    let answer = world.authority.update(host(), id, Update::new().description("back")).wait();
    assert!(matches!(answer, Err(Error::NotFound(found)) if found == id), "{answer:?}");
    assert!(world.authority.authenticate(&world.sensor.secret).is_err());
    assert_eq!(world.look(), world.reopened());
}

#[test]
fn of_two_updates_none_is_lost() {
    let (world, others, other) = with_other();
    let id = world.sensor.id;
    others.once(move || _ = other.update(host(), id, Update::new().deactivate()).wait().unwrap());
    let token = world.authority.update(host(), id, Update::new().description("both")).wait().unwrap().token;
    assert_eq!((token.status(), token.description()), (Status::Inactive, "both"));
    assert_eq!(world.look(), world.reopened());
}

#[test]
fn a_condition_that_others_break_meanwhile_fails() {
    let (world, others, other) = with_other();
    let id = world.sensor.id;
    let read = world.authority.get(host(), id).unwrap().revision();
    others.once(move || _ = other.update(host(), id, Update::new().deactivate()).wait().unwrap());
    let update = Update::new().description("lost").if_revision(read);
    let answer = world.authority.update(host(), id, update).wait();
    assert!(matches!(answer, Err(Error::RevisionMismatch { expected, .. }) if expected == read), "{answer:?}");
}

#[test]
fn a_suspension_that_others_lifted_meanwhile_is_made_again() {
    let (world, others, other) = with_other();
    let owner = world.owner;
    world.authority.set_owner_standing(host(), owner, Standing::Suspended).wait().unwrap();
    others.once(move || {
        // The other follows when it commits.
        _ = other.set_owner_standing(host(), UserId::generate().unwrap(), Standing::Suspended).wait().unwrap();
        _ = other.set_owner_standing(host(), owner, Standing::Active).wait().unwrap();
    });
    let receipt = world.authority.set_owner_standing(host(), owner, Standing::Suspended).wait().unwrap();
    assert_eq!(receipt.changed, 1);
    assert_eq!(world.reopened().standings.0, Standing::Suspended);
}

#[test]
fn a_secret_that_others_chose_meanwhile_is_taken() {
    let (world, others, other) = with_other();
    let (organization, owner) = (world.organization, world.owner);
    let secret = || portcullis::Secret::new("a-secret-of-somebody-elses-own-choice");
    let new = move || NewToken::all_access(organization).owner(owner).secret(secret());
    others.once(move || _ = other.create(host(), new()).wait().unwrap());
    let answer = world.authority.create(host(), new()).wait();
    assert!(matches!(answer, Err(Error::SecretTaken)), "{answer:?}");
}

#[test]
fn of_two_setups_one_wins() {
    let others = Others::default();
    let store = portcullis::MemoryStore::new();
    let setup = |authority: &Authority| authority.setup(UserId::generate().unwrap()).wait();
    let open = |others: Others| following(NEVER).open(Shared(store.clone(), others)).wait().unwrap();
    let (first, second) = (open(others.clone()), open(Others::default()));
    others.once(move || _ = setup(&second).unwrap());
    let answer = setup(&first);
    assert!(matches!(answer, Err(Error::AlreadySetUp)), "{answer:?}");
    assert_eq!(head(&store).revision, 1);
}

#[test]
fn a_call_that_always_meets_others_ends_busy() {
    let (world, others, other) = with_other();
    let before = world.look();
    let commits = world.faults.calls(Call::Commit);
    others.always(move || {
        _ = other.set_owner_standing(host(), UserId::generate().unwrap(), Standing::Suspended).wait().unwrap();
    });
    let error = world.authority.revoke(host(), world.sensor.id).wait().unwrap_err();
    assert_eq!(error.to_string(), "the store is busy: others changed it 10 times meanwhile; try again");
    assert!(error.is_temporary());
    assert_eq!(world.faults.calls(Call::Commit) - commits, 10);
    others.always(|| ());
    assert_eq!(world.look(), before);
    assert_eq!(world.reopened(), before);
    world.authority.revoke(host(), world.sensor.id).wait().unwrap();
    assert_eq!(world.look(), world.reopened());
}

#[test]
fn a_change_elsewhere_holds_here_within_the_follow_interval() {
    let world = Company::new(SOON);
    let other = world.another();
    other.set_organization_standing(host(), world.organization, Standing::Suspended).wait().unwrap();
    eventually("suspended", || world.held[1].check() == Err(Reason::OrganizationSuspended));
    other.delete(host(), world.root.id).wait().unwrap();
    eventually("deleted", || world.held[0].check() == Err(Reason::Unknown));
}
