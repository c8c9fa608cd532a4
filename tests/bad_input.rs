//! What is not accepted, each with its exact text; and that nothing changed then.

use std::fmt::Debug;

use portcullis::{
    Action, Authority, AuthorizeError, KindError, MemoryStore, NewToken, Pending, Pepper, Read, Reason, Resource,
    Rotation, Secret, Standing, TokenId, TokenKind, Update, verb,
};
use test_support::fixture::{HOUR, START, TICK, World, all, bucket, host, ok, org, set, text, user};

fn new() -> NewToken {
    NewToken::all_access(org(1)).owner(user(1))
}

fn long(len: usize) -> String {
    "x".repeat(len)
}

/// The call fails with that text and leaves everything as it was, in the store too.
#[track_caller]
fn refused<T: Debug>(world: &World, call: impl FnOnce(&Authority) -> Pending<T>, expected: &str) {
    let before = world.state();
    assert_eq!(text(call(&world.authority)), expected);
    assert_eq!(world.state(), before);
    let node = world.node();
    assert_eq!(node.position(), before.0);
    assert_eq!(all(&node).len(), before.1.len());
}

#[test]
fn secrets_that_cannot_be_are_refused_before_anything_is_hashed() {
    let world = World::new();
    let secret = world.issue(new()).secret.expose().as_bytes().to_vec();
    let refused = |presented: &[u8], reason| {
        let error = world.authority.authenticate(presented).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.reason()), ("the token is not accepted", reason));
        assert_eq!(format!("{error:?}"), format!("AuthenticateError({reason:?})"));
        let in_one_call = world.authority.authorize(presented, Read, Resource::INSTANCE).unwrap_err();
        assert_eq!(in_one_call, AuthorizeError::Unauthenticated(error));
    };
    let mut typo = secret.clone();
    typo[20] = if typo[20] == b'x' { b'y' } else { b'x' };
    for presented in [b"".as_slice(), b"pcs_", b"pcs_0", &secret[..secret.len() - 1], &secret[..20], &typo] {
        refused(presented, Reason::Malformed);
    }
    for more in [b"0".to_vec(), vec![b'x'; 1 << 20]] {
        refused(&[secret.as_slice(), &more].concat(), Reason::Malformed);
    }
    refused(&[b"pcs_0".as_slice(), &[0xff; 48]].concat(), Reason::Malformed);
    for (len, reason) in [
        (15, Reason::Malformed),
        (16, Reason::Unknown),
        (512, Reason::Unknown),
        (513, Reason::Malformed),
        (1 << 20, Reason::Malformed),
    ] {
        for byte in [b'x', 0, 0xff] {
            refused(&vec![byte; len], reason);
        }
    }
    refused("ein-Geheimnis-mit-Umläuten-das-lang-genug-ist".as_bytes(), Reason::Unknown);
    refused(&[b" ", secret.as_slice()].concat(), Reason::Unknown);
}

#[test]
fn descriptions_are_short_and_have_no_control_characters() {
    let world = World::new();
    let id = world.issue(new()).token.id();
    for (description, expected) in [
        (long(1_025), "a description has at most 1024 bytes, this one has 1025"),
        (long(1 << 20), "a description has at most 1024 bytes, this one has 1048576"),
        ("ä".repeat(513), "a description has at most 1024 bytes, this one has 1026"),
        ("a\nb".to_owned(), "a description has no control characters, this one has one at position 1"),
        ("\0".to_owned(), "a description has no control characters, this one has one at position 0"),
        ("ä\u{7f}".to_owned(), "a description has no control characters, this one has one at position 2"),
        ("a\u{9b}31m".to_owned(), "a description has no control characters, this one has one at position 1"),
    ] {
        refused(&world, |authority| authority.create(host(), new().description(description.as_str())), expected);
        let update = Update::new().description(description.as_str());
        refused(&world, |authority| authority.update(host(), id, update), expected);
    }
    for description in [long(1_024), "ä".repeat(512), "„quoted“ 😀".to_owned()] {
        let issued = world.issue(new().description(description.as_str()));
        assert_eq!(world.token(issued.token.id()).description(), description);
    }
}

#[test]
fn an_expiry_is_in_the_future() {
    let world = World::new();
    let id = world.issue(new()).token.id();
    for past in [START, START.saturating_sub(TICK), portcullis::Timestamp::EPOCH] {
        let expected = format!("the expiry {past} is not in the future");
        refused(&world, |authority| authority.create(host(), new().expires_at(past)), &expected);
        refused(&world, |authority| authority.update(host(), id, Update::new().expires_at(past)), &expected);
    }
    let now = format!("the expiry {START} is not in the future");
    refused(&world, |authority| authority.create(host(), new().expires_in(std::time::Duration::ZERO)), &now);
    // The next moment is; and no end is too far.
    _ = world.issue(new().expires_in(TICK));
    let far = world.issue(new().expires_in(std::time::Duration::MAX));
    assert_eq!(far.token.expires_at(), Some(portcullis::Timestamp::MAX));
    // An end that is over need not be given anew to change something else.
    let over = world.issue(new().expires_in(HOUR)).token;
    world.clock.advance(HOUR);
    ok(world.authority.update(
        host(),
        over.id(),
        Update::new().description("x").expires_at(START.saturating_add(HOUR)),
    ));
}

#[test]
fn chosen_secrets_are_checked() {
    let world = World::new();
    let id = world.issue(new()).token.id();
    let in_the_middle = format!("{}ä{}", long(20), long(20));
    let fine = long(33);
    for (secret, expected) in [
        (String::new(), "a chosen secret has at least 32 characters, this one has 0"),
        (long(31), "a chosen secret has at least 32 characters, this one has 31"),
        (long(513), "a chosen secret has at most 512 characters, this one has 513"),
        (long(1 << 20), "a chosen secret has at most 512 characters, this one has 1048576"),
        (
            format!("{fine} {fine}"),
            "a chosen secret consists of visible ASCII characters; the one at position 33 is none",
        ),
        (in_the_middle, "a chosen secret consists of visible ASCII characters; the one at position 20 is none"),
        (format!("{fine}\n"), "a chosen secret consists of visible ASCII characters; the one at position 33 is none"),
        (format!("pcs_{fine}"), "a chosen secret cannot begin with `pcs_`, as generated ones do"),
        (format!("$2b$12${fine}"), "a chosen secret cannot be shaped like a stored hash, `$...$`"),
        (format!("${fine}$"), "a chosen secret cannot be shaped like a stored hash, `$...$`"),
    ] {
        refused(&world, |authority| authority.create(host(), new().secret(Secret::new(secret.as_str()))), expected);
        let rotation = Rotation::new().secret(Secret::new(secret.as_str()));
        refused(&world, |authority| authority.rotate(host(), id, rotation), expected);
    }
    for secret in [format!("${fine}"), format!("x${fine}$"), format!("PCS_{fine}"), format!("pcs-{fine}")] {
        _ = world.issue(new().secret(Secret::new(secret)));
    }
}

#[test]
fn a_chosen_secret_is_nobody_elses() {
    let world = World::new();
    let secret = |number: u32| Secret::new(format!("a-secret-that-somebody-chose-{number:04}"));
    let issue = |number| world.issue(new().secret(secret(number))).token.id();
    let (_live, revoked, rotated, deleted) = (issue(0), issue(1), issue(2), issue(4));
    ok(world.authority.revoke(host(), revoked));
    ok(world.authority.rotate(host(), rotated, Rotation::new().secret(secret(3)).overlap(HOUR)));
    ok(world.authority.delete(host(), deleted));
    for number in 0..5 {
        let expected = "the chosen secret was used before";
        refused(&world, |authority| authority.create(host(), new().secret(secret(number))), expected);
        let rotation = Rotation::new().secret(secret(number));
        refused(&world, |authority| authority.rotate(host(), rotated, rotation), expected);
    }
    // Refused for another reason, it is not used up.
    let past = new().secret(secret(9)).expires_at(START);
    refused(&world, |authority| authority.create(host(), past), &format!("the expiry {START} is not in the future"));
    _ = world.issue(new().secret(secret(9)));
}

#[test]
fn permissions_make_a_token() {
    let world = World::new();
    let empty = "a token needs at least one permission";
    let custom = |permissions: &[&str]| NewToken::custom(org(1)).permissions(set(permissions).iter()).owner(user(1));
    refused(&world, |authority| authority.create(host(), NewToken::read_write(org(1)).owner(user(1))), empty);
    refused(&world, |authority| authority.create(host(), custom(&[])), empty);
    assert_eq!(TokenKind::custom(None, set(&[])).unwrap_err().to_string(), empty);
    for permission in ["read:orgs/P/buckets", "write:instance", "*:instance", "execute:orgs/P/*"] {
        let text = set(&[permission]).to_string();
        let expected = format!("permission {text} is not for organization `{}`", org(1));
        let new = custom(&["read:orgs/O/buckets", permission]);
        refused(&world, |authority| authority.create(host(), new), &expected);
    }
    let expected = format!("a read/write token only reads and writes; bucket `{}` is granted `execute`", bucket(1));
    let verb = TokenKind::read_write(org(1), [(bucket(1), verb!("execute").into())]);
    assert_eq!(verb.unwrap_err().to_string(), expected);
    let many = |count: u64| TokenKind::read_write(org(1), (0..count).map(|number| (bucket(number), Action::READ)));
    assert_eq!(many(10_001).unwrap_err(), KindError::TooMany(10_001));
    let expected = "a token has permissions on at most 10000 patterns, this one has 10001";
    assert_eq!(many(10_001).unwrap_err().to_string(), expected);
    _ = world.issue(NewToken::of_kind(many(10_000).unwrap()));
}

#[test]
fn setup_is_done_once() {
    let expected = "setup was done before; an operator, or the host, makes further operator tokens";
    let world = World::new();
    let node = world.node();
    let answers = [world.authority.setup(user(1)), world.authority.setup(user(1)), node.setup(user(1))];
    let answers = answers.map(|pending| pending.wait().map_err(|error| error.to_string()));
    let lost: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(lost, [expected, expected]);
    // Whichever authority won, this one has caught up when it has answered.
    assert_eq!(text(world.authority.setup(user(2))), expected);
    refused(&world, |authority| authority.setup(user(2)), expected);
    assert_eq!(text(node.setup(user(2))), expected);
}

#[test]
fn setup_for_a_deleted_owner_does_not_use_it_up() {
    let world = World::new();
    ok(world.authority.set_owner_standing(host(), user(1), Standing::Deleted));
    let expected = format!("owner `{}` was deleted", user(1));
    refused(&world, |authority| authority.setup(user(1)), &expected);
    ok(world.authority.setup(user(2)));
}

#[test]
fn a_stale_revision_is_told_with_the_current_one() {
    let world = World::new();
    let token = world.issue(new()).token;
    ok(world.authority.update(host(), token.id(), Update::new().description("x")));
    for wrong in [0, 1, 3, u64::MAX] {
        let expected = format!("token `{}` is at revision 2, not {wrong}; read it again", token.id());
        let update = Update::new().deactivate().if_revision(wrong);
        refused(&world, |authority| authority.update(host(), token.id(), update), &expected);
    }
}

#[test]
fn two_peppers_have_two_ids() {
    let pepper = |byte| Pepper::new('k', &[byte; 32]).unwrap();
    let opened = Authority::builder().pepper(pepper(1)).previous_pepper(pepper(2)).open(MemoryStore::new());
    assert_eq!(opened.wait().unwrap_err().to_string(), "the current and the previous pepper have the same id `k`");
}

#[test]
fn a_host_says_whose_token_it_is() {
    let world = World::new();
    let expected = "a token made by the host needs an owner";
    refused(&world, |authority| authority.create(host(), NewToken::operator()), expected);
    refused(&world, |authority| authority.create(host(), NewToken::all_access(org(1))), expected);
}

#[test]
fn unknown_tokens_are_not_found() {
    let world = World::new();
    let operator = world.principal(NewToken::operator());
    let deleted = world.issue(new()).token.id();
    ok(world.authority.delete(host(), deleted));
    // The third is an id, but of another thing.
    for id in [TokenId::generate().unwrap(), deleted, uuid::NonNilUuid::from(org(1)).into()] {
        let expected = format!("token `{id}` not found");
        for actor in [host(), (&operator).into()] {
            refused(&world, |authority| authority.update(&actor, id, Update::new()), &expected);
            refused(&world, |authority| authority.rotate(&actor, id, Rotation::new()), &expected);
            refused(&world, |authority| authority.revoke(&actor, id), &expected);
            refused(&world, |authority| authority.delete(&actor, id), &expected);
            if id != deleted {
                refused(&world, |authority| authority.revoke_all(&actor, id), &expected);
            }
            assert_eq!(world.authority.get(&actor, id).unwrap_err().to_string(), expected);
        }
    }
}
