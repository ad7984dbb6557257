//! The transit engine of HashiCorp Vault and OpenBao.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fs_err::tokio as fs;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use signing::{HashAlgorithm, MessageDigest, RsaPublicKey};
use zeroize::Zeroizing;

use super::access::Access;
use super::place::{Fault, Place};
use super::service;

/// A key of a transit engine.
pub(super) struct TransitKey {
    client: Client,
    token: TokenSource,
    namespace: Option<String>,
    /// Of the engine.
    url: String,
    key: String,
    /// The version of the key that signs.
    version: OnceLock<u64>,
}

enum TokenSource {
    Value(Zeroizing<String>),
    /// A file that an agent may renew, read anew each time.
    File(PathBuf),
}

impl TransitKey {
    /// The server is `VAULT_ADDR`; the token is `VAULT_TOKEN`, or in `~/.vault-token`, where the command line tool and agents
    /// put it. The engine is mounted at `transit` unless the spec or `TRANSIT_SECRET_ENGINE_PATH` says otherwise.
    pub(super) fn new(mount: Option<&str>, key: &str, access: &Access) -> Result<Self, Fault> {
        let environment = &access.environment;
        let address = environment.get("VAULT_ADDR").ok_or_else(|| Fault::refused("set VAULT_ADDR"))?;
        let mount = mount.or(environment.get("TRANSIT_SECRET_ENGINE_PATH")).unwrap_or("transit");
        let token = match (environment.get("VAULT_TOKEN"), environment.home()) {
            (Some(token), _) => TokenSource::Value(token.to_owned().into()),
            (None, Some(home)) => TokenSource::File(home.join(".vault-token")),
            (None, None) => return Err(Fault::refused("set VAULT_TOKEN")),
        };
        Ok(Self {
            client: service::client()?,
            token,
            namespace: environment.get("VAULT_NAMESPACE").map(ToOwned::to_owned),
            url: format!("{}/v1/{mount}", address.trim_end_matches('/')),
            key: key.to_owned(),
            version: OnceLock::new(),
        })
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Fault> {
        let token = match &self.token {
            TokenSource::Value(token) => token.clone(),
            TokenSource::File(path) => fs::read_to_string(path).await.map_err(Fault::refused_for)?.into(),
        };
        let mut request = request.header("X-Vault-Token", token.trim()).header("X-Vault-Request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        let answer: Envelope<T> = service::send(request).await?.json()?;
        Ok(answer.data)
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct KeyAnswer {
    #[serde(rename = "type")]
    kind: String,
    latest_version: u64,
    keys: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct SignAnswer {
    signature: String,
}

#[async_trait]
impl Place for TransitKey {
    async fn public_key(&self) -> Result<RsaPublicKey, Fault> {
        let answer: KeyAnswer = self.ask(self.client.get(format!("{}/keys/{}", self.url, self.key))).await?;
        if !answer.kind.starts_with("rsa-") {
            return Err(Fault::refused(&format!("expected an RSA key, but its type is {}", answer.kind)));
        }
        let version = *self.version.get_or_init(|| answer.latest_version);
        let text = answer.keys.get(&version.to_string()).and_then(|key| key.get("public_key")?.as_str());
        let text = text.ok_or_else(|| Fault::refused("the key version has no public key"))?;
        Ok(RsaPublicKey::from_pem(text)?)
    }

    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, Fault> {
        let hash = match digest.algorithm() {
            HashAlgorithm::Sha256 => "sha2-256",
            HashAlgorithm::Sha384 => "sha2-384",
            HashAlgorithm::Sha512 => "sha2-512",
        };
        let body = json!({
            "input": STANDARD.encode(digest.as_bytes()),
            "prehashed": true,
            "signature_algorithm": "pkcs1v15",
            "key_version": self.version.get().copied().unwrap_or(0),
        });
        let request = self.client.post(format!("{}/sign/{}/{hash}", self.url, self.key));
        let answer: SignAnswer = self.ask(service::with_json(request, &body)?).await?;
        // `vault:v<version>:<base64>`
        service::decoded(answer.signature.rsplit(':').next().unwrap_or_default())
    }
}
