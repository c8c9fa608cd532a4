//! Digests as the index keeps them.

use crate::chunks::{chunks, chunks_mut};
use crate::secret::Digest;

/// A digest as four words.
pub(super) type Words = [u64; 4];

#[inline]
pub(super) fn words_of(digest: &Digest) -> Words {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(chunks(digest.bytes())) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// Returns the digest that [`words_of`] took apart.
pub(super) fn digest_of(words: Words) -> Digest {
    let mut bytes = [0; 32];
    for (chunk, word) in chunks_mut(&mut bytes).zip(words) {
        *chunk = word.to_le_bytes();
    }
    Digest::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_put_together_as_it_was() {
        let digest = Digest::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        assert_eq!(words_of(&digest)[0], 0x0706_0504_0302_0100);
        assert_eq!(digest_of(words_of(&digest)), digest);
    }
}
