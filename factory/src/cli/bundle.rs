//! `factory bundle`: to a place without a network, and into a registry there.

mod export;
mod push;

use clap::Subcommand;

use super::Outcome;

/// The commands of `factory bundle`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write what versions and schematics need, with signatures, as one directory or archive.
    Export(Box<export::Arguments>),
    /// Put such a directory or archive into a registry.
    Push(push::Arguments),
}

pub(super) fn run(command: Command) -> Outcome {
    match command {
        Command::Export(arguments) => export::run(*arguments),
        Command::Push(arguments) => push::run(arguments),
    }
}
