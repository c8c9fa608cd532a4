//! What was acknowledged survives a process that is killed at any moment (design rule 19).
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use portcullis::{Actor, Authority, Filter, NewToken, OrgId, RedbStore, Status, Token, TokenId, Update, UserId};

const FILE: &str = "PORTCULLIS_TEST_CRASH_FILE";
/// How often the process is killed, if the environment does not say otherwise:
/// `PORTCULLIS_KILLS=1000 cargo test --release -p store-tests --test kills -- --nocapture`.
const KILLS: u32 = 20;

fn open(file: &Path) -> Authority {
    Authority::open(RedbStore::open(file).unwrap()).wait().unwrap()
}

fn host() -> Actor {
    Actor::host("test")
}

/// What the process that is killed does, which is this test once more: it makes tokens in pairs, changes some, and says what was acknowledged.
fn be_killed(file: &Path) {
    let authority = open(file);
    let (organization, owner) = (OrgId::generate().unwrap(), UserId::generate().unwrap());
    let new = || NewToken::all_access(organization).owner(owner);
    let mut out = std::io::stderr();
    // At once, so that a line is there whole or not at all.
    let mut say = |text: String| out.write_all(text.as_bytes()).unwrap();
    loop {
        // Both at once, so that they share a commit.
        let pending = [(); 2].map(|()| authority.create(host(), new()));
        let [first, second] = pending.map(|pending| pending.wait().unwrap());
        let (one, other) = (first.token.id(), second.token.id());
        say(format!("active {one} {}\nactive {other} {}\n", first.secret.expose(), second.secret.expose()));
        authority.update(host(), one, Update::new().description("x".repeat(500)).deactivate()).wait().unwrap();
        say(format!("inactive {one} -\n"));
        authority.revoke(host(), other).wait().unwrap();
        say(format!("revoked {other} -\n"));
    }
}

/// Page by page: no call looks at all of so many.
fn all(authority: &Authority) -> Vec<Token> {
    let (mut tokens, mut after) = (Vec::new(), None);
    loop {
        let page = authority.list(host(), &Filter::default(), after, usize::MAX).unwrap();
        tokens.extend(page.tokens);
        match page.next {
            Some(next) => after = Some(next),
            None => return tokens,
        }
    }
}

fn start(file: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "what_was_acknowledged_survives_a_kill", "--nocapture"]).env(FILE, file);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let Some(file) = std::env::var_os(FILE) {
        return be_killed(file.as_ref());
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    let mut acknowledged: BTreeMap<TokenId, Status> = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    let mut random = 7_u32;
    let kills = std::env::var("PORTCULLIS_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    for kill in 0..kills {
        let mut child = start(&file);
        let mut said = BufReader::new(child.stderr.take().unwrap()).split(b'\n');
        // So many lines are awaited, and then it is killed wherever it is by then.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let lines = (random >> 16) % 40;
        let mut heard: Vec<Vec<u8>> = said.by_ref().take(lines as usize).map(Result::unwrap).collect();
        std::hint::black_box((0..u64::from(random >> 8) % 200_000).sum::<u64>());
        child.kill().unwrap();
        child.wait().unwrap();
        heard.extend(said.map(Result::unwrap));
        for line in heard {
            let line = String::from_utf8(line).unwrap();
            let words: Vec<_> = line.split(' ').collect();
            let [status, id, secret] = words[..] else { panic!("{line}") };
            let id = id.parse().unwrap();
            acknowledged.insert(id, status.parse().unwrap());
            if secret != "-" {
                secrets.insert(id, secret.to_owned());
            }
        }

        let authority = open(&file);
        let tokens = all(&authority);
        let found: BTreeMap<_, _> = tokens.iter().map(|token| (token.id(), token)).collect();
        for (id, status) in &acknowledged {
            let token = found.get(id).unwrap_or_else(|| panic!("kill {kill}: an acknowledged token is lost"));
            // What was not acknowledged may have happened all the same.
            assert!(token.status() == *status || (*status == Status::Active && token.status() != Status::Active));
            let accepted = authority.authenticate(&secrets[id]).is_ok();
            assert_eq!(accepted, token.status() == Status::Active, "kill {kill}");
        }
        for token in &tokens {
            // Whole or not at all.
            assert_eq!(token.status() == Status::Inactive, token.description().len() == 500, "kill {kill}");
            assert!(token.description().is_empty() || token.description().len() == 500);
        }
        authority.close().wait().unwrap();
    }
    println!("{kills} kills, {} tokens acknowledged", acknowledged.len());
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
}
