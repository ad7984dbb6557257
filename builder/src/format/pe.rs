//! PE/COFF images of UEFI, as far as unified kernel images need them.
//!
//! A unified kernel image is systemd's stub with more sections behind its own. The stub comes from outside: nothing in it
//! is believed before it is checked. A signed image says in its headers where the table of its signatures is, and has it
//! behind all else. The format is Microsoft's "PE Format"; only PE32+ is read.

mod append;
mod certificates;
mod dump;
mod headers;
mod memory;

pub use append::{Section, append_sections};
pub use certificates::{attach_certificates, certificates, signed_bytes};
pub use dump::dump;
pub use headers::{Headers, SectionHeader, SectionName};
pub use memory::in_memory;

/// How much of a file is enough to read its headers from.
pub const HEAD: u64 = 64 * 1024;
/// The most sections an image may have; Windows' own limit, and plenty.
pub const MAX_SECTIONS: u16 = 96;

/// Why bytes cannot be read as a PE image, or sections cannot be added to one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeError {
    /// The headers end too early.
    #[error("the PE headers reach byte {wanted}, but only {len} bytes are there to read them from")]
    Truncated {
        /// Where they would have to reach.
        wanted: u64,
        /// How many bytes there are.
        len: u64,
    },
    /// Another kind of file.
    #[error("not a PE image: no `{expected}` at byte {at}")]
    Magic {
        /// What marks a PE image there.
        expected: &'static str,
        /// Where it was looked for.
        at: u64,
    },
    /// Not PE32+.
    #[error("expected a 64-bit PE image (optional header {:#x}), but found {found:#x}", headers::PE32_PLUS)]
    NotPe32Plus {
        /// The magic number of the optional header.
        found: u16,
    },
    /// A field has a value no UEFI image has.
    #[error("the {field} of the PE image is {value:#x}, expected {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What it should be.
        expected: &'static str,
    },
    /// The sections of the stub overlap or are not in the order of their addresses.
    #[error("section `{name}` of the PE image overlaps the one before it")]
    Overlap {
        /// The section.
        name: SectionName,
    },
    /// A section's data is not in the file.
    #[error("section `{name}` has its data at {start}..{end}, but the file has {len} bytes")]
    DataOutside {
        /// The section.
        name: SectionName,
        /// Where its data begins.
        start: u64,
        /// Where its data ends.
        end: u64,
        /// The length of the file.
        len: u64,
    },
    /// The image is signed; another signature would make it another image than the one that was asked for.
    #[error("the image is signed already; an unsigned one is needed to sign")]
    SignedImage,
    /// The headers place the table of signatures where none can be.
    #[error(
        "the table of signatures is said to be at {start}..{end}, but it must lie behind byte {reached}, \
             aligned to 8 bytes, and end with the file at {len}"
    )]
    Certificates {
        /// Where it would begin.
        start: u64,
        /// Where it would end.
        end: u64,
        /// Where the sections end.
        reached: u64,
        /// The length of the file.
        len: u64,
    },
    /// The stub is signed; adding to it would break the signature.
    #[error("the stub is signed already; an unsigned one is needed to add sections to")]
    Signed,
    /// The stub has a COFF symbol table, whose place would change.
    #[error("the stub has a symbol table; a stripped one is needed to add sections to")]
    Symbols,
    /// The headers would reach into the first section.
    #[error(
        "{sections} sections need headers of {needed} bytes, but the first section begins at {available}"
    )]
    NoRoom {
        /// How many sections there would be.
        sections: usize,
        /// How long the headers would be.
        needed: u64,
        /// Where the first section is mapped.
        available: u64,
    },
    /// A name does not fit its eight bytes.
    #[error("`{name}` is not the name of a section: expected 1 to 8 bytes of ASCII")]
    Name {
        /// The name.
        name: String,
    },
    /// The image would not fit its 32-bit sizes and addresses.
    #[error("with section `{name}` the image is larger than the 4 GiB a PE image can have")]
    TooLarge {
        /// The section with which it no longer fits.
        name: SectionName,
    },
}

/// The sections of the image that begins with `head`, of which [`HEAD`] bytes are enough.
///
/// # Errors
/// When `head` is not the beginning of a PE32+ image of a sane shape. No bytes make it panic or take more memory than
/// [`MAX_SECTIONS`] headers.
pub fn sections(head: &[u8]) -> Result<Vec<SectionHeader>, PeError> {
    Ok(Headers::read(head)?.sections)
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
