//! Sources as texts: `oci:DIR`, `oci:FILE.tar` and `registry:HOST[/NAMESPACE]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::{ImageSource, LayoutSource, PullError, RegistryOptions, RegistrySource};
use crate::reference::{NameError, Repository};

/// A source as it is written in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    /// `oci:DIR` or `oci:FILE.tar`: an OCI image layout, in a directory or an archive.
    Layout(PathBuf),
    /// `registry:[http://|https://]HOST[:PORT][/NAMESPACE]`: a registry.
    Registry {
        /// `true` for `https`. The default, except on loopback.
        tls: bool,
        /// Host and port.
        host: String,
        /// What is put in front of every repository name.
        namespace: Option<Repository>,
    },
}

/// Why a text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Neither of the two kinds.
    #[error("`{0}` is not a source: expected `oci:DIR` or `registry:HOST[/NAMESPACE]`")]
    Kind(String),
    /// `oci:` without a directory.
    #[error("`oci:` needs a directory, as in `oci:/srv/talos`")]
    NoDirectory,
    /// No host.
    #[error("`{0}` is not a registry's host, as in `ghcr.io` or `127.0.0.1:5000`")]
    Host(String),
    /// The namespace is no repository name.
    #[error("the namespace of `{text}` is not one")]
    Namespace {
        /// The whole text.
        text: String,
        /// Why.
        #[source]
        source: NameError,
    },
}

/// Host name, IPv4 address or bracketed IPv6 address, with an optional port.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let bracketed = name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(named),
    };
    good && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl SourceSpec {
    /// The registry, with the namespace in front of every repository; `None` for a directory.
    #[must_use]
    pub fn registry(&self) -> Option<String> {
        match self {
            Self::Layout(_) => None,
            Self::Registry { host, namespace: None, .. } => Some(host.clone()),
            Self::Registry { host, namespace: Some(namespace), .. } => Some(format!("{host}/{namespace}")),
        }
    }

    /// Opens the source. A registry is not connected to yet.
    ///
    /// # Errors
    /// When there is no layout in the directory, or the TLS roots of the system cannot be read.
    pub fn open(&self, options: RegistryOptions) -> Result<Arc<dyn ImageSource>, PullError> {
        Ok(match self {
            Self::Layout(dir) => Arc::new(LayoutSource::open(dir)?),
            Self::Registry { tls, host, namespace } => {
                Arc::new(RegistrySource::new(*tls, host, namespace.clone(), options)?)
            }
        })
    }
}

impl FromStr for SourceSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        if let Some(dir) = text.strip_prefix("oci:") {
            return if dir.is_empty() { Err(SpecError::NoDirectory) } else { Ok(Self::Layout(dir.into())) };
        }
        let rest = text.strip_prefix("registry:").ok_or_else(|| SpecError::Kind(text.to_owned()))?;
        let (scheme, rest) = match rest.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err(SpecError::Host(rest.to_owned())),
            None => (None, rest),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, namespace) = rest.split_once('/').map_or((rest, None), |(host, n)| (host, Some(n)));
        if !is_host(host) {
            return Err(SpecError::Host(host.to_owned()));
        }
        let namespace = namespace
            .map(str::parse)
            .transpose()
            .map_err(|source| SpecError::Namespace { text: text.to_owned(), source })?;
        let tls = scheme.map_or(!is_loopback(host), |scheme| scheme == "https");
        Ok(Self::Registry { tls, host: host.to_owned(), namespace })
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(dir) => write!(f, "oci:{}", dir.display()),
            Self::Registry { tls, host, namespace } => {
                f.write_str("registry:")?;
                match (tls, is_loopback(host)) {
                    (true, true) => f.write_str("https://")?,
                    (false, false) => f.write_str("http://")?,
                    (true, false) | (false, true) => {}
                }
                f.write_str(host)?;
                namespace.as_ref().map_or(Ok(()), |namespace| write!(f, "/{namespace}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_survive_a_round_trip() {
        for text in [
            "oci:/srv/talos",
            "oci:target/reference",
            "registry:ghcr.io",
            "registry:mirror.example.com:5000/talos/mirror",
            "registry:http://mirror.example.com",
            "registry:127.0.0.1:5000",
            "registry:https://localhost:5000",
            "registry:[::1]:5000/a",
        ] {
            assert_eq!(text.parse::<SourceSpec>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn loopback_is_plain_unless_said_otherwise() {
        for (text, expected) in [
            ("registry:127.0.0.1:5000", false),
            ("registry:localhost", false),
            ("registry:[::1]:5000", false),
            ("registry:ghcr.io", true),
            ("registry:localhost.example.com", true),
            ("registry:127.0.0.1.example.com", true),
        ] {
            let SourceSpec::Registry { tls, .. } = text.parse().unwrap() else { panic!("{text}") };
            assert_eq!(tls, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_source_is_refused_with_a_hint() {
        for (text, message) in [
            ("", "`` is not a source: expected `oci:DIR` or `registry:HOST[/NAMESPACE]`"),
            ("ghcr.io", "`ghcr.io` is not a source: expected `oci:DIR` or `registry:HOST[/NAMESPACE]`"),
            ("oci:", "`oci:` needs a directory, as in `oci:/srv/talos`"),
            ("registry:", "`` is not a registry's host, as in `ghcr.io` or `127.0.0.1:5000`"),
            ("registry:ftp://a", "`ftp://a` is not a registry's host, as in `ghcr.io` or `127.0.0.1:5000`"),
            ("registry:u:p@host", "`u:p@host` is not a registry's host, as in `ghcr.io` or `127.0.0.1:5000`"),
            ("registry:a:99999", "`a:99999` is not a registry's host, as in `ghcr.io` or `127.0.0.1:5000`"),
            ("registry:ghcr.io/UP", "the namespace of `registry:ghcr.io/UP` is not one"),
        ] {
            assert_eq!(text.parse::<SourceSpec>().unwrap_err().to_string(), message);
        }
    }
}
