//! `factory doctor`: what is missing, and how to get it.

mod keys;

use std::path::PathBuf;
use std::process::ExitCode;

use extensions::SourceSpec;
use fs_err as fs;

use super::{Outcome, say};
use crate::config::Config;
use crate::start::DataLock;

/// One finding.
#[derive(Debug)]
enum Finding {
    /// It is there.
    Fine(String),
    /// It works without, but not everything.
    Missing(String, String),
    /// It does not work like this.
    Broken(String, String),
}

/// Looks at everything a factory needs, and says what is missing. Fails when it could not serve.
pub(super) fn run(config: &Config) -> Outcome {
    let findings = [data(config), source(config), external_url(config)];
    let mut text = String::new();
    let mut broken = false;
    let keys = keys::exposed(&config.keys).chain(keys::opened(&config.keys));
    for finding in findings.into_iter().chain(keys).chain(tools(config)) {
        text.push_str(&match finding {
            Finding::Fine(what) => format!("ok       {what}\n"),
            Finding::Missing(what, remedy) => format!("missing  {what}\n         {remedy}\n"),
            Finding::Broken(what, remedy) => {
                broken = true;
                format!("broken   {what}\n         {remedy}\n")
            }
        });
    }
    say(&text)?;
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Logs which programs are missing, so that a server says it when it starts and not at the first image that needs them, and
/// which key files are open to everybody.
pub(super) fn warn(config: &Config) {
    for finding in keys::exposed(&config.keys).chain(tools(config)) {
        match finding {
            Finding::Fine(_) => {}
            Finding::Missing(what, remedy) | Finding::Broken(what, remedy) => {
                tracing::warn!(remedy, "{what}")
            }
        }
    }
}

fn tools(config: &Config) -> [Finding; 5] {
    [
        depmod(),
        mkimage(config),
        grub(config, "i386-pc", "grub-pc-bin"),
        grub(config, "x86_64-efi", "grub-efi-amd64-bin"),
        grub(config, "arm64-efi", "grub-efi-arm64-bin"),
    ]
}

fn depmod() -> Finding {
    match extensions::modules_dep::find_depmod() {
        Ok(path) => Finding::Fine(format!("depmod is {}", path.display())),
        Err(error) => {
            Finding::Missing(error.to_string(), "apt-get install --no-install-recommends kmod".to_owned())
        }
    }
}

fn data(config: &Config) -> Finding {
    let dir = config.data.display();
    match DataLock::take(&config.data) {
        Ok(_) => Finding::Fine(format!("the data directory {dir} can be written to")),
        Err(crate::start::LockError::Taken { .. }) => Finding::Fine(format!("a factory is running on {dir}")),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            Finding::Broken(format!("{error}: {cause}"), "choose another one with `data`".to_owned())
        }
    }
}

fn source(config: &Config) -> Finding {
    match &config.source {
        SourceSpec::Layout(dir) if fs::metadata(dir.join("oci-layout")).is_ok() => {
            Finding::Fine(format!("{} is an OCI layout", dir.display()))
        }
        SourceSpec::Layout(dir) => Finding::Broken(
            format!("{} is no OCI layout: there is no file `oci-layout` in it", dir.display()),
            "make one with `factory release` or `skopeo copy`, or choose another `source`".to_owned(),
        ),
        SourceSpec::Registry { tls, host, .. } => registry(host, *tls),
    }
}

/// Whether anything answers at the address of a registry.
fn registry(host: &str, tls: bool) -> Finding {
    let bare = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let address = if bare { host.to_owned() } else { format!("{host}:{}", if tls { 443 } else { 80 }) };
    let connected = std::net::ToSocketAddrs::to_socket_addrs(address.as_str())
        .and_then(|mut addresses| addresses.next().ok_or_else(|| std::io::Error::other("it has no address")))
        .and_then(|address| std::net::TcpStream::connect_timeout(&address, CONNECT));
    match connected {
        Ok(_) => Finding::Fine(format!("the registry {address} can be reached")),
        Err(error) => Finding::Broken(
            format!("the registry {address} cannot be reached: {error}"),
            "check network and name, or serve from a directory with `source: oci:DIR`".to_owned(),
        ),
    }
}

const CONNECT: std::time::Duration = std::time::Duration::from_secs(5);

fn external_url(config: &Config) -> Finding {
    let url = &config.external_url;
    let local = url::Url::parse(url).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        None => true,
    });
    if local {
        Finding::Missing(
            format!("{url} is reached from this machine alone"),
            "set `external-url` to the address machines and people use".to_owned(),
        )
    } else {
        Finding::Fine(format!("clients are sent to {url}"))
    }
}

fn mkimage(config: &Config) -> Finding {
    program(&config.grub.mkimage.to_string_lossy(), "ISOs that boot with GRUB", "grub-common")
}

/// GRUB's modules for one of its platforms.
fn grub(config: &Config, platform: &str, package: &str) -> Finding {
    if config.grub.modules_for(platform).is_some() {
        return Finding::Fine(format!("GRUB has its modules for {platform}"));
    }
    let places: Vec<String> = config.grub.modules.iter().map(|dir| dir.display().to_string()).collect();
    // Debian has each of these packages for machines of its own architecture alone.
    let remedy = if (platform == "arm64-efi") == cfg!(target_arch = "aarch64") {
        format!(
            "apt-get install --no-install-recommends {package}, or say where they are with `grub-modules`"
        )
    } else {
        format!(
            "unpack {package} of Debian's other architecture, and add its `usr/lib/grub` to `grub-modules`"
        )
    };
    Finding::Missing(format!("GRUB's modules for {platform} are not in {}", places.join(" or ")), remedy)
}

fn program(name: &str, purpose: &str, package: &str) -> Finding {
    match find(name) {
        Some(path) => Finding::Fine(format!("{name} is {}", path.display())),
        None => Finding::Missing(
            format!("{name} is not installed; it is needed for {purpose}"),
            format!("apt-get install --no-install-recommends {package}"),
        ),
    }
}

/// Where a program is; the system directories count even when they are not in `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|dir| dir.join(name))
        .find(|file| fs::metadata(file).is_ok_and(|meta| meta.is_file()))
}
