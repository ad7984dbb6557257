//! Text dumps of what the layout formats write, for people and for snapshots.
//!
//! A dump reads the image itself, not the plan it was made from. It follows structure through inline bytes, zeros and
//! counters; contents that lie in blobs are printed as the blob's name, never read.

mod bytes;
mod fat;
mod iso9660;

pub use fat::fat;
pub use iso9660::iso9660;

/// Why there is no dump of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DumpError {
    /// Structure lies where a blob is, or behind the end.
    #[error("expected {wanted} bytes of structure at byte {at}")]
    Unreadable {
        /// Where.
        at: u64,
        /// How many bytes.
        wanted: u64,
    },
    /// Something is not what it should be.
    #[error("{what} at byte {at} is not what this format has there")]
    Unexpected {
        /// What it should be.
        what: &'static str,
        /// Where.
        at: u64,
    },
}
