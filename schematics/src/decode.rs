//! From text to a schematic: YAML (and so JSON) with the semantics of the Go YAML library version 4, and strictly.
//!
//! In steps, as the library does it: characters become tokens (`scan`) and tokens a tree (`compose`), a scalar's spelling decides its
//! type (`resolve`), and the tree becomes typed values (`construct`).

mod compose;
mod construct;
mod error;
mod node;
mod reader;
pub(crate) mod resolve;
mod scan;

pub use compose::{MAX_DEPTH, MAX_NODES};
pub use construct::{MAX_CONSTRUCTED, MAX_ISSUES, MAX_ITEMS};
pub use error::{DecodeError, Issue, Position, Problem};

use crate::schematic::Schematic;

/// Reads a schematic. See [`Schematic::decode`].
pub(crate) fn schematic(bytes: &[u8]) -> Result<Schematic, DecodeError> {
    let text = reader::text(bytes)?;
    let (document, root) = compose::compose(&text)?.ok_or(DecodeError::Empty)?;
    let mut builder = construct::Builder::new(&document);
    let mut schematic = Schematic::default();
    builder.construct(root, &mut schematic)?;
    match builder.issues {
        issues if issues.is_empty() => Ok(schematic),
        issues => Err(DecodeError::Issues(issues)),
    }
}
