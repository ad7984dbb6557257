//! User names and passwords for registries, in the form of Docker's `config.json`.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

/// User names and passwords by registry host.
#[derive(Clone, Default)]
pub struct Credentials {
    hosts: HashMap<String, Login>,
}

/// A user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// Why a file holds no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It is not JSON of the expected shape.
    #[error("the credentials are not a Docker `config.json`")]
    Json(#[source] serde_json::Error),
    /// The entry of a host is no user name and password.
    #[error("the credentials for {host} are not base64 of `user:password`")]
    Entry {
        /// The host.
        host: String,
    },
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: HashMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Credentials {
    /// Reads Docker's `config.json`. Only what is in the file counts: credential helpers are not run.
    ///
    /// # Errors
    /// When it is none, or an entry is malformed.
    pub fn from_docker_config(json: &[u8]) -> Result<Self, CredentialsError> {
        let config: DockerConfig = serde_json::from_slice(json).map_err(CredentialsError::Json)?;
        let mut hosts = HashMap::new();
        for (name, auth) in config.auths {
            let host = host_of(&name).to_owned();
            let login = match (auth.auth, auth.username, auth.password) {
                (Some(auth), ..) if !auth.is_empty() => {
                    Some(decode(&auth).ok_or_else(|| CredentialsError::Entry { host: host.clone() })?)
                }
                (_, Some(user), Some(password)) => Some(Login { user, password }),
                // A host whose password is with a helper.
                _ => None,
            };
            hosts.extend(login.map(|login| (host, login)));
        }
        Ok(Self { hosts })
    }

    /// What a push to `host` is authorised with.
    pub(crate) fn for_push(&self, host: &str) -> RegistryAuth {
        match self.of(host) {
            Some(login) => RegistryAuth::Basic(login.user.clone(), login.password.clone()),
            None => RegistryAuth::Anonymous,
        }
    }

    pub(super) fn of(&self, host: &str) -> Option<&Login> {
        let host = if host == "registry-1.docker.io" { "index.docker.io" } else { host };
        self.hosts.get(host)
    }
}

/// The host of a key, which may be a URL as in `https://index.docker.io/v1/`.
fn host_of(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    let host = name.split('/').next().unwrap_or(name);
    if host == "docker.io" { "index.docker.io" } else { host }
}

fn decode(auth: &str) -> Option<Login> {
    let bytes = STANDARD.decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Login { user: user.to_owned(), password: password.to_owned() })
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hosts: Vec<&String> = self.hosts.keys().collect();
        hosts.sort();
        f.debug_struct("Credentials").field("hosts", &hosts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_configurations_are_read() {
        let json = br#"{"auths":{"ghcr.io":{"auth":"dTpwOnc="},"https://index.docker.io/v1/":{"username":"a",
            "password":"b"},"helped.example.com":{}},"credsStore":"x"}"#;
        let credentials = Credentials::from_docker_config(json).unwrap();
        let login = credentials.of("ghcr.io").unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("u", "p:w"));
        assert!(credentials.of("registry-1.docker.io").is_some());
        assert!(credentials.of("helped.example.com").is_none() && credentials.of("example.com").is_none());
        assert!(!format!("{credentials:?}").contains("p:w"));
    }

    #[test]
    fn malformed_entries_name_their_host() {
        let error = Credentials::from_docker_config(br#"{"auths":{"h":{"auth":"!!"}}}"#).unwrap_err();
        assert_eq!(error.to_string(), "the credentials for h are not base64 of `user:password`");
        assert!(Credentials::from_docker_config(b"7").is_err());
    }
}
