//! The factory as a process, asked by curl.

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::usage::cpu_of;
use crate::{EXTENSIONS, VERSION};

/// How many new schematics a figure is the mean of.
const BATCH: u32 = 10;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asset {
    Initramfs,
    Uki,
    Iso,
    SecureUki,
}

impl Asset {
    pub const fn path(self) -> &'static str {
        match self {
            Self::Initramfs => "initramfs-amd64.xz",
            Self::Uki => "metal-amd64-uki.efi",
            Self::Iso => "metal-amd64.iso",
            Self::SecureUki => "metal-amd64-secureboot-uki.efi",
        }
    }
}

/// Seconds of one new schematic.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub head_wall: f64,
    pub head_cpu: f64,
    pub first_byte: f64,
    pub last_byte: f64,
    pub get_cpu: f64,
}

/// A running factory with a store of its own; stopped and removed on drop.
pub struct Server {
    process: Child,
    address: SocketAddr,
    url: String,
    data: tempfile::TempDir,
    next: Cell<u32>,
    pub ready_after: f64,
}

impl Server {
    pub fn start(factory: &Path, layout: &Path) -> Self {
        Self::start_with(factory, layout, &[])
    }

    /// The same with more flags.
    pub fn start_with(factory: &Path, layout: &Path, flags: &[&str]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let data = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let process = Command::new(factory)
            .args([
                "serve",
                "--metrics-listen",
                "off",
                "--log-level",
                "warn",
                "--listen",
                &address.to_string(),
                "--data",
            ])
            .arg(data.path())
            .arg("--source")
            .arg(format!("oci:{}", layout.display()))
            .arg("--trust")
            .arg(tests::reference::trust(layout))
            .args(flags)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://{address}");
        let ready =
            || Command::new("curl").args(["-sf", &format!("{url}/readyz")]).status().unwrap().success();
        while !ready() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the factory does not become ready");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { process, address, url, data, next: Cell::new(0), ready_after: begun.elapsed().as_secs_f64() }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Creates a schematic nobody asked for before, with the three extensions.
    pub fn new_schematic(&self) -> String {
        let number = self.next.replace(self.next.get() + 1);
        let body = format!(
            "customization: {{extraKernelArgs: [bench.run={number}], systemExtensions: {{officialExtensions: [{}]}}}}",
            EXTENSIONS.join(", ")
        );
        let answer = Command::new("curl")
            .args(["-sf", "--data-binary", &body, &format!("{}/schematics", self.url)])
            .output()
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        json["id"].as_str().unwrap().to_owned()
    }

    pub fn warm(&self, path: &str) {
        let id = self.new_schematic();
        self.curl(&id, path, false);
    }

    pub fn head(&self, id: &str, path: &str) {
        self.curl(id, path, true);
    }

    /// New schematics: HEAD of some, GET of others. The kernel counts CPU time in hundredths of a second, so each
    /// figure is the mean of a batch.
    pub fn measure(&self, path: &str) -> Timing {
        let schematics: Vec<(String, String)> =
            (0..BATCH).map(|_| (self.new_schematic(), self.new_schematic())).collect();
        let batch = f64::from(BATCH);
        let pid = self.process.id();
        let before = cpu_of(pid);
        let head_wall: f64 = schematics.iter().map(|(headed, _)| self.curl(headed, path, true).1).sum();
        let between = cpu_of(pid);
        let times: Vec<(f64, f64)> = schematics.iter().map(|(_, got)| self.curl(got, path, false)).collect();
        let after = cpu_of(pid);
        Timing {
            head_wall: head_wall / batch,
            head_cpu: (between - before) / batch,
            first_byte: times.iter().map(|(first, _)| first).sum::<f64>() / batch,
            last_byte: times.iter().map(|(_, last)| last).sum::<f64>() / batch,
            get_cpu: (after - between) / batch,
        }
    }

    /// Seconds to the first and the last byte.
    fn curl(&self, id: &str, path: &str, head: bool) -> (f64, f64) {
        let url = format!("{}/image/{id}/{VERSION}/{path}", self.url);
        let mut command = Command::new("curl");
        command.args(["-sf", "-o", "/dev/null", "-w", "%{time_starttransfer} %{time_total}"]);
        if head {
            command.arg("-I");
        }
        let output = command.arg(&url).output().unwrap();
        assert!(output.status.success(), "{url}: {}", output.status);
        let text = String::from_utf8(output.stdout).unwrap();
        let (first, last) = text.split_once(' ').unwrap();
        (first.parse().unwrap(), last.parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
