//! `factory release`: a release from files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use extensions::SourceSpec;
use extensions::reference::Repository;
use extensions::source::{Credentials, RegistryOptions};
use fs_err as fs;
use schematics::{Arch, TalosVersion};
use signing::SigningKey;
use zeroize::Zeroizing;

use super::{Outcome, say};
use crate::release::{self, Files, Target};

/// The arguments of `factory release`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The version of the release, such as v1.13.0.
    #[arg(id = "talos", value_name = "VERSION")]
    version: TalosVersion,
    /// Where it goes: `oci:DIR` or `registry:HOST[/NAMESPACE]`.
    #[arg(long, value_name = "TARGET")]
    output: SourceSpec,
    /// For each architecture, a directory with vmlinuz, initramfs.xz, systemd-stub.efi and systemd-boot.efi.
    #[arg(long, value_name = "ARCH=DIR", value_parser = by_arch, required = true)]
    artifacts: Vec<(Arch, PathBuf)>,
    /// For each architecture, the root of the base installer image, which has /bin/installer.
    #[arg(long, value_name = "ARCH=DIR", value_parser = by_arch)]
    installer_base: Vec<(Arch, PathBuf)>,
    /// An extension, such as siderolabs/hello: DIR/<arch> has manifest.yaml and rootfs/ of each architecture.
    #[arg(long = "extension", value_name = "NAME=DIR", value_parser = by_repository)]
    extensions: Vec<(Repository, PathBuf)>,
    /// An overlay: DIR/<arch> has installers/NAME of each architecture, and what that needs.
    #[arg(long = "overlay", value_name = "NAME=DIR", value_parser = by_name)]
    overlays: Vec<(String, PathBuf)>,
    /// A directory of talosctl-<os>-<arch>[.exe].
    #[arg(long, value_name = "DIR")]
    talosctl: Option<PathBuf>,
    /// Sign every image as cosign does, with this P-256 key in PEM.
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// User names and passwords for the registry: Docker's config.json.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(&str, PathBuf), String> {
    match text.split_once('=') {
        Some((name, dir)) if !name.is_empty() && !dir.is_empty() => Ok((name, dir.into())),
        Some(_) | None => Err("expected a name, `=` and a directory".to_owned()),
    }
}

fn by_arch(text: &str) -> Result<(Arch, PathBuf), String> {
    let (name, dir) = pair(text)?;
    let arch = Arch::ALL.into_iter().find(|arch| arch.name() == name);
    Ok((arch.ok_or_else(|| format!("`{name}` is neither `amd64` nor `arm64`"))?, dir))
}

fn by_repository(text: &str) -> Result<(Repository, PathBuf), String> {
    let (name, dir) = pair(text)?;
    Ok((name.parse().map_err(|error: extensions::reference::NameError| error.to_string())?, dir))
}

fn by_name(text: &str) -> Result<(String, PathBuf), String> {
    let (name, dir) = pair(text)?;
    Ok((name.to_owned(), dir))
}

/// One directory for each architecture.
fn each_once(flag: &str, given: Vec<(Arch, PathBuf)>) -> Result<BTreeMap<Arch, PathBuf>, String> {
    let mut found = BTreeMap::new();
    for (arch, dir) in given {
        if found.insert(arch, dir).is_some() {
            return Err(format!("`--{flag}` is given twice for {arch}"));
        }
    }
    Ok(found)
}

/// Makes and publishes the release, and prints the name of every image.
pub(super) fn run(arguments: Arguments) -> Outcome {
    let key = arguments.sign_key.as_deref().map(read_key).transpose()?;
    let mut options = RegistryOptions::default();
    if let Some(path) = &arguments.credentials {
        options.credentials = Credentials::from_docker_config(&Zeroizing::new(fs::read(path)?))?;
    }
    let files = Files {
        version: arguments.version,
        artifacts: each_once("artifacts", arguments.artifacts)?,
        installer_base: each_once("installer-base", arguments.installer_base)?,
        extensions: arguments.extensions,
        overlays: arguments.overlays,
        talosctl: arguments.talosctl,
    };
    let target = Target { place: arguments.output, options };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let names = runtime.block_on(release::make(&files, target, key))?;
    say(&names.iter().map(|name| format!("{name}\n")).collect::<String>())
}

fn read_key(path: &Path) -> Result<SigningKey, Box<dyn std::error::Error + Send + Sync>> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    SigningKey::from_pem(&text).map_err(|error| format!("could not use {}: {error}", path.display()).into())
}
