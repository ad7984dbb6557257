//! `factory keys show`.

use std::path::PathBuf;

use clap::Args;

use super::super::{Outcome, say};
use crate::keys::{KeySet, KeySets, SetSpec};

/// The arguments of `factory keys show`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(in crate::cli) struct Arguments {
    /// The file that names the keys.
    file: PathBuf,
}

/// Prints every set.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let sets = KeySets::read(&arguments.file)?;
    let open = sets.open().await?;
    let mut text: String = sets.specs().iter().zip(open.iter()).map(|(spec, set)| shown(spec, set)).collect();
    for path in sets.exposed() {
        text.push_str(&format!("warning: every user of this machine can read {}\n", path.display()));
    }
    say(&text)
}

fn shown(spec: &SetSpec, set: &KeySet) -> String {
    let certificate = set.certificate();
    let beside = || "with the key".to_owned();
    let place = spec.certificate.as_ref().map_or_else(beside, ToString::to_string);
    let lines = [
        ("  for", set.url().unwrap_or("every other host").to_owned()),
        ("  identity", set.identity().to_string()),
        ("  SecureBoot key", spec.secureboot.to_string()),
        ("    id", set.secureboot().public_key().id().to_string()),
        ("  certificate", place),
        ("    subject", certificate.subject().to_owned()),
        ("    issuer", certificate.issuer().to_owned()),
        ("    valid", format!("{} to {}", certificate.not_before(), certificate.not_after())),
        ("    sha256", certificate.digest().hex()),
        ("  PCR key", spec.pcr.to_string()),
        ("    id", set.pcr().public_key().id().to_string()),
        (
            "  enrolment",
            if set.enrolment().is_some() { "files of its own" } else { "made with its key" }.to_owned(),
        ),
    ];
    let lines = lines.into_iter().map(|(what, text)| format!("{what:<17} {text}\n"));
    format!("{}\n{}", set.name(), lines.collect::<String>())
}
