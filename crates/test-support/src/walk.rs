//! All that values show of themselves, and whether a secret or a digest is in it, in any encoding.

use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::fmt::{Debug, Display, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::fixture::hex;

/// The key of the pepper that tests use.
pub const KEY: [u8; 32] = [0x4b; 32];
/// So many characters in a row are too many, however they are encoded. The prefix is no secret.
const PIECE: usize = 16;

/// Every secret that was ever in use, and its digests, as pieces of what printed text must not have of them.
#[derive(Default)]
pub struct Hidden(HashSet<[u8; PIECE]>);

impl Hidden {
    pub fn add(&mut self, secret: &str) {
        self.add_bytes(secret.as_bytes());
        self.add_bytes(&Sha256::digest(secret));
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&KEY).unwrap().chain_update(secret);
        self.add_bytes(&mac.finalize().into_bytes());
    }

    pub fn add_bytes(&mut self, bytes: &[u8]) {
        self.0.extend(forms(bytes).iter().flat_map(|form| pieces(form)));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text has any of it, in one line or in many.
    pub fn is_in(&self, text: &str) -> bool {
        let dense: String = text.split_whitespace().collect();
        pieces(text).chain(pieces(&dense)).any(|piece| self.0.contains(&piece))
    }
}

fn pieces(text: &str) -> impl Iterator<Item = [u8; PIECE]> {
    text.as_bytes().array_windows().copied()
}

/// Everything that bytes must not be found as.
fn forms(bytes: &[u8]) -> Vec<String> {
    let hex = hex(bytes);
    let list = |number: fn(&u8) -> String| bytes.iter().map(number).collect::<Vec<_>>().join(",");
    let mut forms = vec![hex.to_uppercase(), hex, list(u8::to_string), list(|byte| format!("{byte:#04x}"))];
    forms.push(bytes.escape_ascii().to_string());
    for word in bytes.as_chunks().0 {
        let words = [u64::from_le_bytes(*word), u64::from_be_bytes(*word)];
        forms.extend(words.iter().flat_map(|word| [word.to_string(), format!("{word:x}")]));
    }
    for alphabet in ["+/", "-_"] {
        // Wherever it begins: three ways to fall into groups of six bits, without the letters that others share.
        forms.extend((0..3).map(|skipped| base64(&bytes[skipped..], alphabet)));
    }
    forms
}

/// Without what does not fill a group of three bytes.
pub fn base64(bytes: &[u8], last: &str) -> String {
    let alphabet = format!("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789{last}").into_bytes();
    let group = |group: &[u8; 3]| {
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        [18, 12, 6, 0].map(|shift| char::from(alphabet[(bits >> shift & 63) as usize]))
    };
    bytes.as_chunks().0.iter().flat_map(group).collect()
}

/// What was shown, by which types, and what must not be in it.
#[derive(Default)]
pub struct Walk {
    pub hidden: Hidden,
    shown: BTreeSet<String>,
    /// `Token`, and `Error::RevisionMismatch` for values that print like that.
    seen: BTreeSet<String>,
}

/// Has the walk see all that values show: `Debug`, and `Display`, JSON and the causes of an error where they have them.
#[macro_export]
macro_rules! look {
    ($walk:expr, $($value:expr),+ $(,)?) => {$({
        #[allow(unused_imports)] // Where a type shows everything itself.
        use $crate::walk::Otherwise as _;
        let value = &$value;
        let shown = $crate::walk::Shown(value);
        $walk.see(value, &[shown.display(), shown.json(), shown.causes()]);
    })+};
}

/// A value and what it can show: methods of its own come first, and those of [`Otherwise`] where its type has none.
pub struct Shown<'a, T>(pub &'a T);

impl<T: Display> Shown<'_, T> {
    pub fn display(&self) -> String {
        format!("{}\n{:#}", self.0, self.0)
    }
}

impl<T: Serialize> Shown<'_, T> {
    pub fn json(&self) -> String {
        serde_json::to_string(self.0).unwrap()
    }
}

impl<T: Error> Shown<'_, T> {
    pub fn causes(&self) -> String {
        let (mut text, mut cause) = (String::new(), self.0.source());
        while let Some(error) = cause {
            writeln!(text, "{error}\n{error:?}\n{error:#?}").unwrap();
            cause = error.source();
        }
        text
    }
}

/// Nothing, where a type does not show itself in that way.
pub trait Otherwise {
    fn display(&self) -> String {
        String::new()
    }
    fn json(&self) -> String {
        String::new()
    }
    fn causes(&self) -> String {
        String::new()
    }
}

impl<T> Otherwise for Shown<'_, T> {}

impl Walk {
    pub fn see<T: Debug>(&mut self, value: &T, shown: &[String]) {
        let (name, debug) = (std::any::type_name::<T>(), format!("{value:?}"));
        let name = name.split('<').next().unwrap_or(name).rsplit("::").next().unwrap_or(name);
        let variant: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
        self.seen.extend([name.to_owned(), format!("{name}::{variant}")]);
        self.shown.extend(shown.iter().cloned().chain([debug, format!("{value:#?}")]));
    }

    /// What shows something hidden.
    pub fn leaks(&self) -> Vec<&String> {
        self.shown.iter().filter(|text| self.hidden.is_in(text)).collect()
    }

    /// Those of these that it never saw.
    pub fn missed(&self, names: impl IntoIterator<Item = String>) -> Vec<String> {
        names.into_iter().filter(|name| !self.seen.contains(name)).collect()
    }
}

/// The types that a module's source makes public by `pub use`, traits included.
pub fn types(source: &str) -> Vec<String> {
    let uses = source.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let names = uses.flat_map(|path| path.split(['{', ',', '}'])).map(str::trim);
    // `MAX_COMMIT` is a constant, and `decide` a function.
    let is_type = |name: &&str| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    names.filter_map(|name| name.rsplit([':', ' ']).next()).filter(is_type).map(str::to_owned).collect()
}

/// The variants of an enum in a source, as `Error::RevisionMismatch`.
pub fn variants(source: &str, name: &str) -> Vec<String> {
    let (_, body) = source.split_once(&format!("\npub enum {name} {{\n")).unwrap();
    let lines = body.split("\n}").next().unwrap_or(body).lines();
    let lines = lines.filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with(char::is_uppercase));
    let word = |line: &str| -> String { line.chars().take_while(char::is_ascii_alphanumeric).collect() };
    lines.map(|line| format!("{name}::{}", word(line))).collect()
}
