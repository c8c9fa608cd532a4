//! Rules 14 and 15: secrets, rotation, peppers.

use std::time::Duration;

use portcullis::{
    Authority, Issued, NewToken, Pepper, Read, Reason, Resource, Rotation, Secret, Standing, TokenKind, Update,
};
use sha2::{Digest, Sha256};

use test_support::fixture::{HOUR, START, TICK, World, bucket, hex, host, id_of, ok, org, text, user};

const USED: &str = "the chosen secret was used before";

/// A secret that may be chosen, told apart by its number.
fn chosen(number: u32) -> Secret {
    Secret::new(format!("a-secret-that-somebody-chose-{number:04}"))
}

type End = fn(&World, portcullis::TokenId);

fn new() -> NewToken {
    NewToken::all_access(org(1)).owner(user(1))
}

fn accepted(authority: &Authority, secret: &Secret) -> Result<(), Reason> {
    authority.authenticate(secret.expose()).map(|_| ()).map_err(|error| error.reason())
}

#[test]
fn rule_14_a_chosen_secret_is_the_tokens() {
    let world = World::new();
    let issued = world.issue(new().secret(chosen(1)));
    assert_eq!(issued.secret.expose(), chosen(1).expose());
    assert_eq!(id_of(&world.login(&issued)), issued.token.id());
    let rotated = world.authority.rotate(host(), issued.token.id(), Rotation::new().secret(chosen(2))).wait().unwrap();
    assert_eq!(rotated.secret.expose(), chosen(2).expose());
    assert_eq!(accepted(&world.authority, &chosen(2)), Ok(()));
    // The floor and the longest.
    for len in [32, 512] {
        let secret = "~!".repeat(len / 2);
        let issued = world.issue(new().secret(Secret::new(secret.as_str())));
        assert_eq!(id_of(&world.authority.authenticate(&secret).unwrap()), issued.token.id());
    }
    let node = world.node_with(|builder| builder.chosen_secret_floor(1));
    ok(node.create(host(), new().secret(Secret::new("x".repeat(16)))));
    let short = node.create(host(), new().secret(Secret::new("y".repeat(15))));
    assert_eq!(text(short), "a chosen secret has at least 16 characters, this one has 15");
}

#[test]
fn rule_14_no_secret_is_chosen_that_any_token_has_or_had() {
    let world = World::new();
    let issue = |number| world.issue(new().secret(chosen(number))).token.id();
    let rotate = |id, number, overlap| {
        ok(world.authority.rotate(host(), id, Rotation::new().secret(chosen(number)).overlap(overlap)));
    };
    _ = issue(0); // Live.
    ok(world.authority.revoke(host(), issue(1)));
    ok(world.authority.update(host(), issue(2), Update::new().deactivate()));
    rotate(issue(3), 4, HOUR); // Overlapping.
    rotate(issue(5), 6, Duration::ZERO); // Former.
    let deleted = issue(7); // Deleted, with all that it had.
    rotate(deleted, 8, Duration::ZERO);
    rotate(deleted, 9, HOUR);
    rotate(deleted, 10, HOUR);
    ok(world.authority.delete(host(), deleted));
    let ended = issue(11); // Overlapping once.
    rotate(ended, 12, HOUR);
    rotate(ended, 13, HOUR);
    ok(world.authority.set_owner_standing(host(), user(1), Standing::Suspended));
    world.clock.advance(2 * HOUR);

    let other = world.authority.create(host(), new().owner(user(2))).wait().unwrap().token.id();
    let anew = world.node();
    for number in 0..14 {
        for authority in [&world.authority, &anew] {
            assert_eq!(text(authority.create(host(), new().secret(chosen(number)))), USED, "{number}");
            let rotated = authority.rotate(host(), other, Rotation::new().secret(chosen(number)));
            assert_eq!(text(rotated), USED, "{number}");
        }
    }
    // A generated one neither; and not its own.
    let generated = world.issue(new());
    let rotated = Rotation::new().secret(Secret::new(generated.secret.expose()));
    let answer = world.authority.rotate(host(), generated.token.id(), rotated);
    assert_eq!(text(answer), "a chosen secret cannot begin with `pcs_`, as generated ones do");
}

#[test]
fn rule_14_a_token_is_remembered_to_have_had_eight_secrets() {
    let world = World::new();
    let id = world.issue(new().secret(chosen(0))).token.id();
    let rotate = |number, overlap| {
        ok(world.authority.rotate(host(), id, Rotation::new().secret(chosen(number)).overlap(overlap)));
    };
    (1..9).for_each(|number| rotate(number, Duration::ZERO));
    let other = |number| world.authority.create(host(), new().secret(chosen(number)));
    (0..9).for_each(|number| assert_eq!(text(other(number)), USED));
    // One that still is accepted does not count.
    rotate(9, HOUR);
    assert_eq!(text(other(0)), USED);
    rotate(10, HOUR);
    assert_eq!(accepted(&world.authority, &other(0).wait().unwrap().secret), Ok(()));
    assert_eq!(text(other(1)), USED);
}

#[test]
fn rule_14_two_that_choose_the_same_secret_at_once_do_not_both_get_it() {
    let world = World::new();
    let nodes = [world.node(), world.node()];
    for number in 0..20 {
        let pending: Vec<_> = (0..4).map(|at| nodes[at % 2].create(host(), new().secret(chosen(number)))).collect();
        let answers: Vec<_> = pending.into_iter().map(portcullis::Pending::wait).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|error| error.to_string() == USED));
    }
}

#[test]
fn rule_14_a_stored_digest_never_authenticates() {
    let world = World::new();
    for issued in [world.issue(new()), world.issue(new().secret(chosen(1)))] {
        let digest: [u8; 32] = Sha256::digest(issued.secret.expose()).into();
        let hex = hex(&digest);
        for presented in [digest.to_vec(), hex.clone().into_bytes(), format!("$sha256${hex}$").into_bytes()] {
            assert_eq!(world.authority.authenticate(presented).unwrap_err().reason(), Reason::Unknown);
        }
        // Nor what would have it as its digest, were it taken for one.
        assert!(world.authority.create(host(), new().secret(Secret::new(hex))).wait().is_ok());
    }
}

#[test]
fn rule_15_rotation_gives_a_new_secret_and_keeps_the_rest() {
    let world = World::new();
    let before = world.issue(new().description("kept").expires_in(HOUR));
    let held = world.login(&before);
    world.clock.advance(TICK);
    let after = world.authority.rotate(host(), before.token.id(), Rotation::new()).wait().unwrap();
    let (old, new) = (&before.token, &after.token);
    assert_eq!((old.id(), old.kind(), old.owner()), (new.id(), new.kind(), new.owner()));
    assert_eq!(
        (old.expires_at(), old.description(), old.creator()),
        (new.expires_at(), new.description(), new.creator())
    );
    assert_eq!((old.created_at(), old.status()), (new.created_at(), new.status()));
    assert_ne!(before.secret.expose(), after.secret.expose());
    // The old one stops at once, on principals already held too.
    assert_eq!(accepted(&world.authority, &before.secret), Err(Reason::Unknown));
    assert_eq!(held.check(), Err(Reason::Unknown));
    assert_eq!(held.authorize(Read, Resource::buckets(org(1))).unwrap_err().reason(), Reason::Unknown);
    assert_eq!(held.token().unwrap_err(), Reason::Unknown);
    let refused = "the acting token is not accepted: no token has this secret";
    assert_eq!(text(world.authority.revoke(&held, before.token.id())), refused);
    world.login(&after).check().unwrap();
}

#[test]
fn rule_15_an_overlap_ends_when_the_caller_said() {
    let world = World::new();
    let before = world.issue(new());
    let held = world.login(&before);
    let rotation = || Rotation::new().overlap(HOUR);
    let after = world.authority.rotate(host(), before.token.id(), rotation()).wait().unwrap();
    let anew = world.node();
    world.clock.set(START.saturating_add(HOUR).saturating_sub(TICK));
    let old_again = world.login(&before);
    for principal in [&held, &old_again, &world.login(&after)] {
        principal.check().unwrap();
        assert_eq!(id_of(principal), before.token.id());
    }
    assert_eq!(accepted(&anew, &before.secret), Ok(()));
    // With the old one the token does not rotate itself either.
    let answer = world.authority.rotate(&held, before.token.id(), Rotation::new());
    assert_eq!(
        text(answer),
        "a token can rotate neither itself nor one that it was created under: a thief would lock the owner out"
    );
    // Whatever else changes meanwhile.
    ok(world.authority.update(host(), before.token.id(), Update::new().description("x")));
    let kind = TokenKind::read_write(org(1), [(bucket(1), portcullis::Action::READ)]).unwrap();
    ok(world.authority.update(host(), before.token.id(), Update::new().kind(kind)));
    held.check().unwrap();
    assert!(held.authorize(Read, Resource::buckets(org(1))).is_err());
    world.clock.set(START.saturating_add(HOUR));
    for principal in [&held, &old_again] {
        assert_eq!(principal.check(), Err(Reason::Unknown));
    }
    for authority in [&world.authority, &anew] {
        assert_eq!(accepted(authority, &before.secret), Err(Reason::Unknown));
        assert_eq!(accepted(authority, &after.secret), Ok(()));
    }
}

#[test]
fn rule_15_an_overlap_ends_with_its_token_and_with_the_next_rotation() {
    let world = World::new();
    let rotate = |issued: &Issued| {
        world.authority.rotate(host(), issued.token.id(), Rotation::new().overlap(9 * HOUR)).wait().unwrap()
    };
    // Its expiry.
    let before = world.issue(new().expires_in(HOUR));
    let after = rotate(&before);
    // Extended later, the token lives on, the old secret does not.
    ok(world.authority.update(host(), before.token.id(), Update::new().never_expires()));
    let held = world.login(&before);
    world.clock.advance(HOUR);
    assert_eq!(held.check(), Err(Reason::Unknown));
    world.login(&after).check().unwrap();
    // Its revocation and its deactivation.
    let ends: [(End, Reason); 3] = [
        (|world, id| ok(world.authority.revoke(host(), id)), Reason::Revoked),
        (|world, id| ok(world.authority.update(host(), id, Update::new().deactivate())), Reason::Inactive),
        (|world, id| ok(world.authority.delete(host(), id)), Reason::Unknown),
    ];
    for (end, reason) in ends {
        let before = world.issue(new());
        let after = rotate(&before);
        let held = [world.login(&before), world.login(&after)];
        end(&world, before.token.id());
        assert!(held.iter().all(|principal| principal.check() == Err(reason)));
        for authority in [&world.authority, &world.node()] {
            assert_eq!(accepted(authority, &before.secret), Err(reason));
            assert_eq!(accepted(authority, &after.secret), Err(reason));
        }
    }
    // One former secret at a time.
    let first = world.issue(new());
    let second = rotate(&first);
    let held = [world.login(&first), world.login(&second)];
    let third = rotate(&first);
    assert_eq!(held.each_ref().map(portcullis::Principal::check), [Err(Reason::Unknown), Ok(())]);
    for authority in [&world.authority, &world.node()] {
        assert_eq!(accepted(authority, &first.secret), Err(Reason::Unknown));
        assert_eq!(accepted(authority, &second.secret), Ok(()));
        assert_eq!(accepted(authority, &third.secret), Ok(()));
    }
    // And a leak is closed by a rotation without one.
    let last = world.authority.rotate(host(), first.token.id(), Rotation::new()).wait().unwrap();
    assert!(held.iter().all(|principal| principal.check() == Err(Reason::Unknown)));
    assert_eq!(accepted(&world.authority, &third.secret), Err(Reason::Unknown));
    world.login(&last).check().unwrap();
}

fn pepper(id: char) -> Pepper {
    Pepper::new(id, &[id as u8; 32]).unwrap()
}

#[test]
fn secrets_move_from_no_pepper_to_one_and_to_the_next() {
    let world = World::new();
    let (plain, plain_chosen) = (world.issue(new()), world.issue(new().secret(chosen(1))));
    assert_eq!(world.authority.secrets_by_pepper().unwrap(), [('0', 2)].into());

    let first = world.node_with(|builder| builder.pepper(pepper('a')));
    let peppered = first.create(host(), new()).wait().unwrap();
    let peppered_chosen = first.create(host(), new().secret(chosen(2))).wait().unwrap();
    for issued in [&plain, &plain_chosen, &peppered, &peppered_chosen] {
        assert_eq!(accepted(&first, &issued.secret), Ok(()));
    }
    assert_eq!(first.secrets_by_pepper().unwrap(), [('0', 2), ('a', 2)].into());
    // The pepper is in the digest: without it, or with another, nothing is accepted.
    let stolen = world.node();
    let other = world.node_with(|builder| builder.pepper(Pepper::new('a', &[7; 32]).unwrap()));
    for authority in [&stolen, &other] {
        assert_eq!(accepted(authority, &peppered.secret), Err(Reason::Unknown));
        assert_eq!(accepted(authority, &peppered_chosen.secret), Err(Reason::Unknown));
        assert_eq!(accepted(authority, &plain.secret), Ok(()));
    }
    // No secret is chosen anew under another pepper.
    let second = world.node_with(|builder| builder.pepper(pepper('b')).previous_pepper(pepper('a')));
    for number in [1, 2] {
        assert_eq!(text(second.create(host(), new().secret(chosen(number)))), USED);
    }
    for issued in [&plain, &plain_chosen, &peppered, &peppered_chosen] {
        assert_eq!(accepted(&second, &issued.secret), Ok(()));
    }
    let rotate = |issued: &Issued, overlap| {
        second.rotate(host(), issued.token.id(), Rotation::new().overlap(overlap)).wait().unwrap()
    };
    _ = rotate(&plain, Duration::ZERO);
    let rotated = rotate(&peppered, HOUR);
    ok(second.delete(host(), plain_chosen.token.id()));
    ok(second.revoke(host(), peppered_chosen.token.id()));
    assert_eq!(accepted(&second, &peppered.secret), Ok(()));
    assert_eq!(second.secrets_by_pepper().unwrap(), [('0', 0), ('a', 1), ('b', 2)].into());
    // When the overlap is over, nothing needs the previous pepper.
    world.clock.advance(HOUR);
    assert_eq!(second.secrets_by_pepper().unwrap(), [('0', 0), ('b', 2)].into());
    let last = world.node_with(|builder| builder.pepper(pepper('b')));
    assert_eq!(accepted(&last, &rotated.secret), Ok(()));
    assert_eq!(accepted(&last, &peppered.secret), Err(Reason::Unknown));
}

#[test]
fn a_former_secret_of_a_revoked_token_needs_no_pepper() {
    let world = World::new();
    let issued = world.issue(new());
    ok(world.authority.rotate(host(), issued.token.id(), Rotation::new().overlap(HOUR)));
    assert_eq!(world.authority.secrets_by_pepper().unwrap(), [('0', 2)].into());
    ok(world.authority.revoke(host(), issued.token.id()));
    assert_eq!(world.authority.secrets_by_pepper().unwrap(), [('0', 0)].into());
}

#[test]
fn a_secret_has_the_hosts_prefix_and_lives_on_when_that_changes() {
    let world = World::new();
    let before = world.issue(new());
    assert!(before.secret.expose().starts_with("pcs_0"));
    let node = world.node_with(|builder| builder.secret_prefix("acme").unwrap().pepper(pepper('k')));
    let after = node.create(host(), new()).wait().unwrap();
    assert!(after.secret.expose().starts_with("acme_k"));
    assert!(after.secret.expose().len() <= 55 + 1);
    for issued in [&before, &after] {
        assert_eq!(accepted(&node, &issued.secret), Ok(()));
    }
}
