//! Boots in QEMU, judged by what the guest reports.
//!
//! Everything but the raw inputs comes over HTTP from the real service on the reference release, which must have been made
//! (`make reference`). A machine without the tools skips, and says so.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "all of this crate is a test"
)]

mod expected;
mod ipxe;
mod isos;
mod laid_out;
mod raw_inputs;
mod refusals;
mod ukis;
