//! The table of signatures behind a program: `WIN_CERTIFICATE` structures (UEFI specification, "Secure Boot and Driver
//! Signing").

use schematics::{Blame, Blamed};

/// What a table, and each entry in it, is aligned to.
pub const TABLE_ALIGNMENT: usize = 8;
/// The longest table that is read, in bytes.
pub const MAX_TABLE: usize = 1024 * 1024;
/// The most entries a table may have; programs with more than two are rare.
pub const MAX_ENTRIES: usize = 32;
/// `WIN_CERT_REVISION_2_0` and `WIN_CERT_TYPE_PKCS_SIGNED_DATA`.
const REVISION: u16 = 0x0200;
const PKCS7: u16 = 0x0002;
const HEADER_LEN: usize = 8;

/// Why bytes are no table of signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Longer than any honest one.
    #[error("the table of signatures has {len} bytes, more than the {MAX_TABLE} that are allowed")]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// An entry is shorter than its header, or longer than the table.
    #[error(
        "the entry at byte {at} of the table of signatures claims {len} bytes, but {available} are there"
    )]
    Length {
        /// Where the entry begins.
        at: usize,
        /// How long it says it is.
        len: usize,
        /// How many bytes are left.
        available: usize,
    },
    /// More entries than any honest program has.
    #[error("the table of signatures has more than {MAX_ENTRIES} entries")]
    TooMany,
}

impl Blamed for TableError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

/// An entry of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The revision of its format, 0x0200 today.
    pub revision: u16,
    /// Of what kind its content is; 2 is PKCS#7.
    pub kind: u16,
    /// Its content; some signers count padding in.
    pub content: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The PKCS#7 signature in it, if it holds one.
    #[must_use]
    pub fn pkcs7(&self) -> Option<&'a [u8]> {
        (self.revision == REVISION && self.kind == PKCS7).then_some(self.content)
    }
}

/// The table with one entry, this PKCS#7 signature; padded with zeros to a multiple of [`TABLE_ALIGNMENT`].
///
/// # Errors
/// When it would be longer than [`MAX_TABLE`].
pub fn table(pkcs7: &[u8]) -> Result<Vec<u8>, TableError> {
    let len = HEADER_LEN + pkcs7.len();
    let stated = u32::try_from(len).ok().filter(|_| len <= MAX_TABLE).ok_or(TableError::TooLong { len })?;
    let mut bytes = Vec::with_capacity(len + TABLE_ALIGNMENT);
    bytes.extend(stated.to_le_bytes());
    bytes.extend(REVISION.to_le_bytes());
    bytes.extend(PKCS7.to_le_bytes());
    bytes.extend(pkcs7);
    bytes.resize(len.next_multiple_of(TABLE_ALIGNMENT), 0);
    Ok(bytes)
}

/// The entries of a table, of any kind.
///
/// # Errors
/// When the bytes are none. No bytes make it panic.
pub fn entries(table: &[u8]) -> Result<Vec<Entry<'_>>, TableError> {
    if table.len() > MAX_TABLE {
        return Err(TableError::TooLong { len: table.len() });
    }
    let (mut entries, mut at) = (Vec::new(), 0);
    while let Some(rest) = table.get(at..).filter(|rest| !rest.is_empty()) {
        if entries.len() == MAX_ENTRIES {
            return Err(TableError::TooMany);
        }
        let (entry, len) =
            entry(rest).map_err(|len| TableError::Length { at, len, available: rest.len() })?;
        entries.push(entry);
        at += len.next_multiple_of(TABLE_ALIGNMENT);
    }
    Ok(entries)
}

/// The entry `bytes` begin with and its length; or the length it claims, when that cannot be.
fn entry(bytes: &[u8]) -> Result<(Entry<'_>, usize), usize> {
    let Some(([a, b, c, d, e, f, g, h], _)) = bytes.split_first_chunk() else { return Err(HEADER_LEN) };
    let len = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
    let content = bytes.get(HEADER_LEN..len).ok_or(len)?;
    let (revision, kind) = (u16::from_le_bytes([*e, *f]), u16::from_le_bytes([*g, *h]));
    Ok((Entry { revision, kind, content }, len))
}
