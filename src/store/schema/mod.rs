//! How a record becomes bytes: the format, a checksum of the rest, and the record in that format.
//!
//! What is stored has types of its own ([`v1`]), apart from those of the library: a change of the latter cannot change
//! bytes on disk.

mod bytes;
#[cfg(test)]
mod tests;
mod v1;

use bytes::{Field, Malformed};

use crate::store::record::{Body, Record};

/// Why stored bytes are not a record. The bytes are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are too few to be a record.
    #[error("a stored record is cut off")]
    Truncated,
    /// The record was written by a later version of this library.
    #[error(
        "a stored record has format {found}, this version reads up to {newest}; use the version that wrote it",
        newest = Record::NEWEST_FORMAT
    )]
    NewerFormat {
        /// The record's format.
        found: u8,
    },
    /// The checksum does not fit: the bytes were damaged.
    #[error("a stored record is damaged: its checksum does not fit")]
    Checksum,
    /// The bytes are whole but make no record: an unknown kind, or a value that cannot be. Holds what is wrong, in words.
    #[error("a stored record is not understood: {0}")]
    Content(&'static str),
    /// There are more bytes than the record's.
    #[error("a stored record is followed by {0} unknown bytes")]
    Trailing(usize),
}

impl From<Malformed> for DecodeError {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Content(what)
    }
}

impl Record {
    /// The newest format that this version reads, and the one that it writes to new stores.
    pub const NEWEST_FORMAT: u8 = 1;

    /// Returns the record as bytes: one byte for the format, four for a CRC-32 of the rest, then the record itself.
    ///
    /// The bytes hold digests of secrets. Do not log them.
    ///
    /// ```
    /// # use portcullis::testing::records;
    /// use portcullis::store::Record;
    ///
    /// # let record = records::token(1);
    /// let bytes = record.encode();
    /// assert_eq!(bytes[0], Record::NEWEST_FORMAT);
    /// assert_eq!(Record::decode(&bytes)?, record);
    /// # Ok::<(), portcullis::store::DecodeError>(())
    /// ```
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        v1::Record::from(&self.0).put(&mut fields);
        let mut bytes = Vec::with_capacity(5 + fields.len());
        bytes.push(Self::NEWEST_FORMAT);
        bytes.extend(crc32fast::hash(&fields).to_le_bytes());
        bytes.extend(fields);
        bytes
    }

    /// Returns the record that these bytes are.
    ///
    /// # Errors
    /// - [`DecodeError::Truncated`], [`DecodeError::Checksum`], [`DecodeError::Trailing`]: the bytes were damaged.
    /// - [`DecodeError::NewerFormat`]: a later version wrote them.
    /// - [`DecodeError::Content`]: something in them is unknown. Nothing is guessed.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (&format, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        if format == 0 || format > Self::NEWEST_FORMAT {
            return Err(DecodeError::NewerFormat { found: format });
        }
        let (checksum, mut fields) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        if crc32fast::hash(fields) != u32::from_le_bytes(*checksum) {
            return Err(DecodeError::Checksum);
        }
        let record = v1::Record::take(&mut fields)?;
        match fields.len() {
            0 => Ok(Self(Body::try_from(record)?)),
            more => Err(DecodeError::Trailing(more)),
        }
    }
}
