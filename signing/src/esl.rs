//! EFI signature lists (UEFI 2.10 §32.4.1): what PK, KEK, db and dbx hold.

use schematics::{Blame, Blamed};
use uuid::{Uuid, uuid};

/// Entries that are certificates in DER.
pub const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
/// Entries that are SHA-256 digests of programs, by Authenticode.
pub const SHA256: Uuid = uuid!("c1c41626-504c-4092-aca9-41f936934328");
/// Entries that are SHA-256 digests of the signed part of certificates, with a time of revocation.
pub const X509_SHA256: Uuid = uuid!("3bd2a492-96c0-4079-b420-fcf98ef103ed");

/// The longest database that is read, in bytes. Firmware has room for some ten thousand.
pub const MAX_DATABASE: usize = 1024 * 1024;
/// Kind, and the lengths of the list, of its header and of an entry.
const LIST_HEADER: usize = 28;
const OWNER: usize = 16;

/// Why bytes are no signature lists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EslError {
    /// Longer than any honest ones.
    #[error("the signature lists have {len} bytes, more than the {MAX_DATABASE} that are read")]
    TooLong {
        /// How long they are.
        len: usize,
    },
    /// The bytes end within a list.
    #[error("signature list {number} needs {needed} bytes, but only {len} are left")]
    Truncated {
        /// Which list, from 1 on.
        number: usize,
        /// How many bytes it needs.
        needed: usize,
        /// How many there are.
        len: usize,
    },
    /// The lengths within a list contradict each other.
    #[error("the entries of {entry} bytes do not fill the {len} bytes signature list {number} has for them")]
    Lengths {
        /// Which list, from 1 on.
        number: usize,
        /// How long an entry is.
        entry: usize,
        /// How many bytes there are for all of them.
        len: usize,
    },
}

impl Blamed for EslError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

/// An entry: something that is believed, or no longer believed, and who put it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureEntry {
    /// Who put it there; firmware does not look at it.
    pub owner: Uuid,
    /// A certificate, or a digest, by the kind of the list.
    pub data: Vec<u8>,
}

/// Entries of one kind and one length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureList {
    kind: Uuid,
    header: Vec<u8>,
    entry_len: usize,
    entries: Vec<SignatureEntry>,
}

impl SignatureList {
    /// What its entries are, such as [`X509`].
    #[must_use]
    pub const fn kind(&self) -> Uuid {
        self.kind
    }

    /// Its entries.
    #[must_use]
    pub fn entries(&self) -> &[SignatureEntry] {
        &self.entries
    }

    fn body_len(&self) -> usize {
        LIST_HEADER + self.header.len() + self.entries.len() * self.entry_len
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.kind.to_bytes_le());
        for len in [self.body_len(), self.header.len(), self.entry_len] {
            // Far below 4 GiB: databases are bounded, and so are certificates.
            out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
        }
        out.extend(&self.header);
        for entry in &self.entries {
            out.extend(entry.owner.to_bytes_le());
            out.extend(&entry.data);
        }
    }
}

/// The content of a variable of SecureBoot: signature lists, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignatureDatabase {
    lists: Vec<SignatureList>,
}

impl SignatureDatabase {
    /// Adds an entry: to the first list whose kind and length it has, or as a list of its own behind the others.
    pub fn add(&mut self, kind: Uuid, owner: Uuid, data: &[u8]) {
        let entry_len = OWNER + data.len();
        let entry = SignatureEntry { owner, data: data.to_vec() };
        let fits = |list: &&mut SignatureList| {
            list.kind == kind && list.entry_len == entry_len && list.header.is_empty()
        };
        match self.lists.iter_mut().find(fits) {
            Some(list) => list.entries.push(entry),
            None => {
                self.lists.push(SignatureList { kind, header: Vec::new(), entry_len, entries: vec![entry] });
            }
        }
    }

    /// The lists, in order.
    #[must_use]
    pub fn lists(&self) -> &[SignatureList] {
        &self.lists
    }

    /// All entries of a kind, in order.
    pub fn entries(&self, kind: Uuid) -> impl Iterator<Item = &SignatureEntry> {
        self.lists.iter().filter(move |list| list.kind == kind).flat_map(|list| &list.entries)
    }

    /// The bytes firmware keeps.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.lists.iter().for_each(|list| list.write(&mut out));
        out
    }

    /// Reads what firmware keeps, or an `.esl` file.
    ///
    /// # Errors
    /// When the bytes are not lists, one behind the other, to the last byte. No bytes make it panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EslError> {
        if bytes.len() > MAX_DATABASE {
            return Err(EslError::TooLong { len: bytes.len() });
        }
        let (mut lists, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (list, behind) = read_list(rest, lists.len() + 1)?;
            lists.push(list);
            rest = behind;
        }
        Ok(Self { lists })
    }
}

/// The list `bytes` begin with, and what is behind it.
fn read_list(bytes: &[u8], number: usize) -> Result<(SignatureList, &[u8]), EslError> {
    let truncated = |needed| EslError::Truncated { number, needed, len: bytes.len() };
    let (kind, lengths) = bytes.split_first_chunk().ok_or_else(|| truncated(LIST_HEADER))?;
    let (lengths, _) = lengths.split_first_chunk::<12>().ok_or_else(|| truncated(LIST_HEADER))?;
    let [list_len, header_len, entry_len] = lengths_of(lengths);
    let (list, behind) = bytes.split_at_checked(list_len).ok_or_else(|| truncated(list_len))?;
    let needed = LIST_HEADER.saturating_add(header_len);
    let body = list.get(LIST_HEADER..).ok_or_else(|| truncated(LIST_HEADER))?;
    let (header, body) = body.split_at_checked(header_len).ok_or_else(|| truncated(needed))?;
    if entry_len < OWNER || body.len() % entry_len != 0 {
        return Err(EslError::Lengths { number, entry: entry_len, len: body.len() });
    }
    let entry = |bytes: &[u8]| {
        let (owner, data) = bytes.split_first_chunk()?;
        Some(SignatureEntry { owner: Uuid::from_bytes_le(*owner), data: data.to_vec() })
    };
    let entries = body.chunks_exact(entry_len).filter_map(entry).collect();
    Ok((
        SignatureList { kind: Uuid::from_bytes_le(*kind), header: header.to_vec(), entry_len, entries },
        behind,
    ))
}

fn lengths_of(bytes: &[u8; 12]) -> [usize; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l]]
        .map(|word| usize::try_from(u32::from_le_bytes(word)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
