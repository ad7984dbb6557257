//! Texts of configuration values → types. Every error says what was expected.

use std::io::Read as _;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use extensions::source::{Authorities, Credentials};
use extensions::trust::TrustRoot;
use extensions::{Repository, SourceSpec};
use fs_err as fs;
use schematics::TalosVersion;
use signing::PublicKey;
use url::Url;

use crate::keys::KeySets;
use crate::log::chain;
use crate::trust::{self, TrustSpec};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Plain,
    /// One JSON object per line.
    Json,
}

/// Which web origins may call us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// All of them.
    Any,
    /// These, compared without regard to case.
    Only(Vec<String>),
}

/// A repository of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySpec {
    /// Whether the registry is spoken to over TLS.
    pub tls: bool,
    /// Host and port.
    pub host: String,
    /// The repository.
    pub name: Repository,
}

type Parsed<T> = Result<T, String>;

pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    text.parse().map_err(|_| "expected an IP address and a port, such as `127.0.0.1:8080`".to_owned())
}

pub(super) fn optional_address(text: &str) -> Parsed<Option<SocketAddr>> {
    if matches!(text, "" | "off") { Ok(None) } else { address(text).map(Some) }
}

pub(super) fn directory(text: &str) -> Parsed<PathBuf> {
    if text.is_empty() { Err("expected a directory".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn source(text: &str) -> Parsed<SourceSpec> {
    let spec = text.parse::<SourceSpec>();
    spec.map_err(|_| "expected `oci:DIR`, `oci:FILE.tar` or `registry:HOST[:PORT][/NAMESPACE]`".to_owned())
}

/// A repository of a registry.
pub(super) fn repository(text: &str) -> Parsed<RepositorySpec> {
    match text.parse() {
        Ok(SourceSpec::Registry { tls, host, namespace: Some(name) }) => {
            Ok(RepositorySpec { tls, host, name })
        }
        Ok(_) | Err(_) => Err("expected `registry:HOST[:PORT]/NAME`".to_owned()),
    }
}

/// The longest file of certificates.
const MAX_AUTHORITIES: u64 = 4 << 20;

pub(super) fn authorities(path: &str) -> Parsed<Authorities> {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_AUTHORITIES).read_to_string(&mut text));
    read.map_err(|error| error.to_string())?;
    Authorities::from_pem(&text).map_err(|error| format!("expected certificates in PEM: {error}"))
}

/// The longest credentials file.
const MAX_CREDENTIALS: u64 = 1 << 20;

/// Reads the file; what is in it never gets into an error.
pub(super) fn credentials(path: &str) -> Parsed<Credentials> {
    let mut text = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_CREDENTIALS).read_to_end(&mut text));
    read.map_err(|error| error.to_string())?;
    Credentials::from_docker_config(&text)
        .map_err(|_| "expected a Docker configuration file with `auths`".to_owned())
}

/// Reads the file of keys. The keys themselves are opened when the factory starts.
pub(super) fn keys(path: &str) -> Parsed<KeySets> {
    KeySets::read(Path::new(path)).map_err(|error| chain(&error).to_string())
}

/// Reads a file with a public key.
pub(super) fn public_key(path: &str) -> Parsed<PublicKey> {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_KEY).read_to_string(&mut text));
    read.map_err(|error| error.to_string())?;
    PublicKey::from_pem(&text).map_err(|error| chain(&error))
}

/// The longest file with a public key.
const MAX_KEY: u64 = 64 * 1024;

/// Whose signatures count, by what is said and by the files that are named.
pub(super) fn trust(text: &str) -> Parsed<Vec<TrustSpec>> {
    trust::read(text).map_err(|error| chain(&error))
}

/// Reads the file of a trusted root.
pub(super) fn trust_root(path: &str) -> Parsed<Arc<TrustRoot>> {
    trust::root(Path::new(path)).map_err(|error| chain(&error))
}

pub(super) fn boolean(text: &str) -> Parsed<bool> {
    text.parse().map_err(|_| "expected `true` or `false`".to_owned())
}

pub(super) fn level(text: &str) -> Parsed<i32> {
    match text.parse::<i32>() {
        Ok(level) if (1..=22).contains(&level) => Ok(level),
        Ok(_) | Err(_) => Err("expected a level from 1 to 22".to_owned()),
    }
}

/// An address of ours, without a slash at its end, ready to have a path put behind it.
pub(super) fn own_url(text: &str) -> Parsed<String> {
    let url =
        Url::parse(text).map_err(|_| "expected a URL such as `https://factory.example.com`".to_owned())?;
    let fits = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    if !fits || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("expected an http or https URL without user, query and fragment".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

pub(super) fn version(text: &str) -> Parsed<TalosVersion> {
    text.parse().map_err(|_| "expected a Talos version such as `1.13.0`".to_owned())
}

pub(super) fn duration(text: &str) -> Parsed<Duration> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as `90s` or `15m`".to_owned())?;
    if duration > MAX_DURATION { Err("expected at most 30 days".to_owned()) } else { Ok(duration) }
}

/// The longest duration that can be configured; timers could not take much longer ones.
const MAX_DURATION: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn size(text: &str) -> Parsed<usize> {
    let bytes: bytesize::ByteSize =
        text.parse().map_err(|_| "expected a number of bytes such as `65536` or `64KiB`".to_owned())?;
    match usize::try_from(bytes.as_u64()) {
        Ok(size) if (1..=MAX_BODY).contains(&size) => Ok(size),
        Ok(_) | Err(_) => Err("expected between one byte and 1 MiB".to_owned()),
    }
}

/// The longest body that can be allowed: what a stored schematic may have.
const MAX_BODY: usize = 1 << 20;

pub(super) fn number(text: &str) -> Parsed<NonZeroUsize> {
    match text.parse::<NonZeroUsize>() {
        Ok(number) if number.get() <= MAX_NUMBER => Ok(number),
        Ok(_) | Err(_) => Err(format!("expected a number from 1 to {MAX_NUMBER}")),
    }
}

/// The highest concurrency that can be configured.
const MAX_NUMBER: usize = 65_536;

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "plain" => Ok(LogFormat::Plain),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected `plain` or `json`".to_owned()),
    }
}

pub(super) fn log_filter(text: &str) -> Parsed<String> {
    let parsed = tracing_subscriber::EnvFilter::builder().parse(text);
    parsed
        .map(|_| text.to_owned())
        .map_err(|_| "expected a level or a filter such as `info,factory=debug`".to_owned())
}

pub(super) fn origin(text: &str) -> Parsed<String> {
    let wrong = || "expected `*` or an origin such as `https://example.com`".to_owned();
    if text == "*" {
        return Ok(text.to_owned());
    }
    let url = Url::parse(text).map_err(|_| wrong())?;
    let printed = url.origin().ascii_serialization();
    if printed.eq_ignore_ascii_case(text) { Ok(printed) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_urls_lose_the_slash_at_their_end() {
        assert_eq!(own_url("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080");
        assert_eq!(own_url("https://example.com/factory/").unwrap(), "https://example.com/factory");
        for text in ["", "example.com", "ftp://x", "http://u:p@x", "http://x/?a=b", "http://x/#a"] {
            assert!(own_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_sizes_and_durations_have_bounds() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for text in ["0", "2MiB", "-1", "many"] {
            assert!(size(text).is_err(), "{text}");
        }
        for text in ["0", "-1", "70000", ""] {
            assert!(number(text).is_err(), "{text}");
        }
        for text in ["5", "", "forever", "31days"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(origin("https://Example.com").unwrap(), "https://example.com");
        for text in ["https://example.com/", "example.com", "null", ""] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
