//! Servers that others run, with the same bytes.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; stopped and removed on drop.
pub struct Rival {
    process: Child,
    pub address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Rival {
    /// nginx with sendfile, serving the files of a directory.
    pub fn nginx(files: &Path) -> Self {
        let (dir, address) = place();
        let config = dir.path().join("nginx.conf");
        let text = format!(
            "daemon off; worker_processes auto; error_log stderr crit; pid {0}/pid;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
             client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n\
             server {{ listen {address}; root {1}; }} }}\n",
            dir.path().display(),
            files.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-c").arg(config);
        // Started by root, its workers would become somebody who cannot see the files.
        if rustix::process::geteuid().is_root() {
            command.args(["-g", "user root;"]);
        }
        Self::start(&mut command, dir, address)
    }

    /// Debian's docker-registry with an empty store in a directory.
    pub fn registry() -> Self {
        let (dir, address) = place();
        let config = dir.path().join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nhttp: {{addr: '{address}'}}\n\
             storage: {{filesystem: {{rootdirectory: '{}'}}, cache: {{blobdescriptor: inmemory}}}}\n",
            dir.path().join("data").display()
        );
        std::fs::write(&config, text).unwrap();
        Self::start(Command::new("docker-registry").arg("serve").arg(config), dir, address)
    }

    fn start(command: &mut Command, dir: tempfile::TempDir, address: SocketAddr) -> Self {
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let rival = Self { process: process.unwrap(), address, _dir: dir };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{command:?} does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        rival
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // nginx ends its workers when it is asked to, and not when it is killed.
        let id = self.process.id().to_string();
        drop(Command::new("kill").arg(id).status());
        drop(self.process.wait());
    }
}

fn place() -> (tempfile::TempDir, SocketAddr) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    (tempfile::tempdir().unwrap(), address)
}
