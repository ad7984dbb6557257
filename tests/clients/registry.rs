//! Debian's docker-registry on a free port of the loopback.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;
use tempfile::TempDir;
use tests::{Failure, tool};

use crate::site::text;

/// Who may use a registry that asks.
pub(crate) const USER: &str = "talos";
/// Their password.
pub(crate) const PASSWORD: &str = "correct horse";
/// The password as a line of a file of passwords.
const PASSWORDS: &str = "talos:$2b$05$stoKKkeURPbebLWRNxY9QuoC1hZCzYyRZYjQcdzTDgLwodMj7dNsa\n";

/// A running registry; it stops on drop.
#[derive(Debug)]
pub(crate) struct Registry {
    child: Child,
    pub(crate) host: String,
    dir: TempDir,
}

impl Registry {
    /// A registry that everybody may read and write, without TLS.
    pub(crate) fn open() -> Result<Self, Failure> {
        Self::start(tempfile::tempdir().unwrap(), "", "")
    }

    /// A registry with TLS, whose certificate is of an authority of its own, that asks for a password.
    pub(crate) fn secured() -> Result<Self, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| text(&dir.path().join(name));
        let new = |name: &str, more: &[&str]| {
            let (key, certificate) = (path(&format!("{name}.key")), path(&format!("{name}.pem")));
            let subject = format!("/CN={name}");
            let common = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
            let own = ["-days", "30", "-subj", &subject, "-keyout", &key, "-out", &certificate];
            tool::run("openssl", "openssl", [&common[..], &own, more].concat())
        };
        new("authority", &["-addext", "basicConstraints=critical,CA:TRUE"])?;
        let (by, with) = (path("authority.pem"), path("authority.key"));
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
        let end = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", names];
        new("registry", &[&["-CA", &by, "-CAkey", &with][..], &end].concat())?;
        fs::write(dir.path().join("passwords"), PASSWORDS).unwrap();
        let tls =
            format!(", tls: {{certificate: '{}', key: '{}'}}", path("registry.pem"), path("registry.key"));
        let auth = format!("auth: {{htpasswd: {{realm: registry, path: '{}'}}}}\n", path("passwords"));
        Self::start(dir, &tls, &auth)
    }

    /// A registry without TLS that wants a token of the service at `realm`, signed with the key of a certificate.
    pub(crate) fn with_tokens(realm: &str, certificate: &Path) -> Result<Self, Failure> {
        let auth = format!(
            "auth: {{token: {{realm: '{realm}', service: registry, issuer: tokens, rootcertbundle: '{}'}}}}\n",
            text(certificate)
        );
        Self::start(tempfile::tempdir().unwrap(), "", &auth)
    }

    fn start(dir: TempDir, http: &str, more: &str) -> Result<Self, Failure> {
        let program = tool::find("docker-registry", "docker-registry")?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{host}'{http}}}\n{more}\
             storage: {{filesystem: {{rootdirectory: '{}'}}}}\n",
            text(&dir.path().join("data"))
        );
        fs::write(dir.path().join("registry.yml"), config).unwrap();
        let log = fs::File::create(dir.path().join("access")).unwrap().into_parts().0;
        let child = Command::new(&program)
            .args(["serve", &text(&dir.path().join("registry.yml"))])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::io("start", &program))?;
        let registry = Self { child, host, dir };
        let begun = Instant::now();
        while TcpStream::connect(&registry.host).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "docker-registry did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(registry)
    }

    /// The authority its certificate is of.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    /// A Docker configuration file with this password for it.
    pub(crate) fn credentials(&self, password: &str) -> PathBuf {
        let path = self.dir.path().join("config.json");
        let auths = serde_json::json!({ &self.host: { "username": USER, "password": password } });
        fs::write(&path, serde_json::json!({ "auths": auths }).to_string()).unwrap();
        path
    }

    /// How many requests for something it has answered.
    pub(crate) fn requests(&self, for_what: &str) -> usize {
        let log = fs::read_to_string(self.dir.path().join("access")).unwrap();
        log.lines().filter(|line| line.contains(for_what)).count()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
