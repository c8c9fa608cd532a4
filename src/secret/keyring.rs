//! Digests of secrets, and the peppers that they are made with.

use std::fmt;

use hmac::{HmacReset, KeyInit, Mac};
use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

use crate::chunks::{chunks, chunks_mut};

/// SHA-256 of a secret, or HMAC-SHA-256 under a pepper. It is all that is stored of a secret.
///
/// It is never printed. It has no order and no hash, and two digests are compared in constant time only.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl ConstantTimeEq for Digest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// What a store keeps of a secret: its digest, and the id of the pepper that the digest was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) key: u8,
    pub(crate) digest: Digest,
}

/// The reason why a pepper is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PepperError {
    /// The id is not one of `1`-`9`, `A`-`Z`, `a`-`z`.
    #[error("a pepper's id is one of `1`-`9`, `A`-`Z` and `a`-`z`")]
    Id,
    /// The key has fewer than 32 bytes; it has this many.
    #[error("a pepper's key has at least 32 bytes, this one has {0}")]
    TooShort(usize),
}

/// A secret key that digests are made with, as HMAC-SHA-256 under it.
///
/// The host keeps it apart from the store. So a thief who has only the store cannot test whether a guessed secret is in it.
///
/// To replace a pepper, give the new one to [`AuthorityBuilder::pepper`](crate::AuthorityBuilder::pepper) and the old one to
/// [`AuthorityBuilder::previous_pepper`](crate::AuthorityBuilder::previous_pepper). The old one can be removed once
/// [`Authority::secrets_by_pepper`](crate::Authority::secrets_by_pepper) shows that no token needs it.
///
/// ```
/// use portcullis::{Authority, MemoryStore, Pepper};
///
/// # let key = [7; 32]; // In earnest: 32 random bytes from the host's secret manager.
/// let authority = Authority::builder().pepper(Pepper::new('a', &key)?).open(MemoryStore::new()).wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Pepper {
    id: u8,
    /// It holds the two states that the key leads to, not the key.
    mac: HmacReset<Sha256>,
}

impl Pepper {
    /// Returns a pepper. The id tells peppers apart, and becomes part of every secret that is generated with it. The key is at
    /// least 32 random bytes.
    ///
    /// # Errors
    /// - [`PepperError::Id`]: the id is not one of `1`-`9`, `A`-`Z`, `a`-`z`.
    /// - [`PepperError::TooShort`]: the key has fewer than 32 bytes.
    pub fn new(id: char, key: &[u8]) -> Result<Self, PepperError> {
        let id = u8::try_from(id).map_err(|_| PepperError::Id)?;
        if !id.is_ascii_alphanumeric() || id == Keyring::PLAIN {
            return Err(PepperError::Id);
        }
        if key.len() < 32 {
            return Err(PepperError::TooShort(key.len()));
        }
        // HMAC takes keys of any length, so this never fails.
        let mac = <HmacReset<Sha256> as KeyInit>::new_from_slice(key).map_err(|_| PepperError::TooShort(key.len()))?;
        Ok(Self { id, mac })
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper({}, ..)", char::from(self.id))
    }
}

impl Pepper {
    fn digest(&self, secret: &[u8]) -> Digest {
        let mut mac = self.mac.clone();
        mac.update(secret);
        // In its place, where it is wiped when dropped: `finalize` would move it and leave the secret behind.
        Digest(mac.finalize_reset().into_bytes().into())
    }
}

/// The peppers in use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring {
    pub(crate) current: Option<Pepper>,
    pub(crate) previous: Option<Pepper>,
}

impl Keyring {
    /// The id that means no pepper.
    pub(crate) const PLAIN: u8 = b'0';

    /// Returns the id of the key of new secrets.
    pub(crate) fn current(&self) -> u8 {
        self.current.as_ref().map_or(Self::PLAIN, |pepper| pepper.id)
    }

    /// Returns the peppers' id where both have the same one.
    pub(crate) fn ambiguous(&self) -> Option<char> {
        let (current, previous) = (self.current.as_ref()?, self.previous.as_ref()?);
        (current.id == previous.id).then_some(char::from(current.id))
    }

    /// Returns the ids of the keys that a chosen secret's digest may have been made with, the likeliest first.
    pub(crate) fn candidates(&self) -> [Option<u8>; 3] {
        let previous = self.previous.as_ref().map(|pepper| pepper.id);
        let plain = (self.current() != Self::PLAIN).then_some(Self::PLAIN);
        [Some(self.current()), previous, plain]
    }

    /// Returns the digest of a secret under that key; `None` when the key is not configured.
    #[inline]
    pub(crate) fn digest(&self, key: u8, secret: &[u8]) -> Option<Digest> {
        if key == Self::PLAIN { Some(sha_256(secret)) } else { self.peppered(key, secret) }
    }

    fn peppered(&self, key: u8, secret: &[u8]) -> Option<Digest> {
        let pepper = [&self.current, &self.previous].into_iter().flatten().find(|pepper| pepper.id == key)?;
        Some(pepper.digest(secret))
    }

    /// The digest of a new secret, under the current key.
    pub(crate) fn credential(&self, secret: &[u8]) -> Credential {
        match &self.current {
            None => Credential { key: Self::PLAIN, digest: sha_256(secret) },
            Some(pepper) => Credential { key: pepper.id, digest: pepper.digest(secret) },
        }
    }
}

/// Returns the SHA-256 of a secret. A secret that fits into one block, as every generated one does, is padded here and
/// compressed at once: the general way costs a third more.
#[inline]
fn sha_256(secret: &[u8]) -> Digest {
    // The end mark and the length in bits take nine bytes.
    let (Ok(len @ ..=55), Some(end)) = (u32::try_from(secret.len()), secret.last_chunk()) else {
        return long_sha_256(secret);
    };
    let mut block = [0; 64];
    // The block is written in pieces of the size in which it is read next. The processor forwards such pieces from one to the
    // other; pieces of another size would have to reach the cache first.
    let mut pieces = chunks(secret);
    for to in chunks_mut::<16>(&mut block) {
        let Some(piece) = pieces.next() else {
            // The rest of the secret, which is the end of its last sixteen bytes, and the end mark.
            let rest = len % 16 * 8;
            *to = (u128::from_le_bytes(*end).checked_shr(128 - rest).unwrap_or(0) | 0x80 << rest).to_le_bytes();
            break;
        };
        *to = *piece;
    }
    if let Some(length) = block.last_chunk_mut() {
        *length = (len * 8).to_be_bytes();
    }
    let mut state = INITIAL;
    compress256(&mut state, std::slice::from_ref(&block));
    // A slice is wiped at once, an array byte by byte.
    block.as_mut_slice().zeroize();
    let mut digest = [0; 32];
    for (bytes, word) in chunks_mut(&mut digest).zip(state) {
        *bytes = word.to_be_bytes();
    }
    Digest(digest)
}

/// Returns the SHA-256 of a secret of any length. The state stays where it is and is wiped when dropped. `digest` would move it
/// and leave parts of the secret behind.
#[inline(never)]
fn long_sha_256(secret: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(secret);
    Digest(hash.finalize_reset().into())
}

/// The state that SHA-256 begins with (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

#[cfg(test)]
mod tests {
    use super::*;

    fn half(digest: &Digest, n: usize) -> u128 {
        u128::from_be_bytes(*chunks(&digest.0).nth(n).unwrap())
    }

    fn hex(digest: Digest) -> String {
        format!("{:032x}{:032x}", half(&digest, 0), half(&digest, 1))
    }

    #[test]
    fn plain_digests_are_sha_256() {
        let digest = Keyring::default().digest(Keyring::PLAIN, b"abc").unwrap();
        assert_eq!(hex(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn digests_of_every_length_are_those_of_the_general_way() {
        let secret: Vec<u8> = (0..=200).collect();
        for len in 0..secret.len() {
            let digest = Keyring::default().digest(Keyring::PLAIN, &secret[..len]).unwrap();
            assert_eq!(digest.bytes()[..], Sha256::digest(&secret[..len])[..], "{len} bytes");
        }
    }

    #[test]
    fn peppered_digests_are_hmac_sha_256() {
        // RFC 4231, test case 6: a key of 131 bytes.
        let pepper = Pepper::new('a', &[0xaa; 131]).unwrap();
        let ring = Keyring { current: Some(pepper), previous: None };
        let digest = ring.digest(b'a', b"Test Using Larger Than Block-Size Key - Hash Key First").unwrap();
        assert_eq!(hex(digest), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        assert!(ring.digest(b'b', b"x").is_none());
    }

    #[test]
    fn peppers_are_checked() {
        for id in ['0', '_', 'é', ' '] {
            assert_eq!(Pepper::new(id, &[1; 32]).unwrap_err(), PepperError::Id);
        }
        let short = Pepper::new('a', &[1; 31]).unwrap_err();
        assert_eq!(short.to_string(), "a pepper's key has at least 32 bytes, this one has 31");
    }

    #[test]
    fn digests_are_equal_only_where_every_byte_is() {
        let digest = Digest::from_bytes([7; 32]);
        assert_eq!(digest, Digest::from_bytes([7; 32]));
        for at in 0..32 {
            let mut other = [7; 32];
            other[at] = 6;
            assert_ne!(digest, Digest::from_bytes(other), "byte {at}");
        }
    }

    #[test]
    fn rule_20_neither_a_digest_nor_a_peppers_key_is_printed() {
        assert_eq!(format!("{:?}", Digest::from_bytes([7; 32])), "Digest(..)");
        assert_eq!(format!("{:?}", Pepper::new('a', &[7; 32]).unwrap()), "Pepper(a, ..)");
    }
}
