//! `factory keys`: making, looking at and handing out the keys that sign.

mod csr;
mod export;
mod files;
mod generate;
mod import;
mod show;

use std::error::Error;
use std::future::Future;

use clap::Subcommand;

use super::Outcome;

type Failure = Box<dyn Error + Send + Sync>;

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make new keys as files: for SecureBoot with a certificate and the file that names them, or for what is served.
    Generate(generate::Arguments),
    /// Open the keys a file names, and say which they are and where.
    Show(show::Arguments),
    /// Take over a key and a certificate that sbctl, openssl or another imager made.
    Import(import::Arguments),
    /// Write everything public of a key set: certificate, PCR key, and what firmware enrols.
    Export(export::Arguments),
    /// Ask for a certificate of a key, wherever it is (PKCS#10).
    Csr(csr::Arguments),
}

/// Does it.
pub(super) fn run(command: Command) -> Outcome {
    match command {
        Command::Generate(arguments) => block_on(generate::run(arguments)),
        Command::Show(arguments) => block_on(show::run(arguments)),
        Command::Import(arguments) => block_on(import::run(arguments)),
        Command::Export(arguments) => block_on(export::run(arguments)),
        Command::Csr(arguments) => block_on(csr::run(arguments)),
    }
}

fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
