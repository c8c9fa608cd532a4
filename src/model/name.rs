//! Short names that are stored inline: of resource types and of verbs.

use crate::chunks::{chunks, chunks_mut};

/// The longest name, in bytes.
pub(super) const MAX_LEN: usize = 24;

/// A validated name: an ASCII letter, then ASCII letters, digits, `-` and `_`. `Copy`, without a registry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name {
    /// The name, then zeros.
    bytes: [u8; MAX_LEN],
}

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameError {
    Empty,
    TooLong(usize),
    /// The position in bytes.
    Character(usize),
}

impl Name {
    // A constant function can neither iterate nor use `get`; every index is below the checked length.
    #[allow(clippy::indexing_slicing)]
    pub(super) const fn new(name: &str) -> Result<Self, NameError> {
        let text = name.as_bytes();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(NameError::TooLong(text.len()));
        }
        let mut bytes = [0; MAX_LEN];
        let mut at = 0;
        while at < text.len() {
            let byte = text[at];
            let inside = at > 0 && (byte.is_ascii_digit() || byte == b'-' || byte == b'_');
            if !byte.is_ascii_alphabetic() && !inside {
                return Err(NameError::Character(at));
            }
            bytes[at] = byte;
            at += 1;
        }
        Ok(Self { bytes })
    }

    pub(super) fn as_str(&self) -> &str {
        let len = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(MAX_LEN);
        // Only ASCII ever gets in, so neither fallback is taken.
        self.bytes.get(..len).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// Reports whether this is `text`, which is in lower case, but for the case. In constant functions, where `==` cannot
    /// be used.
    #[allow(clippy::indexing_slicing)] // As above.
    pub(super) const fn resembles(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let mut at = 0;
        while at < MAX_LEN {
            let expected = if at < text.len() { text[at] } else { 0 };
            if self.bytes[at].to_ascii_lowercase() != expected {
                return false;
            }
            at += 1;
        }
        text.len() <= MAX_LEN
    }

    /// Returns the bytes as numbers. The first is never zero.
    #[inline]
    pub(super) fn words(&self) -> [u64; 3] {
        let mut words = chunks(&self.bytes).map(|word| u64::from_ne_bytes(*word));
        [(); 3].map(|()| words.next().unwrap_or_default())
    }

    /// Returns the name that has these words; `None` for zeros.
    pub(super) fn from_words(words: [u64; 3]) -> Option<Self> {
        let mut bytes = [0; MAX_LEN];
        for (bytes, word) in chunks_mut(&mut bytes).zip(words) {
            *bytes = word.to_ne_bytes();
        }
        (words != [0; 3]).then_some(Self { bytes })
    }
}
