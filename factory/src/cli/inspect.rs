//! `factory inspect`: what is in an image, who signed it, and what a TPM will measure of it.

use clap::Args;

use super::{Outcome, say};
use crate::inspect::{Depth, inspect, text};

/// The arguments of `factory inspect`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An EFI program, an ISO, or a raw disk image: a file, or an http or https URL.
    location: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Read headers and texts alone: no digests, no predictions, and signatures are not checked.
    #[arg(long)]
    headers: bool,
}

/// Prints what is in a file.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let depth = if arguments.headers { Depth::Headers } else { Depth::Contents };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(inspect(&arguments.location, depth))?;
    if arguments.json {
        return say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    }
    say(&text(&report))
}
