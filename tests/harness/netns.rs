//! A network of its own: a name space with a tap device for a machine and a DHCP server that offers UEFI HTTP boot.
//!
//! Needs root. Nothing of it touches the host's network, and everything is removed on drop.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use schematics::Arch;

use crate::{Failure, tool};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A network name space with the tap device `tap0`.
#[derive(Debug)]
pub struct Netns {
    name: String,
    dhcp: Mutex<Option<Child>>,
}

impl Netns {
    /// Our address in the name space, the only one the guest knows.
    pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

    /// Makes a name space with its own loopback and `tap0` up.
    ///
    /// # Errors
    /// [`Failure::Missing`] without `ip` or without root, [`Failure::Program`] when the kernel refuses.
    pub fn new() -> Result<Self, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Err(Failure::Missing { what: "root".to_owned(), hint: "run as root".to_owned() });
        }
        let name = format!("factory-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name])?;
        let netns = Self { name, dhcp: Mutex::new(None) };
        let address = format!("{}/24", Self::HOST);
        ip(&["-n", &netns.name, "link", "set", "lo", "up"])?;
        ip(&["-n", &netns.name, "tuntap", "add", "dev", "tap0", "mode", "tap"])?;
        ip(&["-n", &netns.name, "addr", "add", &address, "dev", "tap0"])?;
        ip(&["-n", &netns.name, "link", "set", "tap0", "up"])?;
        Ok(netns)
    }

    /// A command that will run inside. Its process is the program itself, so killing the child is enough.
    ///
    /// # Errors
    /// When `ip` is missing.
    pub fn command(&self, program: &Path) -> Result<Command, Failure> {
        let mut command = Command::new(tool::find("ip", "iproute2")?);
        command.args(["netns", "exec", &self.name]).arg(program);
        Ok(command)
    }

    /// A listener on [`Self::HOST`] inside; any thread may accept from it. Port 0 takes a free one.
    ///
    /// # Errors
    /// When the name space is gone or the port is taken.
    pub fn listen(&self, port: u16) -> io::Result<TcpListener> {
        self.run(|| TcpListener::bind(SocketAddrV4::new(Self::HOST, port)))?
    }

    /// Works inside: sockets made there, and threads started there, stay there.
    ///
    /// # Errors
    /// When the name space is gone, or the work panicked.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let namespace = File::open(PathBuf::from("/run/netns").join(&self.name))?;
        // A thread of its own changes its name space and ends; nothing else is moved.
        thread::scope(|scope| {
            let worker = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(work())
            });
            worker.join().unwrap_or_else(|_| Err(io::Error::other("the work inside panicked")))
        })
    }

    /// Answers DHCP with a URL for firmware that asks for HTTP boot. Replaces an earlier answer.
    ///
    /// # Errors
    /// When dnsmasq is missing or cannot be started.
    pub fn offer(&self, arch: Arch, url: &str) -> Result<(), Failure> {
        let dnsmasq = tool::find("dnsmasq", "dnsmasq-base")?;
        // Client architectures of RFC 4578 as registered with IANA: HTTP boot of x64 and of ARM 64.
        let client = match arch {
            Arch::Amd64 => 16,
            Arch::Arm64 => 19,
        };
        let child = self
            .command(&dnsmasq)?
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--port=0", "--user=root"])
            .args(["--interface=tap0", "--bind-interfaces", "--leasefile-ro", "--log-facility=-"])
            .arg("--dhcp-range=10.77.0.50,10.77.0.99,255.255.255.0,1h")
            .arg(format!("--dhcp-match=set:http,option:client-arch,{client}"))
            .arg("--dhcp-option-force=tag:http,60,HTTPClient")
            .arg(format!("--dhcp-boot=tag:http,{url}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::io("start", &dnsmasq))?;
        self.replace(Some(child));
        Ok(())
    }

    fn replace(&self, next: Option<Child>) {
        let mut dhcp = self.dhcp.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = std::mem::replace(&mut *dhcp, next) {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        self.replace(None);
        // Takes the tap device with it; there is nobody to tell when it fails.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(args: &[&str]) -> Result<(), Failure> {
    tool::run("ip", "iproute2", args).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::or_skip;

    #[test]
    fn a_listener_inside_is_not_reachable_from_outside() {
        let Some(netns) = or_skip(Netns::new()) else { return };
        let listener = netns.listen(0).unwrap();
        let outside = std::net::TcpStream::connect_timeout(
            &listener.local_addr().unwrap(),
            std::time::Duration::from_millis(300),
        );
        assert!(outside.is_err());
        let name = netns.name.clone();
        drop(netns);
        assert!(!Path::new("/run/netns").join(name).exists());
    }
}
