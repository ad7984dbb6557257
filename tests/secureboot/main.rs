//! SecureBoot and measured boot on virtual machines with OVMF and swtpm, judged by what firmware and guest report.
//!
//! `control` shows with images of the reference tools that each check can say both yes and no; `service` has the images of the
//! running factory.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this crate is a test"
)]

mod control;
mod service;
mod task;
mod verdict;
