//! `factory build`: without a server what the server does.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::TryStreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use schematics::{AssetName, TalosVersion};
use tempfile::NamedTempFile;

use super::id::read_text;
use super::{Outcome, Settings};
use crate::app::App;
use crate::images::{Image, Wanted};
use crate::log;
use crate::start::DataLock;

/// The arguments of `factory build`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(super) struct Arguments {
    /// The asset, such as metal-amd64.iso.
    asset: AssetName,
    /// The Talos version, such as v1.13.0.
    #[arg(long)]
    version: TalosVersion,
    /// The file with the schematic, `-` for standard input; plain Talos when not given.
    #[arg(long, value_name = "FILE")]
    schematic: Option<PathBuf>,
    /// Where to write the asset, `-` for standard output; its name in this directory when not given.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Which of the sets in the file of keys signs, by its name; the first one when not given.
    #[arg(long, value_name = "NAME")]
    key_set: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// Builds one asset and writes it.
pub(super) fn run(arguments: Arguments) -> Outcome {
    let text = arguments.schematic.as_deref().map_or_else(|| Ok(b"{}".to_vec()), read_text)?;
    let config = arguments.settings.load()?;
    log::start(&config.logging);
    let _lock = DataLock::take(&config.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = App::open(config).await?;
        let stored = app.register.create(&text).await?;
        let bar = spinner(format!("laying out {} of {}", arguments.asset, arguments.version));
        let keys = app.keys.named(arguments.key_set.as_deref())?;
        let (version, asset) = (&arguments.version, &arguments.asset);
        let image = app.images.open(Wanted { stored: &stored, version, asset, keys }).await;
        bar.finish_and_clear();
        let name = arguments.asset.to_string();
        write(&app, &image?, &arguments.output.unwrap_or_else(|| name.into())).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Shows that something is going on; hidden when standard error is no terminal.
fn spinner(what: String) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Shows how much of `len` bytes is done; hidden likewise.
pub(super) fn meter(len: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
    let bar = ProgressBar::new(len);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Writes the image to a file or standard output. A file appears under its name only when it is whole.
pub(super) async fn write(
    app: &App,
    image: &Image,
    output: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if output == Path::new("-") {
        copy(app, image, &mut io::stdout().lock()).await?;
        return Ok(());
    }
    let dir = output.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut aside = NamedTempFile::new_in(dir)?;
    copy(app, image, &mut aside).await?;
    aside.as_file().sync_all()?;
    readable(aside.as_file())?;
    aside.persist(output)?;
    Ok(())
}

/// Gives a file the permissions a new one has; temporary ones are private.
fn readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

async fn copy(
    app: &App,
    image: &Image,
    output: &mut impl io::Write,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let bar = meter(image.layout.len());
    let mut pieces = image.layout.read(Arc::clone(&app.store), 0..image.layout.len());
    while let Some(piece) = pieces.try_next().await? {
        output.write_all(&piece)?;
        bar.inc(piece.len() as u64);
    }
    output.flush()?;
    bar.finish_and_clear();
    Ok(())
}
