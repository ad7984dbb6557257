//! Boots in QEMU, judged by what the guest reports.
//!
//! The reference release must have been made (`make reference`). A machine without the tools skips, and says so.

#[cfg(test)]
mod isos;
#[cfg(test)]
mod laid_out;
mod raw_inputs;
