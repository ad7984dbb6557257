//! `factory bundle push`.

use std::path::PathBuf;

use clap::Args;
use extensions::bundle::push;
use extensions::source::{Authorities, Credentials, RegistryOptions, RegistrySource};
use extensions::{LayoutSource, RegistryPusher, SourceSpec};
use fs_err as fs;
use zeroize::Zeroizing;

use crate::available::Components;
use crate::cli::build::meter;
use crate::cli::{Outcome, say};

/// The arguments of `factory bundle push`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The bundle, or any other OCI layout.
    #[arg(value_name = "DIR|FILE.tar")]
    bundle: PathBuf,
    /// Where it goes: `registry:HOST[/NAMESPACE]`.
    #[arg(value_name = "TARGET")]
    target: SourceSpec,
    /// User names and passwords for the registry: Docker's config.json.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Certificate authorities the registry is trusted by, besides those of the system: a PEM file.
    #[arg(long, value_name = "FILE")]
    registry_ca: Option<PathBuf>,
}

/// Pushes the bundle, and says what was done.
pub(super) fn run(arguments: Arguments) -> Outcome {
    let SourceSpec::Registry { tls, host, namespace } = arguments.target else {
        return Err("a bundle is pushed to a registry: expected `registry:HOST[/NAMESPACE]`".into());
    };
    let mut options = RegistryOptions::default();
    if let Some(path) = &arguments.credentials {
        options.credentials = Credentials::from_docker_config(&Zeroizing::new(fs::read(path)?))?;
    }
    if let Some(path) = &arguments.registry_ca {
        options.authorities = Authorities::from_pem(&fs::read_to_string(path)?)?;
    }
    let layout = LayoutSource::open(arguments.bundle)?;
    let last = Components::official()?.imager;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let pushed = runtime.block_on(async {
        let there = RegistrySource::new(tls, &host, namespace.clone(), options.clone())?;
        let target = RegistryPusher::new(tls, &host, namespace, &options);
        let bar = meter(0);
        let progress = |more, total| {
            bar.set_length(total);
            bar.inc(more);
        };
        let pushed = push(&layout, (&there, &target), &last, &progress).await;
        bar.finish_and_clear();
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(pushed?)
    })?;
    say(&format!(
        "pushed {} blobs, {} manifests and {} tags; {} were there already\n",
        pushed.blobs, pushed.documents, pushed.tags, pushed.present
    ))
}
