//! `factory keys csr`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use signing::certificate::request;

use super::super::{Outcome, say};
use super::files::create;
use crate::signers::{self, Access, SignerSpec};

/// The arguments of `factory keys csr`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(in crate::cli) struct Arguments {
    /// Where the key is, as in a file of keys: `pem:FILE`, `pkcs11:…`, `awskms://…`, `azurekms://…`, `gcpkms://…`,
    /// `hashivault://…` or `signerd://…`.
    signer: SignerSpec,
    /// The common name the certificate shall have.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where to write the request; standard output when not given.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Asks for a certificate.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let signer = signers::open(&arguments.signer, &Access::of_process()).await?;
    let request = request(signer.as_ref(), &arguments.name).await?.to_pem();
    match arguments.output {
        Some(path) => {
            create(&path, request.as_bytes(), 0o644)?;
            Ok(ExitCode::SUCCESS)
        }
        None => say(&request),
    }
}
