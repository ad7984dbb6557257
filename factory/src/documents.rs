//! What is told of an asset: of what it was made and how, and what is inside. Facts in, bytes out; the same facts are the
//! same bytes.

pub mod cyclonedx;
pub mod inventory;
pub mod lock;
pub mod provenance;
pub mod spdx;

/// The program, as documents name it.
pub const PROGRAM: &str = env!("CARGO_PKG_NAME");
/// Its version.
pub const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A document as JSON, indented and ended by a line feed.
///
/// # Errors
/// Never for what this module makes; the encoder's type says it may.
fn pretty(document: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    Ok(text)
}
