//! The form of generated secrets, and the rules for chosen ones.
//!
//! A generated secret is `PREFIX_KRRR…RRRCCCCC`: a prefix that scanners recognize, `_`, the id of the pepper that the digest
//! is made with (`0` for none), 43 random characters (256 bits), and a checksum of all before it. It has only letters,
//! digits and `_`, so that it is safe in URLs, headers and shells and a double click selects it. It has at most 55 bytes, so
//! that its digest takes one block of SHA-256.

use zeroize::Zeroizing;

use crate::random::{self, RandomError};
use crate::secret::Secret;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 62 to the power of 43 is just above 2 to the power of 256.
const RANDOM_LEN: usize = 43;
const CHECKSUM_LEN: usize = 5;
/// The number of different checksums.
const CHECKSUMS: u32 = 62_u32.pow(5);

/// The position of each byte in the alphabet; [`NO_LETTER`] for bytes that are not in it.
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)] // Worked out by the compiler, which would object.
const POSITIONS: [u8; 256] = {
    let mut positions = [NO_LETTER; 256];
    let mut position = 0;
    while position < ALPHABET.len() {
        positions[ALPHABET[position] as usize] = position as u8;
        position += 1;
    }
    positions
};
const NO_LETTER: u8 = 0x80;

/// The reason why a chosen secret is refused (design rule 14). It does not show the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The secret is shorter than the floor: 32 bytes, unless the host lowered it.
    #[error("a chosen secret has at least {floor} characters, this one has {len}")]
    TooShort {
        /// The length of the secret.
        len: usize,
        /// The shortest length that is accepted.
        floor: usize,
    },
    /// The secret is longer than 512 bytes.
    #[error("a chosen secret has at most 512 characters, this one has {0}")]
    TooLong(usize),
    /// A character is not visible ASCII. Positions count from 0.
    #[error("a chosen secret consists of visible ASCII characters; the one at position {0} is none")]
    Character(usize),
    /// The secret begins with the prefix of generated secrets.
    #[error("a chosen secret cannot begin with `{0}`, as generated ones do")]
    OurPrefix(String),
    /// The secret looks like a stored hash, `$…$`.
    #[error("a chosen secret cannot be shaped like a stored hash, `$...$`")]
    HashShaped,
}

/// A prefix that is not 1 to 5 ASCII letters and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret's prefix is 1 to 5 ASCII letters and digits")]
pub struct PrefixError;

/// What a presented string is, before anything is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented {
    /// A secret of the generated form, with a digest under this key.
    Ours(u8),
    /// It may be a chosen secret.
    Foreign,
    /// It is no token's secret.
    Malformed,
}

/// The form of secrets, as the host set it.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    /// The prefix and `_`.
    start: Vec<u8>,
    /// The lowest number of characters of a chosen secret.
    floor: usize,
    /// The checksum of nothing. It is kept and cloned, so that the processor's features are looked up only once.
    checksum: crc32fast::Hasher,
}

impl Default for Format {
    fn default() -> Self {
        Self { start: b"pcs_".to_vec(), floor: 32, checksum: crc32fast::Hasher::new() }
    }
}

impl Format {
    pub(crate) const MAX_PREFIX: usize = 5;
    /// The lowest floor that a host can set.
    pub(crate) const LOWEST_FLOOR: usize = 16;
    const MAX_CHOSEN: usize = 512;

    pub(crate) fn set_prefix(&mut self, prefix: &str) -> Result<(), PrefixError> {
        let fits = (1..=Self::MAX_PREFIX).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_alphanumeric());
        if !fits {
            return Err(PrefixError);
        }
        self.start = format!("{prefix}_").into_bytes();
        Ok(())
    }

    pub(crate) fn set_floor(&mut self, floor: usize) {
        self.floor = floor.clamp(Self::LOWEST_FLOOR, Self::MAX_CHOSEN);
    }

    fn len(&self) -> usize {
        self.start.len() + 1 + RANDOM_LEN + CHECKSUM_LEN
    }

    /// Returns a new secret whose digest is made with the key of that id.
    pub(crate) fn generate(&self, key: u8) -> Result<Secret, RandomError> {
        // It has its full size from the start: growing would move it and leave a copy behind.
        let mut secret = Zeroizing::new(String::with_capacity(self.len()));
        let start = self.start.iter().chain([&key]);
        secret.extend(start.map(|byte| char::from(*byte)));
        let mut random = Zeroizing::new([0; 64]);
        let mut wanted = RANDOM_LEN;
        while wanted > 0 {
            random::fill(&mut *random)?;
            // Six bits for each character. Values outside the alphabet are dropped, so every character is equally likely.
            let letters = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
            for letter in letters.take(wanted) {
                secret.push(char::from(*letter));
                wanted -= 1;
            }
        }
        let checksum = letters(self.sum(secret.as_bytes()));
        secret.extend(checksum.map(char::from));
        Ok(Secret(secret))
    }

    /// Returns the checksum: a number below [`CHECKSUMS`] that every typo of one character changes.
    #[inline]
    fn sum(&self, body: &[u8]) -> u32 {
        let mut checksum = self.checksum.clone();
        checksum.update(body);
        checksum.finalize() % CHECKSUMS
    }

    /// Says what a presented string is, without hashing it.
    #[inline]
    pub(crate) fn read(&self, presented: &[u8]) -> Presented {
        let Some(rest) = presented.strip_prefix(self.start.as_slice()) else {
            let plausible = (Self::LOWEST_FLOOR..=Self::MAX_CHOSEN).contains(&presented.len());
            return if plausible { Presented::Foreign } else { Presented::Malformed };
        };
        match (presented.split_last_chunk(), rest.first()) {
            (Some((body, letters)), Some(key))
                if presented.len() == self.len() && number(*letters) == Some(self.sum(body)) =>
            {
                Presented::Ours(*key)
            }
            _ => Presented::Malformed,
        }
    }

    /// Checks that a caller may choose this secret.
    pub(crate) fn check_chosen(&self, secret: &Secret) -> Result<(), SecretError> {
        let bytes = secret.expose().as_bytes();
        if let Some(at) = bytes.iter().position(|byte| !byte.is_ascii_graphic()) {
            return Err(SecretError::Character(at));
        }
        if bytes.len() < self.floor {
            return Err(SecretError::TooShort { len: bytes.len(), floor: self.floor });
        }
        if bytes.len() > Self::MAX_CHOSEN {
            return Err(SecretError::TooLong(bytes.len()));
        }
        if bytes.starts_with(&self.start) {
            return Err(SecretError::OurPrefix(String::from_utf8_lossy(&self.start).into_owned()));
        }
        if bytes.strip_prefix(b"$").is_some_and(|rest| rest.contains(&b'$')) {
            return Err(SecretError::HashShaped);
        }
        Ok(())
    }
}

/// Returns a number below [`CHECKSUMS`] as five letters, the lowest digit first.
fn letters(number: u32) -> [u8; CHECKSUM_LEN] {
    let mut rest = number as usize;
    [(); CHECKSUM_LEN].map(|()| {
        let letter = ALPHABET.get(rest % ALPHABET.len()).copied().unwrap_or_default();
        rest /= ALPHABET.len();
        letter
    })
}

/// Returns the number that five letters are; `None` if a byte is not in the alphabet.
#[inline]
fn number(letters: [u8; CHECKSUM_LEN]) -> Option<u32> {
    let positions = letters.map(|letter| POSITIONS.get(usize::from(letter)).copied().unwrap_or(NO_LETTER));
    let number = positions.iter().rev().fold(0, |number, position| number * 62 + u32::from(*position));
    (positions.iter().fold(0, |all, position| all | position) < NO_LETTER).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_secrets_have_the_documented_form() {
        let mut format = Format::default();
        for prefix in ["pcs", "a", "Z9xyz"] {
            format.set_prefix(prefix).unwrap();
            let secret = format.generate(b'0').unwrap();
            let text = secret.expose();
            assert!(text.len() <= 55, "{}", text.len());
            assert!(text.starts_with(&format!("{prefix}_0")));
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
            assert_eq!(format.read(text.as_bytes()), Presented::Ours(b'0'));
        }
    }

    #[test]
    fn every_single_typo_is_caught_by_the_checksum() {
        let format = Format::default();
        let secret = format.generate(b'0').unwrap();
        for at in 0..secret.expose().len() {
            for letter in ALPHABET {
                let mut typo = secret.expose().as_bytes().to_vec();
                if typo[at] == *letter {
                    continue;
                }
                typo[at] = *letter;
                // A typo in the prefix makes it look like a chosen secret.
                let expected = if at < 4 { Presented::Foreign } else { Presented::Malformed };
                assert_eq!(format.read(&typo), expected, "position {at}");
            }
        }
    }

    /// The position of what is no letter is 128, which is also "42" in digits: two bodies whose sums are 128 and 128 + 62 * 128.
    #[test]
    fn a_checksum_has_no_other_spelling() {
        let format = Format::default();
        for (body, checksum, other) in [
            (b"pcs_000000000000000000000000000000000000000LMoeH", b"42000", b"-0000"),
            (b"pcs_000000000000000000000000000000000000001jLLaU", b"46200", b"--000"),
        ] {
            assert_eq!(format.read(&[&body[..], checksum].concat()), Presented::Ours(b'0'));
            assert_eq!(format.read(&[&body[..], other].concat()), Presented::Malformed);
        }
    }

    #[test]
    fn cut_off_and_overlong_secrets_are_malformed() {
        let format = Format::default();
        let secret = format.generate(b'0').unwrap();
        let bytes = secret.expose().as_bytes();
        for len in 4..bytes.len() {
            assert_eq!(format.read(&bytes[..len]), Presented::Malformed, "{len}");
        }
        assert_eq!(format.read(&[bytes, b"x"].concat()), Presented::Malformed);
        assert_eq!(format.read(b""), Presented::Malformed);
        assert_eq!(format.read(&[b'x'; 513]), Presented::Malformed);
        assert_eq!(format.read(&[0xff; 40]), Presented::Foreign);
    }

    #[test]
    fn prefixes_are_checked() {
        let mut format = Format::default();
        for bad in ["", "sixsix", "a_b", "-x", "é"] {
            assert_eq!(format.set_prefix(bad), Err(PrefixError), "{bad}");
        }
    }

    /// Returns the error's text where this secret may not be chosen.
    fn refusal(format: &Format, secret: &str) -> Option<String> {
        format.check_chosen(&Secret::new(secret)).err().map(|error| error.to_string())
    }

    #[test]
    fn rule_14_chosen_secrets_are_32_to_512_visible_characters() {
        let format = Format::default();
        let refused = |secret: &str| refusal(&format, secret).unwrap();
        assert_eq!(refusal(&format, &"a".repeat(32)), None);
        assert_eq!(refusal(&format, &"!~".repeat(256)), None);
        assert_eq!(refused(""), "a chosen secret has at least 32 characters, this one has 0");
        assert_eq!(refused(&"a".repeat(31)), "a chosen secret has at least 32 characters, this one has 31");
        assert_eq!(refused(&"a".repeat(513)), "a chosen secret has at most 512 characters, this one has 513");
        for other in [' ', '\n', '\0', '\x7f', '\u{e9}', '\u{ff21}'] {
            let error = "a chosen secret consists of visible ASCII characters; the one at position 20 is none";
            let secret = |len| format!("{}{other}{}", "a".repeat(20), "a".repeat(len));
            assert_eq!(refused(&secret(20)), error, "{other:?}");
        }
    }

    #[test]
    fn rule_14_the_floor_can_be_lowered_to_16_and_no_further() {
        let mut format = Format::default();
        for (floor, effective) in [(16, 16), (20, 20), (0, 16), (15, 16), (64, 64), (usize::MAX, 512)] {
            format.set_floor(floor);
            assert_eq!(refusal(&format, &"a".repeat(effective)), None);
            assert_eq!(
                refusal(&format, &"a".repeat(effective - 1)).unwrap(),
                format!("a chosen secret has at least {effective} characters, this one has {}", effective - 1)
            );
        }
    }

    #[test]
    fn rule_14_chosen_secrets_are_neither_like_ours_nor_like_a_stored_hash() {
        let mut format = Format::default();
        let a = "a".repeat(40);
        let ours = "a chosen secret cannot begin with `pcs_`, as generated ones do";
        assert_eq!(refusal(&format, &format!("pcs_{a}")).unwrap(), ours);
        assert_eq!(refusal(&format, format.generate(b'0').unwrap().expose()).unwrap(), ours);
        for other in [format!("pcs{a}"), format!("PCS_{a}"), format!("xpcs_{a}")] {
            assert_eq!(refusal(&format, &other), None);
        }
        format.set_prefix("acme").unwrap();
        assert_eq!(refusal(&format, &format!("pcs_{a}")), None);
        assert_eq!(
            refusal(&format, &format!("acme_{a}")).unwrap(),
            "a chosen secret cannot begin with `acme_`, as generated ones do"
        );

        let hash = "a chosen secret cannot be shaped like a stored hash, `$...$`";
        for shaped in [format!("$influxdb2-sha256${a}"), format!("$${a}"), format!("${a}$")] {
            assert_eq!(refusal(&format, &shaped).unwrap(), hash);
        }
        for other in [format!("${a}"), format!("a$b${a}")] {
            assert_eq!(refusal(&format, &other), None);
        }
    }

    #[test]
    fn rule_20_refusals_do_not_show_the_secret() {
        let format = Format::default();
        let long = "hunter2".repeat(100);
        for secret in
            ["hunter2", "hunter2 hunter2 hunter2 hunter2 hunter2", "$hunter2$hunter2hunter2hunter2hunter2", &long]
        {
            let error = format.check_chosen(&Secret::new(secret)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
    }
}
