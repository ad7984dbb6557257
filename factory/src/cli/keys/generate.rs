//! `factory keys generate`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use signing::certificate::{Terms, self_signed};
use signing::{KeyAlgorithm, RsaKey, SigningKey};

use super::super::{Outcome, say};
use super::files::{NewSet, OPTION_ROMS, new_signing_key};

/// The size that every UEFI firmware and every TPM takes.
pub(super) const SURE_BITS: u16 = 2048;
const DAY: u64 = 86_400;

/// The arguments of `factory keys generate`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(in crate::cli) struct Arguments {
    /// What the keys are for: `secureboot` for signing what machines start (SecureBoot key, certificate, PCR key and the
    /// file that names them), `signing` for what the factory serves (assets, installer images).
    #[arg(long, value_enum, default_value_t = Kind::Secureboot)]
    kind: Kind,
    /// The directory that gets secureboot.key, secureboot.crt, pcr.key and keys.yaml, or signing.key and signing.pub; none
    /// of them may exist.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// What a signing key signs with.
    #[arg(long, value_enum, default_value_t = Algorithm::EcdsaP256)]
    algorithm: Algorithm,
    /// The common name in the certificate, which people see in the firmware's menus.
    #[arg(long, value_name = "NAME", default_value = "Talos SecureBoot signing key")]
    name: String,
    /// The size of the SecureBoot key, 2048 or 4096. Every UEFI firmware takes 2048; some refuses 4096. The PCR key has
    /// 2048 always, since TPMs need not take more.
    #[arg(long, value_name = "BITS", default_value_t = SURE_BITS, value_parser = bits)]
    bits: u16,
    /// How many days the certificate says it is valid. Firmware does not look at it.
    #[arg(long, value_name = "DAYS", default_value_t = 3650)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

/// What keys are for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Secureboot,
    Signing,
}

/// What a signing key signs with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Algorithm {
    EcdsaP256,
    Ed25519,
}

impl From<Algorithm> for KeyAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EcdsaP256 => Self::EcdsaP256,
            Algorithm::Ed25519 => Self::Ed25519,
        }
    }
}

fn bits(text: &str) -> Result<u16, String> {
    match text {
        "2048" => Ok(2048),
        "4096" => Ok(4096),
        _ => Err("expected 2048 or 4096".to_owned()),
    }
}

/// Makes keys.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    match arguments.kind {
        Kind::Secureboot => key_set(arguments).await,
        Kind::Signing => signing_key(&arguments),
    }
}

fn signing_key(arguments: &Arguments) -> Outcome {
    let key = SigningKey::new(arguments.algorithm.into())?;
    let (private, public) = new_signing_key(&arguments.output, &key)?;
    say(&format!(
        "made {}, {} {}\n\nServe with it: `factory serve --signing-key {0}`, the same file on all replicas. Whoever has it can \
         sign in your name.\nCheck with {}: `cosign verify --key`, `factory verify --key`.\n",
        private.display(),
        key.algorithm(),
        key.id(),
        public.display(),
    ))
}

async fn key_set(arguments: Arguments) -> Outcome {
    let set = NewSet::begin(&arguments.output)?;
    let (key, pcr) = (RsaKey::generate(arguments.bits)?, RsaKey::generate(SURE_BITS)?);
    let not_before = now();
    let not_after = not_before + u64::from(arguments.days) * DAY;
    let terms = Terms { common_name: &arguments.name, not_before, not_after, authority: false };
    let certificate = self_signed(&key, &terms).await?;
    let file = set.write(&key, &certificate.to_pem(), &pcr)?;
    say(&format!(
        "made {}\n  SecureBoot key  RSA-{} {}\n  certificate     {}, until {}\n  PCR key         RSA-{SURE_BITS} {}\n\n\
         Keep a copy in a safe place: whoever has these files can sign for your machines, and without them nothing new can\n\
         be signed that your machines start.\n\n{OPTION_ROMS}",
        file.display(),
        arguments.bits,
        key.id(),
        certificate.subject(),
        certificate.not_after(),
        pcr.id(),
    ))
}

/// Now, in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "certificates begin and end")]
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
