//! Clients with a daemon that the test starts and stops.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};
use schematics::Arch;
use tests::{Failure, tool};

use crate::programs::{Client, fresh};
use crate::pulled::Pulled;
use crate::site::text;

/// How long a daemon may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon; it is asked to stop on drop, so that what it started itself stops too.
#[derive(Debug)]
struct Daemon(Child);

impl Daemon {
    /// Starts a daemon and waits for its socket.
    fn start(mut command: Command, dir: &Path, socket: &Path) -> Result<Self, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Err(Failure::Missing { what: "root".to_owned(), hint: "run as root".to_owned() });
        }
        let log = fs::File::create(dir.join("log")).unwrap().into_parts().0;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut daemon = Self(child.map_err(Failure::io("start", dir))?);
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            if begun.elapsed() > PATIENCE || daemon.0.try_wait().unwrap().is_some() {
                let stderr = fs::read_to_string(dir.join("log")).unwrap_or_default();
                return Err(Failure::Program { program: "the daemon".to_owned(), stderr });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        let asked = pid.map(|pid| kill_process(pid, Signal::TERM));
        let begun = Instant::now();
        while asked.is_some()
            && begun.elapsed() < PATIENCE
            && self.0.try_wait().is_ok_and(|ended| ended.is_none())
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Docker.
#[derive(Debug)]
pub(crate) struct Docker {
    dir: PathBuf,
    _daemon: Daemon,
}

impl Docker {
    /// Starts a daemon below `dir`.
    pub(crate) fn start(dir: &Path) -> Result<Self, Failure> {
        let dir = fresh(dir);
        let mut command = Command::new(tool::find("dockerd", "docker.io")?);
        for (option, name) in [("data-root", "data"), ("exec-root", "exec"), ("pidfile", "pid")] {
            command.arg(format!("--{option}={}", text(&dir.join(name))));
        }
        command.arg(format!("--host=unix://{}", text(&dir.join("socket"))));
        command.args(["--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--bridge=none"]);
        let daemon = Daemon::start(command, &dir, &dir.join("socket"))?;
        Ok(Self { dir, _daemon: daemon })
    }

    /// Runs the client with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        let host = format!("--host=unix://{}", text(&self.dir.join("socket")));
        let output = tool::run("docker", "docker.io", [&[host.as_str()], arguments].concat())?;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    }
}

impl Client for Docker {
    fn pull(&self, image: &str, arch: Arch) -> Result<Pulled, Failure> {
        let platform = format!("--platform=linux/{arch}");
        self.run(&["pull", "--quiet", &platform, image])?;
        let container = self.run(&["create", &platform, image])?;
        let archive = fresh(&self.dir).join("root.tar");
        self.run(&["export", "--output", &text(&archive), &container])?;
        // One digest stands for one platform at a time here.
        self.run(&["rm", &container])?;
        self.run(&["image", "rm", "--force", image])?;
        Ok(Pulled::archive(archive))
    }
}

/// containerd by its own client.
#[derive(Debug)]
pub(crate) struct Containerd {
    dir: PathBuf,
    _daemon: Daemon,
}

impl Containerd {
    /// Starts a daemon below `dir`.
    pub(crate) fn start(dir: &Path) -> Result<Self, Failure> {
        let dir = fresh(dir);
        let config = format!(
            "version = 2\nroot = '{0}/root'\nstate = '{0}/state'\n\
             disabled_plugins = ['io.containerd.grpc.v1.cri']\n[grpc]\naddress = '{0}/socket'\n",
            text(&dir)
        );
        fs::write(dir.join("config.toml"), config).unwrap();
        let mut command = Command::new(tool::find("containerd", "containerd")?);
        command.args(["--config", &text(&dir.join("config.toml"))]);
        let daemon = Daemon::start(command, &dir, &dir.join("socket"))?;
        Ok(Self { dir, _daemon: daemon })
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        let address = text(&self.dir.join("socket"));
        tool::run("ctr", "containerd", [&["--address", &address, "image"], arguments].concat())
    }
}

impl Client for Containerd {
    fn pull(&self, image: &str, arch: Arch) -> Result<Pulled, Failure> {
        let platform = format!("--platform=linux/{arch}");
        self.run(&["pull", "--plain-http", "--snapshotter=native", &platform, image])?;
        let dir = fresh(&self.dir);
        let archive = dir.join("image.tar");
        self.run(&["export", &platform, &text(&archive), image])?;
        tool::run("tar", "tar", ["-xf", &text(&archive), "-C", &text(&dir)])?;
        Ok(Pulled::layout(&dir, arch))
    }
}
