//! Clients that are programs without a daemon.

use std::path::{Path, PathBuf};

use fs_err as fs;
use schematics::Arch;
use tests::{Failure, tool};

use crate::pulled::Pulled;
use crate::site::text;

/// A container client with a place of its own.
pub(crate) trait Client {
    /// Pulls the image of an architecture.
    fn pull(&self, image: &str, arch: Arch) -> Result<Pulled, Failure>;
}

/// A fresh directory below another.
pub(crate) fn fresh(below: &Path) -> PathBuf {
    tempfile::Builder::new().tempdir_in(below).unwrap().keep()
}

/// skopeo.
#[derive(Debug)]
pub(crate) struct Skopeo(pub(crate) PathBuf);

impl Client for Skopeo {
    fn pull(&self, image: &str, arch: Arch) -> Result<Pulled, Failure> {
        let dir = fresh(&self.0);
        let (from, to) = (format!("docker://{image}"), format!("oci:{}:pulled", text(&dir)));
        let arch_name = format!("--override-arch={arch}");
        let arguments =
            ["--insecure-policy", &arch_name, "copy", "--quiet", "--src-tls-verify=false", &from, &to];
        tool::run("skopeo", "skopeo", arguments)?;
        Ok(Pulled::layout(&dir, arch))
    }
}

/// crane, of go-containerregistry.
#[derive(Debug)]
pub(crate) struct Crane(pub(crate) PathBuf);

/// Where crane and oras come from.
pub(crate) const BUILT: &str = "golang, then tests/tools/go.sh target/tools";

impl Client for Crane {
    fn pull(&self, image: &str, arch: Arch) -> Result<Pulled, Failure> {
        let platform = format!("--platform=linux/{arch}");
        tool::run("crane", BUILT, ["validate", "--fast", "--insecure", &platform, "--remote", image])?;
        let archive = fresh(&self.0).join("root.tar");
        tool::run("crane", BUILT, ["export", "--insecure", &platform, image, &text(&archive)])?;
        Ok(Pulled::archive(archive))
    }
}

/// oras.
#[derive(Debug)]
pub(crate) struct Oras(pub(crate) PathBuf);

impl Client for Oras {
    fn pull(&self, image: &str, arch: Arch) -> Result<Pulled, Failure> {
        let dir = fresh(&self.0);
        let (platform, to) = (format!("--platform=linux/{arch}"), format!("{}:pulled", text(&dir)));
        let arguments = ["copy", "--no-tty", "--from-plain-http", &platform, image, "--to-oci-layout", &to];
        tool::run("oras", BUILT, arguments)?;
        Ok(Pulled::layout(&dir, arch))
    }
}

/// podman with storage of its own.
#[derive(Debug)]
pub(crate) struct Podman(pub(crate) PathBuf);

impl Podman {
    /// Runs podman with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Err(Failure::Missing { what: "root".to_owned(), hint: "run as root".to_owned() });
        }
        let (root, run) = (text(&self.0.join("root")), text(&self.0.join("run")));
        let own = ["--root", &root, "--runroot", &run, "--storage-driver=vfs", "--cgroup-manager=cgroupfs"];
        tool::run("podman", "podman", [&own, &["--runtime=runc"][..], arguments].concat())
    }

    /// Runs a container of an image to its end and tells what it printed.
    pub(crate) fn start(&self, image: &str, argument: &str) -> Result<String, Failure> {
        let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--network=none"];
        let arguments = [&["run", "--rm"], &limits[..], &[image, argument]].concat();
        Ok(String::from_utf8_lossy(&self.run(&arguments)?).into_owned())
    }
}

impl Client for Podman {
    fn pull(&self, image: &str, arch: Arch) -> Result<Pulled, Failure> {
        self.run(&["pull", "--quiet", "--tls-verify=false", &format!("--arch={arch}"), image])?;
        let dir = self.0.join("saved");
        drop(fs::remove_dir_all(&dir));
        self.run(&["save", "--quiet", "--format=oci-dir", "--output", &text(&dir), image])?;
        Ok(Pulled::layout(&dir, arch))
    }
}
