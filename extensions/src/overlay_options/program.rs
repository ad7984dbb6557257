//! Running a program that came with an image.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use fs_err::tokio as fs;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// The largest program that is run, in bytes.
pub(super) const MAX_PROGRAM: u64 = 256 << 20;
/// How much it may say, in bytes.
const MAX_OUTPUT: u64 = 64 << 10;
/// How long it may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How much of its complaint is repeated, in characters.
const SHOWN: usize = 500;
/// How often a start is tried again that failed because another process still had the file open.
const STARTS: u32 = 10;

/// Why a program did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It could not be written or started.
    #[error("it cannot be run")]
    Run(#[source] io::Error),
    /// It takes too long.
    #[error("it took longer than {} s", LIMIT.as_secs())]
    Slow,
    /// It says too much.
    #[error("it said more than {MAX_OUTPUT} bytes")]
    TooMuch,
    /// It ended with an error.
    #[error("it refused: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
}

/// Runs a program in a directory of its own with one argument and an input; tells what it printed.
pub(super) async fn ask(
    dir: &Path,
    program: Bytes,
    argument: &str,
    input: &str,
) -> Result<Bytes, ProgramError> {
    let path = dir.join("program");
    fs::write(&path, program).await.map_err(ProgramError::Run)?;
    let executable = std::fs::Permissions::from_mode(0o700);
    fs::set_permissions(&path, executable).await.map_err(ProgramError::Run)?;
    let room = dir.join("room");
    fs::create_dir(&room).await.map_err(ProgramError::Run)?;
    let child = start(&path, &room, argument).await.map_err(ProgramError::Run)?;
    timeout(LIMIT, talk(child, input)).await.unwrap_or(Err(ProgramError::Slow))
}

/// Starts the program. While any thread of this process starts another one, that one has this file open for a moment, and
/// Linux starts no file that is open for writing.
async fn start(path: &Path, room: &Path, argument: &str) -> io::Result<Child> {
    let mut command = Command::new(path);
    command
        .arg(argument)
        .current_dir(room)
        .env_clear()
        .env("HOME", room)
        .env("LC_ALL", "C")
        .kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for attempt in 1..STARTS {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                sleep(Duration::from_millis(10) * attempt).await;
            }
            other => return other,
        }
    }
    command.spawn()
}

/// Hands the input over, and takes the answer. The child is killed when this is given up.
async fn talk(mut child: Child, input: &str) -> Result<Bytes, ProgramError> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not want all of its input has read enough.
            drop(stdin.write_all(input.as_bytes()).await);
        }
    };
    let ((), said, complained) = tokio::join!(feed, limited(stdout), limited(stderr));
    let (said, complained) = (said?, complained?);
    let status = child.wait().await.map_err(ProgramError::Run)?;
    if status.success() {
        return Ok(said);
    }
    let text = String::from_utf8_lossy(&complained);
    Err(ProgramError::Refused { said: text.trim().chars().take(SHOWN).collect() })
}

async fn limited(output: Option<impl AsyncRead + Unpin>) -> Result<Bytes, ProgramError> {
    let mut bytes = Vec::new();
    if let Some(output) = output {
        output.take(MAX_OUTPUT + 1).read_to_end(&mut bytes).await.map_err(ProgramError::Run)?;
    }
    if bytes.len() as u64 > MAX_OUTPUT { Err(ProgramError::TooMuch) } else { Ok(bytes.into()) }
}
