//! `factory bundle export`.

use std::path::PathBuf;

use clap::Args;
use schematics::{Arch, TalosVersion};

use crate::bundle::{Order, export};
use crate::cli::build::meter;
use crate::cli::id::read_text;
use crate::cli::{Outcome, Settings, say};
use crate::log;

/// The arguments of `factory bundle export`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(in crate::cli) struct Arguments {
    /// A Talos version, such as v1.13.0; may be given several times.
    #[arg(long = "version", value_name = "VERSION", required = true)]
    versions: Vec<TalosVersion>,
    /// A file with a schematic; may be given several times. Plain Talos can be had without any.
    #[arg(long = "schematic", value_name = "FILE")]
    schematics: Vec<PathBuf>,
    /// An architecture of the machines, and nothing for others; may be given several times. Some registries do not take
    /// what is exported so.
    #[arg(long = "arch", value_name = "ARCH", value_parser = arch)]
    arches: Vec<Arch>,
    /// Take talosctl along, for every operating system.
    #[arg(long)]
    talosctl: bool,
    /// Where to write it: an archive when the name ends in .tar, and a directory otherwise. Nothing may be there.
    #[arg(long, short, value_name = "DIR|FILE.tar")]
    output: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

fn arch(text: &str) -> Result<Arch, String> {
    let found = Arch::ALL.into_iter().find(|arch| arch.name() == text);
    found.ok_or_else(|| format!("`{text}` is neither `amd64` nor `arm64`"))
}

/// Writes the bundle, and prints the names of what is in it.
pub(super) fn run(arguments: Arguments) -> Outcome {
    let schematics = arguments.schematics.iter().map(|path| read_text(path));
    let order = Order {
        versions: arguments.versions.into_iter().collect(),
        schematics: schematics.collect::<Result<_, _>>()?,
        arches: (!arguments.arches.is_empty()).then(|| arguments.arches.into_iter().collect()),
        talosctl: arguments.talosctl,
    };
    let config = arguments.settings.load()?;
    log::start(&config.logging);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bar = meter(0);
    let progress = |more, total| {
        bar.set_length(total);
        bar.inc(more);
    };
    let exported = runtime.block_on(export(&config, &order, &arguments.output, &progress));
    bar.finish_and_clear();
    say(&exported?.names().map(|name| format!("{name}\n")).collect::<String>())
}
