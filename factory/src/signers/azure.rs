//! Azure Key Vault: keys, and the certificates that are made of them.

mod credentials;

use std::sync::OnceLock;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use signing::{HashAlgorithm, MessageDigest, RsaPublicKey};

use super::access::Access;
use super::bearer::Kept;
use super::place::{Fault, Place};
use super::service;
use credentials::Credentials;

const API: &str = "api-version=7.4";

/// A key of a vault.
pub(super) struct VaultKey {
    client: Client,
    credentials: Credentials,
    token: Kept,
    /// Of the vault.
    url: String,
    name: String,
    version: Option<String>,
    /// The version that signs.
    settled: OnceLock<String>,
}

impl VaultKey {
    pub(super) fn new(host: &str, key: &str, version: Option<&str>, access: &Access) -> Result<Self, Fault> {
        Ok(Self {
            client: service::client()?,
            credentials: Credentials::find(host, &access.environment)?,
            token: Kept::default(),
            url: service::base_url(host),
            name: key.to_owned(),
            version: version.map(ToOwned::to_owned),
            settled: OnceLock::new(),
        })
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Fault> {
        let token = self.token.get(|| self.credentials.fetch()).await?;
        let answer = service::send(request.bearer_auth(token.as_str())).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.token.forget().await;
        }
        answer.json()
    }

    fn path(&self, kind: &str) -> String {
        let version = self.settled.get().or(self.version.as_ref());
        let version = version.map(|version| format!("/{version}")).unwrap_or_default();
        format!("{}/{kind}/{}{version}", self.url, self.name)
    }
}

#[derive(Deserialize)]
struct KeyAnswer {
    key: JsonWebKey,
}

/// RFC 7517 and RFC 7518 §6.3.
#[derive(Deserialize)]
struct JsonWebKey {
    kid: String,
    kty: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

#[derive(Deserialize)]
struct SignAnswer {
    value: String,
}

#[derive(Deserialize)]
struct CertificateAnswer {
    /// In the standard alphabet, unlike everything else.
    cer: String,
}

fn decoded(text: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::refused("the answer is not what was expected"))
}

#[async_trait]
impl Place for VaultKey {
    async fn public_key(&self) -> Result<RsaPublicKey, Fault> {
        let answer: KeyAnswer = self.ask(self.client.get(format!("{}?{API}", self.path("keys")))).await?;
        let key = answer.key;
        if !matches!(key.kty.as_str(), "RSA" | "RSA-HSM") {
            return Err(Fault::refused("the key is no RSA key"));
        }
        let public = RsaPublicKey::from_components(&decoded(&key.n)?, &decoded(&key.e)?)?;
        if let Some((_, version)) = key.kid.rsplit_once('/') {
            self.settled.get_or_init(|| version.to_owned());
        }
        Ok(public)
    }

    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, Fault> {
        // RFC 7518 §3.3; the value is the digest, not the message.
        let algorithm = match digest.algorithm() {
            HashAlgorithm::Sha256 => "RS256",
            HashAlgorithm::Sha384 => "RS384",
            HashAlgorithm::Sha512 => "RS512",
        };
        let body = json!({"alg": algorithm, "value": URL_SAFE_NO_PAD.encode(digest.as_bytes())});
        let request = self.client.post(format!("{}/sign?{API}", self.path("keys")));
        let answer: SignAnswer = self.ask(service::with_json(request, &body)?).await?;
        decoded(&answer.value)
    }

    async fn certificate(&self) -> Result<Option<String>, Fault> {
        // A certificate and its key have the same name and version.
        let request = self.client.get(format!("{}?{API}", self.path("certificates")));
        let token = self.token.get(|| self.credentials.fetch()).await?;
        let answer = service::send(request.bearer_auth(token.as_str())).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer: CertificateAnswer = answer.json()?;
        Ok(Some(super::pem::certificate(&service::decoded(&answer.cer)?)))
    }
}
