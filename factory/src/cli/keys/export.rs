//! `factory keys export`.

use std::path::PathBuf;

use clap::Args;
use fs_err as fs;
use signing::auth::Variable;
use signing::enrolment::{Enrolment, database};
use signing::well_known::{WELL_KNOWN, WellKnown};

use super::super::{Outcome, say};
use super::Failure;
use super::files::{OPTION_ROMS, create};
use crate::keys::{KeySet, KeySets};

/// The arguments of `factory keys export`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(in crate::cli) struct Arguments {
    /// The file that names the keys.
    file: PathBuf,
    /// The directory that gets secureboot.pem, secureboot.der, pcr.pub, and PK, KEK and db as .auth and .esl; none of them
    /// may exist.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// The set; the one for every other host when not given.
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// Put Microsoft's certificates into KEK and db, too.
    #[arg(long)]
    microsoft: bool,
}

/// Writes everything public of a set.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let open = KeySets::read(&arguments.file)?.open().await?;
    let set = open.named(arguments.set.as_deref())?;
    let set = set.ok_or("every set is for a host of its own; choose one with --set")?;
    let others: &[WellKnown] = if arguments.microsoft { &WELL_KNOWN } else { &[] };
    let files = public_files(set, others).await?;
    fs::create_dir_all(&arguments.output)?;
    let mut text = format!("wrote into {}:\n", arguments.output.display());
    for (name, bytes) in &files {
        create(&arguments.output.join(name), bytes, 0o644)?;
        text.push_str(&format!("  {name}\n"));
    }
    if !arguments.microsoft && set.enrolment().is_none() {
        text.push_str(&format!("\n{OPTION_ROMS}"));
    }
    say(&text)
}

async fn public_files(set: &KeySet, others: &[WellKnown]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let certificate = set.certificate();
    let mut files = vec![
        ("secureboot.pem".to_owned(), certificate.to_pem().into_bytes()),
        ("secureboot.der".to_owned(), certificate.to_der().to_vec()),
        ("pcr.pub".to_owned(), set.pcr().public_key().to_pem().into_bytes()),
    ];
    if let Some(own) = set.enrolment() {
        // Handed on as they are; they are the owner's, and so is what they say.
        files.extend(Variable::ALL.map(|variable| (format!("{variable}.auth"), own.auth(variable).to_vec())));
        return Ok(files);
    }
    let made = Enrolment::sign(set.secureboot(), certificate, others).await?;
    for variable in Variable::ALL {
        files.push((format!("{variable}.auth"), made.auth(variable).to_vec()));
        files.push((format!("{variable}.esl"), database(certificate, others, variable).to_bytes()));
    }
    Ok(files)
}
