//! A TPM 2.0 for machines: swtpm, one process per boot, one state for as long as it is kept.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{Failure, tool};

/// How long swtpm may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);
/// The banks of PCRs that are switched on.
const BANKS: &str = "sha256,sha384,sha512";

/// A TPM. Clones are the same TPM: what is sealed to it stays for later machines, and two machines with it run one after
/// the other.
#[derive(Debug, Clone)]
pub struct Tpm(Arc<State>);

#[derive(Debug)]
struct State {
    dir: TempDir,
    in_use: Mutex<()>,
}

impl Tpm {
    /// A new TPM with the banks SHA-256, SHA-384 and SHA-512.
    ///
    /// # Errors
    /// [`Failure::Missing`] without swtpm.
    pub fn new() -> Result<Self, Failure> {
        tool::find("swtpm", "swtpm")?;
        let dir =
            tempfile::tempdir().map_err(Failure::io("create a directory below", &std::env::temp_dir()))?;
        let state = dir.path().display().to_string();
        tool::run(
            "swtpm_setup",
            "swtpm-tools",
            ["--tpm2", "--tpmstate", &state, "--pcr-banks", BANKS, "--config", "/dev/null"],
        )?;
        Ok(Self(Arc::new(State { dir, in_use: Mutex::new(()) })))
    }

    /// Starts it for one boot, when no other machine has it. The socket and the log are below `dir`.
    pub(super) fn start(&self, dir: &Path) -> Result<Emulator<'_>, Failure> {
        let guard = self.0.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let program = tool::find("swtpm", "swtpm")?;
        let socket = dir.join("tpm.sock");
        let log = dir.join("tpm.log");
        let file = File::create(&log).map_err(Failure::io("create", &log))?;
        let child = Command::new(&program)
            .args(["socket", "--tpm2", "--terminate", "--flags", "not-need-init,startup-clear"])
            .arg("--tpmstate")
            .arg(format!("dir={}", self.0.dir.path().display()))
            .arg("--ctrl")
            .arg(format!("type=unixio,path={}", socket.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(Failure::io("start", &program))?;
        let emulator = Emulator { child, socket, _guard: guard };
        emulator.wait()
    }
}

/// A running swtpm, killed on drop.
#[derive(Debug)]
pub(super) struct Emulator<'a> {
    child: Child,
    socket: PathBuf,
    _guard: MutexGuard<'a, ()>,
}

impl Emulator<'_> {
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    fn wait(self) -> Result<Self, Failure> {
        let started = Instant::now();
        while !self.socket.exists() {
            if started.elapsed() > PATIENCE {
                let stderr = format!("no {} after {} s", self.socket.display(), PATIENCE.as_secs());
                return Err(Failure::Program { program: "swtpm".to_owned(), stderr });
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }
}

impl Drop for Emulator<'_> {
    fn drop(&mut self) {
        // Both fail only when it has ended already, as it does with the machine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
