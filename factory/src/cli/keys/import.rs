//! `factory keys import`.

use std::path::{Path, PathBuf};

use clap::Args;
use fs_err as fs;
use signing::{Certificate, RsaKey, Signer as _};
use zeroize::Zeroizing;

use super::super::{Outcome, say};
use super::Failure;
use super::files::NewSet;
use super::generate::SURE_BITS;

/// The arguments of `factory keys import`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(in crate::cli) struct Arguments {
    /// The private key in PEM, PKCS#1 or PKCS#8: sbctl keeps it in /var/lib/sbctl/keys/db/db.key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Its certificate in PEM: sbctl keeps it in /var/lib/sbctl/keys/db/db.pem.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// The private PCR key in PEM; a new one is made when not given.
    #[arg(long, value_name = "FILE")]
    pcr_key: Option<PathBuf>,
    /// The directory that gets secureboot.key, secureboot.crt, pcr.key and keys.yaml; none of them may exist.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

/// Takes over a key set.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let key = read_key(&arguments.key)?;
    let certificate = Certificate::from_pem(&fs::read_to_string(&arguments.certificate)?)
        .map_err(|error| format!("{}: {error}", arguments.certificate.display()))?;
    if !certificate.belongs_to(key.public_key()) {
        let (path, subject) = (arguments.key.display(), certificate.subject());
        return Err(format!("the certificate of {subject} is not for the key in {path}").into());
    }
    let (pcr, note) = match &arguments.pcr_key {
        Some(path) => (read_key(path)?, ""),
        None => (RsaKey::generate(SURE_BITS)?, " (new)"),
    };
    let file = NewSet::begin(&arguments.output)?.write(&key, &certificate.to_pem(), &pcr)?;
    say(&format!(
        "made {}\n  SecureBoot key  {}\n  certificate     {}\n  PCR key         {}{note}\n\
         The files the keys came from are as they were; remove them if nothing else needs them.\n",
        file.display(),
        key.id(),
        certificate.subject(),
        pcr.id(),
    ))
}

fn read_key(path: &Path) -> Result<RsaKey, Failure> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    RsaKey::from_pem(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}
