//! How a record becomes bytes: its format, a checksum, and the fields in order.

use crate::store::record::{Body, Record};

/// Why stored bytes are not a record. The bytes are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Too short to be a record at all.
    #[error("a stored record is cut off")]
    Truncated,
    /// Written by a later version of this library.
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
    /// The bytes are whole but make no record: an unknown kind, an unknown field, or a value that cannot be.
    #[error("a stored record is not understood: {0}")]
    Content(#[source] postcard::Error),
    /// There is more than the record.
    #[error("a stored record is followed by {0} unknown bytes")]
    Trailing(usize),
}

impl Record {
    /// The newest format that this version reads, and the one that it writes to new stores.
    pub const NEWEST_FORMAT: u8 = 1;

    /// The record as bytes: the format, a CRC-32 of the rest, and the fields.
    ///
    /// The bytes hold digests of secrets: they are not for logs.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Only a value without a fixed length or a failing writer could fail, and a record has neither.
        let fields = postcard::to_allocvec(&self.0).unwrap_or_default();
        let mut bytes = Vec::with_capacity(5 + fields.len());
        bytes.push(Self::NEWEST_FORMAT);
        bytes.extend(crc32fast::hash(&fields).to_le_bytes());
        bytes.extend(fields);
        bytes
    }

    /// The record that these bytes are.
    ///
    /// # Errors
    /// They are damaged, of a newer format, or have unknown content: nothing is guessed.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (&format, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        if format == 0 || format > Self::NEWEST_FORMAT {
            return Err(DecodeError::NewerFormat { found: format });
        }
        let (checksum, fields) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        if crc32fast::hash(fields) != u32::from_le_bytes(*checksum) {
            return Err(DecodeError::Checksum);
        }
        let (body, trailing) = postcard::take_from_bytes::<Body>(fields).map_err(DecodeError::Content)?;
        match trailing.len() {
            0 => Ok(Self(body)),
            more => Err(DecodeError::Trailing(more)),
        }
    }
}
