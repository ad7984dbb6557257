//! `factory rebuild`: makes an asset again from its lock, in an empty store, and says whether it is the same.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fs_err as fs;
use schematics::{AssetName, SchematicId, TalosVersion};
use url::Url;

use super::{Outcome, Settings, build, say};
use crate::config::Config;
use crate::documents::lock::{Lock, MAX_LOCK};
use crate::log;
use crate::rebuild::{self, Expected, Workshop};
use crate::start::DataLock;

/// How long a factory may take to answer; it may have to make and hash the asset first.
const PATIENCE: Duration = Duration::from_secs(600);

/// The arguments of `factory rebuild`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(super) struct Arguments {
    /// The id of the schematic.
    id: SchematicId,
    /// The Talos version, such as v1.13.0.
    version: TalosVersion,
    /// The asset, such as metal-amd64.iso.
    asset: AssetName,
    /// The lock of the asset, as a factory has it under `<asset>.lock.json`.
    #[arg(long, value_name = "FILE", required_unless_present = "from")]
    lock: Option<PathBuf>,
    /// The factory to get the lock and the checksum from, where they are not given.
    #[arg(long, value_name = "URL")]
    from: Option<Url>,
    /// Compare with the SHA-256 the asset should have, and fail when it has another.
    #[arg(long)]
    verify: bool,
    /// What to compare with: hexadecimal digits, or a file as `<asset>.sha256` or `<asset>.provenance.json`.
    #[arg(long, value_name = "SHA256|FILE", requires = "verify")]
    expected: Option<String>,
    /// Where to write the asset, `-` for standard output; nowhere when not given.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Makes an asset again.
pub(super) fn run(arguments: Arguments) -> Outcome {
    let config = arguments.settings.clone().load()?;
    log::start(&config.logging);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(rebuild(&arguments, config))
}

async fn rebuild(arguments: &Arguments, mut config: Config) -> Outcome {
    let lock = Lock::read(&lock_text(arguments).await?)?;
    let Arguments { id, version, asset, .. } = arguments;
    rebuild::is_of(&lock, &format!("{id}/{version}/{asset}"))?;
    let expected = if arguments.verify { Some(expected(arguments).await?) } else { None };
    told(&lock)?;
    let dir = tempfile::tempdir()?;
    config.data = dir.path().join("data");
    let _held = DataLock::take(&config.data)?;
    let workshop = Box::pin(Workshop::open(&lock, config)).await?;
    for difference in &workshop.differences {
        say(&format!("differs   {difference}\n"))?;
    }
    let made = workshop.make().await?;
    if let Some(output) = &arguments.output {
        build::write(workshop.app(), &made.image, output).await?;
    }
    say(&format!("made      {} bytes, SHA-256 {}\n", made.image.layout.len(), made.digest.hex()))?;
    let Some(Expected(expected)) = expected else { return Ok(ExitCode::SUCCESS) };
    say(&format!("expected  SHA-256 {}\n", expected.hex()))?;
    if made.digest == expected {
        return say("identical\n");
    }
    say("NOT identical\n")?;
    Ok(ExitCode::FAILURE)
}

/// Prints what is made, of what.
fn told(lock: &Lock) -> Fallible<()> {
    let factory = &lock.factory;
    say(&format!(
        "lock      {} of {} for the schematic {}, written by {} {}\n",
        lock.asset, lock.version, lock.schematic.id, factory.name, factory.version
    ))?;
    for image in &lock.sources {
        say(&format!("pinned    {image} ({})\n", image.role))?;
    }
    Ok(())
}

async fn lock_text(arguments: &Arguments) -> Fallible<Vec<u8>> {
    match &arguments.lock {
        Some(file) => read(file),
        None => fetch(arguments, ".lock.json").await,
    }
}

async fn expected(arguments: &Arguments) -> Fallible<Expected> {
    let asset = arguments.asset.to_string();
    let text = match &arguments.expected {
        Some(text) if Expected::read(text, &asset).is_ok() => text.clone(),
        Some(file) => String::from_utf8(read(Path::new(file))?)?,
        None if arguments.from.is_some() => String::from_utf8(fetch(arguments, ".sha256").await?)?,
        None => return Err("nothing to compare with: give --expected, or a factory with --from".into()),
    };
    Ok(Expected::read(&text, &asset)?)
}

fn read(file: &Path) -> Fallible<Vec<u8>> {
    use std::io::Read as _;
    let mut text = Vec::new();
    fs::File::open(file)?.take(MAX_LOCK).read_to_end(&mut text)?;
    Ok(text)
}

/// A file beside the asset in another factory.
async fn fetch(arguments: &Arguments, suffix: &str) -> Fallible<Vec<u8>> {
    let from = arguments.from.as_ref().ok_or("give --lock, or a factory with --from")?;
    let Arguments { id, version, asset, .. } = arguments;
    let base = from.as_str().trim_end_matches('/');
    let url = format!("{base}/image/{id}/{version}/{asset}{suffix}");
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let mut answer = client.get(&url).send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        text.extend_from_slice(&piece);
        if text.len() as u64 > MAX_LOCK {
            return Err(format!("{url} is too long").into());
        }
    }
    Ok(text)
}
