//! Secrets that were dropped are nowhere in the memory of the process: neither freed, nor on a stack (design rule 20).
//!
//! A binary of its own with one test, since it looks through all of its memory.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use portcullis::{
    Actor, Authority, MemoryStore, NewToken, OrgId, Pepper, Read, Resource, Rotation, Secret, TokenId, UserId,
};
use zeroize::{Zeroize as _, Zeroizing};

/// What is looked for is kept under this mask, so that it is not found where the test itself has it.
const MASK: u8 = 0xa5;
/// So long a piece of a secret counts as found. Without optimization every value that is ever in a register is on the
/// stack, too: only what is longer than a register counts then.
const PIECE: usize = if cfg!(debug_assertions) { 20 } else { 8 };

/// A piece of a secret, masked.
type Piece = [u8; PIECE];

/// The secrets to look for, each cut into pieces.
#[derive(Clone, Default)]
struct Wanted(Vec<(String, Vec<Piece>)>);

impl Wanted {
    /// As it is, and with the bytes of each word swapped, as SHA-256 reads it. Not the first piece, which has the prefix,
    /// nor a rest that is shorter than a piece.
    fn add(&mut self, name: &str, secret: &[u8]) {
        let mut swapped = Vec::new();
        let mut plain = Vec::new();
        for piece in secret.as_chunks::<PIECE>().0.iter().skip(1) {
            plain.push(std::array::from_fn(|at| piece[at] ^ MASK));
            swapped.push(std::array::from_fn(|at| piece[at ^ 3] ^ MASK));
        }
        self.0.push((name.to_owned(), plain));
        self.0.push((format!("{name}, swapped"), swapped));
    }

    fn pieces(&self) -> impl Iterator<Item = (&str, &Piece)> {
        self.0.iter().flat_map(|(name, pieces)| pieces.iter().map(|piece| (name.as_str(), piece)))
    }
}

/// Where something of it is: in everything that this process can write to.
fn look_for(wanted: &Wanted) -> Vec<String> {
    const BUFFER: usize = 1 << 16;
    let mut starts = [false; 256];
    wanted.pieces().for_each(|(_, piece)| starts[usize::from(piece[0] ^ MASK)] = true);
    let mut buffer = Zeroizing::new(vec![0; BUFFER]);
    let own = buffer.as_ptr().addr()..buffer.as_ptr().addr() + BUFFER;
    let memory = File::open("/proc/self/mem").unwrap();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for mapping in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut fields = mapping.split_ascii_whitespace();
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let place = fields.nth(3).unwrap_or("anonymous");
        let (start, end) = range.split_once('-').unwrap();
        let [mut at, end] = [start, end].map(|address| usize::from_str_radix(address, 16).unwrap());
        while rights.starts_with("rw") && at + PIECE <= end {
            let length = BUFFER.min(end - at);
            // What was unmapped meanwhile holds nothing any more.
            if memory.read_exact_at(&mut buffer[..length], at as u64).is_err() {
                break;
            }
            looked_at += length;
            for (offset, bytes) in buffer[..length].windows(PIECE).enumerate() {
                if !starts[usize::from(bytes[0])] || own.contains(&(at + offset)) {
                    continue;
                }
                let is_here = |piece: &Piece| piece.iter().zip(bytes).all(|(masked, byte)| masked ^ MASK == *byte);
                for (name, _) in wanted.pieces().filter(|(_, piece)| is_here(piece)) {
                    found.push(format!("{name} at {:x} in {place} ({rights})", at + offset));
                }
            }
            // So that what lies across two readings is in one of them.
            at += if at + length == end { length } else { length - (PIECE - 1) };
        }
    }
    assert!(looked_at > 1 << 20, "the memory could be read: {looked_at} bytes");
    found
}

/// A text that is nowhere in the program, in memory that never moved.
fn chosen(seed: u8, length: usize) -> String {
    // With room for one more.
    let mut text = String::with_capacity(length + 1);
    let mut state = u32::from(seed);
    for _ in 0..length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push(char::from(b'a' + u8::try_from((state >> 16) % 26).unwrap()));
    }
    text
}

fn host() -> Actor {
    Actor::host("test")
}

/// Everything that an authority does with secrets; all of them are dropped.
fn live(authority: &Authority, name: &str, wanted: &mut Wanted) {
    let (organization, owner) = (OrgId::generate().unwrap(), UserId::generate().unwrap());
    let new = || NewToken::all_access(organization).owner(owner);
    let mut used = |what: &str, secret: &Secret| -> TokenId {
        wanted.add(&format!("{name}: {what}"), secret.expose().as_bytes());
        authority.authenticate(secret.expose()).unwrap().token().unwrap().id()
    };
    let operator = authority.setup(owner).wait();
    if let Ok(operator) = operator {
        used("operator", &operator.secret);
    }
    let seed = u8::try_from(name.len()).unwrap();
    let generated = authority.create(host(), new()).wait().unwrap();
    let id = used("generated", &generated.secret);
    let short = authority.create(host(), new().secret(Secret::new(chosen(seed, 48)))).wait().unwrap();
    used("chosen", &short.secret);
    let long = authority.create(host(), new().secret(Secret::new(chosen(seed + 100, 300)))).wait().unwrap();
    used("chosen, long", &long.secret);
    let hour = Duration::from_hours(1);
    let rotated = authority.rotate(host(), id, Rotation::new().overlap(hour)).wait().unwrap();
    used("rotated", &rotated.secret);
    let again = Rotation::new().secret(Secret::new(chosen(seed + 50, 40)));
    let again = authority.rotate(host(), id, again).wait().unwrap();
    used("rotated to a chosen one", &again.secret);
    // Refused: taken, too long, not visible.
    for refused in [chosen(seed, 48), chosen(seed + 150, 600), chosen(seed + 200, 40) + "\n"] {
        wanted.add(&format!("{name}: refused"), refused.as_bytes());
        authority.create(host(), new().secret(Secret::new(refused))).wait().unwrap_err();
    }
    // Unknown, malformed, former.
    let mut altered = Zeroizing::new(chosen(seed + 25, 48));
    wanted.add(&format!("{name}: unknown"), altered.as_bytes());
    authority.authenticate(altered.as_str()).unwrap_err();
    authority.authorize(altered.as_str(), Read, Resource::INSTANCE).unwrap_err();
    altered.zeroize();
    authority.authenticate(&generated.secret.expose()[1..]).unwrap_err();
    authority.authenticate(generated.secret.expose()).unwrap_err();
    // Nobody waits for the answer.
    drop(authority.create(host(), new().secret(Secret::new(chosen(seed + 75, 48)))));
    let mut abandoned = Zeroizing::new(chosen(seed + 75, 48));
    wanted.add(&format!("{name}: abandoned"), abandoned.as_bytes());
    abandoned.zeroize();
    authority.revoke(host(), id).wait().unwrap();
}

/// Presents a secret, and calls nothing after it that would write over what that leaves on the stack.
fn present_last(authority: &Authority, name: &str, wanted: &mut Wanted, present: fn(&Authority, &str)) {
    let new = NewToken::operator().owner(UserId::generate().unwrap());
    let secret = authority.create(host(), new).wait().unwrap().secret;
    wanted.add(&format!("{name}: last"), secret.expose().as_bytes());
    present(authority, secret.expose());
}

fn authenticate(authority: &Authority, secret: &str) {
    authority.authenticate(secret).unwrap();
}

fn authorize(authority: &Authority, secret: &str) {
    _ = authority.authorize(secret, Read, Resource::INSTANCE).unwrap();
}

#[test]
fn secrets_that_were_dropped_are_nowhere_in_memory() {
    // On a thread that was there before: a new one would get the stack of one that has ended, and write over it.
    let (ask, asked) = channel::<Wanted>();
    let (answer, answers) = channel();
    let looker = thread::spawn(move || asked.iter().for_each(|wanted| answer.send(look_for(&wanted)).unwrap()));
    let look = |wanted: &Wanted| {
        ask.send(wanted.clone()).unwrap();
        answers.recv().unwrap()
    };

    let mut wanted = Wanted::default();
    let mut key = Zeroizing::new(chosen(7, 32));
    let pepper = Pepper::new('k', key.as_bytes()).unwrap();
    key.zeroize();
    let plain = Authority::open(MemoryStore::new()).wait().unwrap();
    live(&plain, "plain", &mut wanted);
    for present in [authenticate, authorize] {
        present_last(&plain, "plain", &mut wanted, present);
        assert_eq!(look(&wanted), [""; 0], "while the authority is open");
    }
    let peppered = Authority::builder().pepper(pepper).open(MemoryStore::new()).wait().unwrap();
    live(&peppered, "peppered", &mut wanted);
    for present in [authenticate, authorize] {
        present_last(&peppered, "peppered", &mut wanted, present);
        assert_eq!(look(&wanted), [""; 0], "while the authority with a pepper is open");
    }
    drop((plain, peppered));
    assert_eq!(look(&wanted), [""; 0], "when they are closed");

    // This test finds what is there: whole, in part, and as SHA-256 has it.
    let mut control = Wanted::default();
    let secret = Secret::new(chosen(3, 5 * PIECE));
    control.add("a secret", secret.expose().as_bytes());
    assert_eq!(look(&control).len(), 4);
    let mut part = secret.expose().as_bytes()[PIECE + 1..4 * PIECE - 1].to_vec();
    assert_eq!(look(&control).len(), 5);
    part.zeroize();
    let mut swapped: Vec<u8> = (0..5 * PIECE).map(|at| secret.expose().as_bytes()[at ^ 3]).collect();
    assert_eq!(look(&control).len(), 8);
    swapped.zeroize();
    drop(secret);
    assert_eq!(look(&control), [""; 0]);
    drop(ask);
    looker.join().unwrap();
}
