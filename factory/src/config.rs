//! The configuration: what may be said, how it is merged, and what it means.
//!
//! Defaults < file < environment < flags. One table, [`keys::KEYS`], is the source of the flags, the environment
//! variables, the keys of the file and their documentation. Other crates never see any of this.

pub mod keys;
mod load;
mod page;
pub mod raw;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use builder::format::grub::GrubTools;
use extensions::source::{Authorities, Credentials, RegistryOptions};
use extensions::{SourceSpec, TrustPolicy};
use schematics::TalosVersion;
use signing::PublicKey;

use crate::keys::KeySets;
pub use load::{load, of};
pub use page::reference;
use raw::{Origin, Raw};
pub use values::{LogFormat, Origins, RepositorySpec};

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to serve.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data: PathBuf,
    /// Where releases come from.
    pub source: SourceSpec,
    /// User names and passwords of registries.
    pub credentials: Credentials,
    /// Who may vouch for registries besides those the system trusts.
    pub authorities: Authorities,
    /// Where schematics are shared.
    pub schematic_repository: Option<RepositorySpec>,
    /// Whether they are only read from there.
    pub schematics_read_only: bool,
    /// Whose signatures make images of the source good.
    pub trust: TrustPolicy,
    /// How clients reach us; no slash at its end.
    pub external_url: String,
    /// How iPXE reaches us; no slash at its end.
    pub pxe_url: String,
    /// Where metrics are served, if at all.
    pub metrics_listen: Option<SocketAddr>,
    /// Who may call us from a web page.
    pub allowed_origins: Origins,
    /// The oldest version offered.
    pub min_version: TalosVersion,
    /// Versions that are withdrawn.
    pub broken_versions: Vec<TalosVersion>,
    /// How long a version list is used.
    pub recheck_interval: Duration,
    /// The zstd level of extensions.
    pub squashfs_level: i32,
    /// GRUB's program and modules.
    pub grub: GrubTools,
    /// The keys SecureBoot images are signed with; none when the factory makes no such images.
    pub keys: KeySets,
    /// The file with the key that signs what is remembered; one in the data directory when it is not given.
    pub index_key: Option<PathBuf>,
    /// The keys whose records are believed besides.
    pub index_trusted_keys: Vec<PublicKey>,
    /// The file with the key that signs what is served; one in the data directory when it is not given.
    pub signing_key: Option<PathBuf>,
    /// Whether SecureBoot images lock the kernel down where Talos leaves that to its users.
    pub secureboot_lockdown: bool,
    /// How much is taken on at a time.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// What is logged and how.
    pub logging: Logging,
    /// What was written, for [`Config::show`].
    raw: Raw,
}

impl Config {
    /// How registries are spoken to.
    #[must_use]
    pub fn registries(&self) -> RegistryOptions {
        RegistryOptions {
            credentials: self.credentials.clone(),
            authorities: self.authorities.clone(),
            ..RegistryOptions::default()
        }
    }

    /// Takes note of the address that was really bound. URLs that follow from the address follow it.
    pub fn listens_on(&mut self, address: SocketAddr) {
        let (before, now) = (format!("http://{}", self.listen), format!("http://{address}"));
        for url in [&mut self.external_url, &mut self.pxe_url] {
            if *url == before {
                url.clone_from(&now);
            }
        }
        self.listen = address;
    }
}

/// How much is taken on at a time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest request body in bytes.
    pub body: usize,
    /// Connections served at a time.
    pub connections: NonZeroUsize,
    /// Images assembled at a time.
    pub builds: NonZeroUsize,
    /// Objects fetched from the source at a time.
    pub fetches: NonZeroUsize,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until an answer begins.
    pub answer: Duration,
    /// Until the head of a request is there, and again its body.
    pub header: Duration,
    /// Until a client that takes nothing of an answer is cut off.
    pub stall: Duration,
    /// Until downloads are cut off when stopping.
    pub grace: Duration,
}

/// What is logged and how.
#[derive(Debug, Clone)]
pub struct Logging {
    /// A filter of `tracing`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// Something wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, unless the whole file is meant.
    pub key: Option<String>,
    /// Who said it.
    pub origin: Origin,
    /// What is wrong, and what was expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "`{key}` from {}: {}", self.origin, self.text),
            None => write!(f, "{}: {}", self.origin, self.text),
        }
    }
}

/// All problems of a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem{}:{}", problems.len(), plural(problems), lines(problems))]
pub struct ConfigErrors {
    /// The problems, never none.
    pub problems: Vec<Problem>,
}

fn plural(problems: &[Problem]) -> &'static str {
    if problems.len() == 1 { "" } else { "s" }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
