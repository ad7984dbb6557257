//! Running depmod.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::ModulesError;

/// Where depmod is looked for.
const PROGRAMS: [&str; 4] = ["/usr/sbin/depmod", "/sbin/depmod", "/usr/bin/depmod", "/bin/depmod"];
/// How long it may take. Over the modules of a whole distribution it takes seconds.
const LIMIT: Duration = Duration::from_secs(120);
/// Modules in `extras` win over the ones built with the kernel.
const CONFIGURATION: &str = "search extras built-in\n";
/// How much of what it says is repeated, in characters.
const SHOWN: usize = 500;

/// Whether depmod can be run here.
///
/// # Errors
/// When it is missing; the text says which package has it.
pub fn find() -> Result<&'static Path, ModulesError> {
    PROGRAMS.into_iter().map(Path::new).find(|path| path.is_file()).ok_or(ModulesError::NoDepmod)
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn output(mut command: Command) -> Result<std::process::Output, ModulesError> {
    match timeout(LIMIT, command.output()).await {
        Ok(output) => output.map_err(ModulesError::Run),
        Err(_) => Err(ModulesError::Slow { seconds: LIMIT.as_secs() }),
    }
}

/// What depmod says about its version; its output may depend on it.
pub(super) async fn version() -> Result<String, ModulesError> {
    let mut command = command(find()?);
    command.arg("--version");
    Ok(String::from_utf8_lossy(&output(command).await?.stdout).into_owned())
}

/// Indexes all modules below `root`'s `lib/modules/<kernel>`, with a configuration of our own at `configuration`.
pub(super) async fn run(root: &Path, configuration: &Path, kernel: &str) -> Result<(), ModulesError> {
    fs_err::tokio::write(configuration, CONFIGURATION).await.map_err(ModulesError::Run)?;
    let mut command = command(find()?);
    command.arg("-a").arg("-b").arg(root).arg("-C").arg(configuration).arg(kernel).current_dir(root);
    let output = output(command).await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message: String = said.trim().chars().rev().take(SHOWN).collect();
    Err(ModulesError::Failed { message: message.chars().rev().collect() })
}

/// Reads a file that depmod made, of at most `limit` bytes.
pub(super) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, ModulesError> {
    use io::Read as _;
    let file = fs_err::File::open(path).map_err(ModulesError::Run)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(ModulesError::Run)?;
    if bytes.len() as u64 > limit { Err(ModulesError::TooLarge { limit }) } else { Ok(bytes) }
}
