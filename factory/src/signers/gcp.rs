//! Google Cloud KMS.

mod credentials;

use std::sync::OnceLock;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use signing::{MessageDigest, RsaPublicKey};

use super::access::Access;
use super::bearer::Kept;
use super::place::{Fault, Place};
use super::service;
use credentials::Credentials;

const PUBLIC: &str = "https://cloudkms.googleapis.com";

/// A version of a key. Each signs with one hash function only, which was chosen when it was made.
///
/// The checksums the service offers beside its values are not used: a signature over a damaged digest, or a damaged
/// signature, does not fit the public key, and that is checked.
pub(super) struct KeyVersion {
    client: Client,
    credentials: Credentials,
    token: Kept,
    url: String,
    /// What it signs with, such as `RSA_SIGN_PKCS1_2048_SHA256`.
    algorithm: OnceLock<String>,
}

impl KeyVersion {
    pub(super) fn new(name: &str, access: &Access) -> Result<Self, Fault> {
        let environment = &access.environment;
        // The variable of Google's own command line tool.
        let base = environment.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS").unwrap_or(PUBLIC);
        Ok(Self {
            client: service::client()?,
            credentials: Credentials::find(environment)?,
            token: Kept::default(),
            url: format!("{}/v1/{name}", base.trim_end_matches('/')),
            algorithm: OnceLock::new(),
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
}

#[derive(Deserialize)]
struct PublicKeyAnswer {
    pem: String,
    algorithm: String,
}

#[derive(Deserialize)]
struct SignAnswer {
    signature: String,
}

#[async_trait]
impl Place for KeyVersion {
    async fn public_key(&self) -> Result<RsaPublicKey, Fault> {
        let answer: PublicKeyAnswer = self.ask(self.client.get(format!("{}/publicKey", self.url))).await?;
        if !answer.algorithm.starts_with("RSA_SIGN_PKCS1_") {
            return Err(Fault::refused(&format!(
                "expected a key for RSA_SIGN_PKCS1, but it is for {}",
                answer.algorithm
            )));
        }
        self.algorithm.get_or_init(|| answer.algorithm);
        Ok(RsaPublicKey::from_pem(&answer.pem)?)
    }

    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, Fault> {
        let hash = digest.algorithm().name();
        if let Some(algorithm) = self.algorithm.get()
            && !algorithm.ends_with(&format!("_{}", hash.to_uppercase()))
        {
            return Err(Fault::refused(&format!("the key is for {algorithm} and signs no {hash} digests")));
        }
        let body = json!({"digest": {hash: STANDARD.encode(digest.as_bytes())}});
        let request = self.client.post(format!("{}:asymmetricSign", self.url));
        let answer: SignAnswer = self.ask(service::with_json(request, &body)?).await?;
        service::decoded(&answer.signature)
    }
}
