//! SecureBoot and measured boot on virtual machines with OVMF and swtpm, judged by what firmware and guest report.
//!
//! `control` shows with images of the reference tools that each check can say both yes and no.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this crate is a test"
)]

mod control;
mod task;
mod verdict;
