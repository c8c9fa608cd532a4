//! Rule 20: secrets and digests never reach anything that is printed, logged, serialized or told.

use std::fmt::{Debug, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use portcullis::{
    Actor, Authority, Filter, Issued, NewToken, Pepper, Position, Read, RedbStore, Resource, Rotation, Secret,
    TokenStore, Update,
};
use sha2::{Digest, Sha256};

use crate::fixture::{HOUR, World, bucket, hex, host, id_of, ok, org, user};

/// Everything that a secret or a digest must not be found as.
fn forms(bytes: &[u8]) -> Vec<String> {
    let hex = hex(bytes);
    let list = |hex: bool| -> String {
        let number = |byte: &u8| if hex { format!("{byte:#04x}") } else { byte.to_string() };
        bytes.iter().take(8).map(number).collect::<Vec<_>>().join(",")
    };
    let words = bytes.as_chunks::<8>().0;
    let mut forms = vec![hex.to_uppercase(), hex, list(false), list(true)];
    forms.push(bytes.escape_ascii().to_string());
    forms.extend(
        words
            .iter()
            .flat_map(|word| [u64::from_le_bytes(*word), u64::from_be_bytes(*word)])
            .flat_map(|word| [word.to_string(), format!("{word:x}")]),
    );
    for alphabet in ["+/", "-_"] {
        // Wherever it begins: three ways to fall into groups of six bits, without the letters that others share.
        for skipped in 0..3 {
            forms.push(base64(&bytes[skipped..bytes.len() - bytes.len() % 3 - 3 + skipped], alphabet));
        }
    }
    forms
}

fn base64(bytes: &[u8], last: &str) -> String {
    let alphabet = format!("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789{last}").into_bytes();
    let group = |group: &[u8; 3]| {
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        [18, 12, 6, 0].map(|shift| char::from(alphabet[(bits >> shift & 63) as usize]))
    };
    bytes.as_chunks().0.iter().flat_map(group).collect()
}

#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, value: &impl Debug) {
        writeln!(self.0, "{value:?}\n{value:#?}").unwrap();
    }

    fn error(&mut self, error: &dyn std::error::Error) {
        let mut error = Some(error);
        while let Some(each) = error {
            writeln!(self.0, "{each}\n{each:?}").unwrap();
            error = each.source();
        }
    }

    fn json(&mut self, value: &impl serde::Serialize) {
        self.0 += &serde_json::to_string(value).unwrap();
    }
}

const KEY: [u8; 32] = [0x4b; 32];

/// Every secret that was ever in use, and what the printed text must not have of them.
#[derive(Default)]
struct Hidden(Vec<String>);

impl Hidden {
    fn add(&mut self, secret: &str) {
        self.0.push(secret.to_owned());
        self.0.extend(forms(secret.as_bytes()));
        self.0.extend(forms(&Sha256::digest(secret)));
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&KEY).unwrap().chain_update(secret);
        self.0.extend(forms(&mac.finalize().into_bytes()));
    }

    /// The first of it that the text has, in one line or in many.
    fn find(&self, text: &str) -> Option<&String> {
        let dense: String = text.split_whitespace().collect();
        self.0.iter().find(|hidden| text.contains(*hidden) || dense.contains(*hidden))
    }
}

#[test]
fn rule_20_this_test_finds_what_it_looks_for() {
    let secret = "a-secret-that-somebody-chose-0001";
    let digest: [u8; 32] = Sha256::digest(secret).into();
    let mut hidden = Hidden::default();
    hidden.add(secret);
    let prefixed = [b"xy".as_slice(), &digest, b"z"].concat();
    for leak in [
        format!("<{secret}>"),
        format!("{digest:?}"),
        format!("{digest:#04x?}"),
        serde_json::to_string(&digest).unwrap(),
        base64(&prefixed[..33], "+/"),
        base64(&prefixed[1..34], "-_"),
        base64(&prefixed[2..35], "+/"),
    ] {
        assert!(hidden.find(&leak).is_some(), "{leak}");
    }
    assert_eq!(hidden.find("harmless"), None);
}

#[test]
fn rule_20_secrets_and_digests_are_in_nothing_that_is_printed_or_told() {
    let mut hidden = Hidden::default();
    let mut printed = Printed::default();
    hidden.0.extend(forms(&KEY));
    let pepper = || Pepper::new('k', &KEY).unwrap();
    printed.debug(&pepper());
    printed.debug(&Authority::builder().pepper(pepper()).previous_pepper(pepper()));

    let world = World::new();
    for peppered in [false, true] {
        let node = world.node_with(|builder| if peppered { builder.pepper(pepper()) } else { builder });
        everything(&world, &node, &mut hidden, &mut printed, if peppered { "peppered" } else { "plain" });
        printed.debug(&node);
        node.close().wait().unwrap();
    }
    let mut store = world.store.clone();
    printed.debug(&store);
    let changes = store.changes(Position::ORIGIN, 1_000).unwrap();
    assert!(changes.records.len() > 5 && !changes.used.is_empty());
    printed.debug(&changes);
    for event in world.events.all() {
        printed.debug(&event);
        printed.json(&event);
        writeln!(printed.0, "{event}").unwrap();
    }
    assert!(world.events.all().len() > 20 && hidden.0.len() > 100);
    assert_eq!(hidden.find(&printed.0), None, "{}", printed.0);
}

/// Does everything that there is to do, and prints whatever comes back.
fn everything(world: &World, node: &Authority, hidden: &mut Hidden, printed: &mut Printed, name: &str) {
    let chosen = |number: u32| Secret::chosen(format!("a-secret-that-somebody-chose-{name}-{number}"));
    let new = || NewToken::all_access(org(1)).owner(user(1)).description("described");
    let mut shown = |issued: &Issued| {
        hidden.add(issued.secret.expose());
        printed.debug(issued);
        printed.debug(&issued.secret);
        printed.json(&issued.token);
    };
    let generated = node.create(host(), new()).wait().unwrap();
    let given = node.create(host(), new().secret(chosen(1))).wait().unwrap();
    shown(&generated);
    shown(&given);
    for (issued, rotation) in [(&generated, Rotation::new()), (&given, Rotation::new().secret(chosen(2)).overlap(HOUR))]
    {
        shown(&node.rotate(host(), issued.token.id(), rotation).wait().unwrap());
    }
    let operator = node.create(host(), NewToken::operator().owner(user(1)).secret(chosen(3))).wait().unwrap();
    shown(&operator);
    let deleted = node.create(host(), new().secret(chosen(4))).wait().unwrap();
    shown(&deleted);
    ok(node.delete(host(), deleted.token.id()));
    (1..10).for_each(|number| hidden.add(chosen(number).expose()));

    printed.debug(&new().secret(chosen(5)));
    printed.debug(&Rotation::new().secret(chosen(5)).overlap(HOUR));
    printed.debug(&node.create(host(), new().secret(chosen(6))));
    let principal = node.authenticate(operator.secret.expose()).unwrap();
    printed.debug(&principal);
    printed.debug(&Actor::from(&principal));
    printed.debug(&node.update(&principal, given.token.id(), Update::new().description("x")).wait().unwrap());
    printed.debug(&node.list(&principal, &Filter::default(), None, 100).unwrap());
    printed.json(&node.get(&principal, id_of(&principal)).unwrap());
    let caller = node.authenticate(given.secret.expose()).unwrap();
    printed.debug(&caller.authorize(Read, Resource::bucket(org(1), bucket(1))).unwrap());
    printed.error(&caller.authorize(Read, Resource::INSTANCE).unwrap_err());

    let long = "a-secret-that-is-much-too-long-".repeat(20);
    for refused in [
        Secret::chosen(generated.secret.expose()),
        chosen(1),
        chosen(4),
        Secret::chosen(format!("${}$", chosen(7).expose())),
        Secret::chosen(format!("{}\n", chosen(8).expose())),
        Secret::chosen(long.as_str()),
        Secret::chosen("a-short-secret"),
    ] {
        hidden.0.push(refused.expose().to_owned());
        printed.error(&node.create(&principal, new().secret(refused)).wait().unwrap_err());
    }
    for refused in [generated.secret.expose(), &generated.secret.expose()[1..], chosen(9).expose(), &long] {
        hidden.0.push(refused.to_owned());
        printed.error(&node.authenticate(refused).unwrap_err());
    }
    ok(node.revoke_all(host(), operator.token.id()));
    ok(node.purge(host(), world.now()));
}

#[test]
fn rule_20_a_store_holds_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    let authority = Authority::open(RedbStore::open(&file).unwrap()).wait().unwrap();
    let new = || NewToken::all_access(org(1)).owner(user(1));
    let given = new().secret(Secret::chosen("a-secret-that-somebody-chose-0001"));
    let issued = [new(), given].map(|new| authority.create(host(), new).wait().unwrap());
    let rotated = authority.rotate(host(), issued[0].token.id(), Rotation::new().overlap(HOUR)).wait().unwrap();
    for secret in issued.iter().chain([&rotated]).map(|issued| &issued.secret) {
        authority.authenticate(secret.expose()).unwrap();
    }
    authority.close().wait().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    for secret in issued.iter().chain([&rotated]).map(|issued| issued.secret.expose().as_bytes()) {
        // The middle of it: what is random.
        assert!(!has(&secret[8..24]));
        assert!(has(&Sha256::digest(secret)), "this test looks where the tokens are");
    }
}

#[test]
fn an_actor_prints_who_it_is() {
    assert_eq!(format!("{:?}", portcullis::Actor::host("recovery")), "Actor::host(\"recovery\")");
}
