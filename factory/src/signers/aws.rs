//! AWS Key Management Service, and certificates of AWS Certificate Manager.

mod session;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use signing::{HashAlgorithm, MessageDigest, RsaPublicKey};

use super::access::Access;
use super::place::{Fault, Place};
use super::{OpenSignerError, service};
use session::Session;

/// A key of AWS KMS.
pub(super) struct KmsKey {
    session: Session,
    name: String,
    /// The ARN behind the name: an alias may come to mean another key.
    arn: OnceLock<String>,
}

impl KmsKey {
    pub(super) fn new(endpoint: Option<&str>, key: &str, access: &Access) -> Result<Self, Fault> {
        let mut session = Session::new("kms", region_of(key), access)?;
        if let Some(host) = endpoint {
            session.set_url(service::base_url(host));
        }
        Ok(Self { session, name: key.to_owned(), arn: OnceLock::new() })
    }

    fn key(&self) -> &str {
        self.arn.get().unwrap_or(&self.name)
    }
}

/// The region in an ARN, `arn:PARTITION:SERVICE:REGION:…`.
fn region_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublicKeyAnswer {
    key_id: String,
    public_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignAnswer {
    signature: String,
}

#[async_trait]
impl Place for KmsKey {
    async fn public_key(&self) -> Result<RsaPublicKey, Fault> {
        let answer: PublicKeyAnswer =
            self.session.call("TrentService.GetPublicKey", &json!({"KeyId": self.key()})).await?;
        let key = RsaPublicKey::from_der(&service::decoded(&answer.public_key)?)?;
        self.arn.get_or_init(|| answer.key_id);
        Ok(key)
    }

    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, Fault> {
        let request = json!({
            "KeyId": self.key(),
            "Message": STANDARD.encode(digest.as_bytes()),
            "MessageType": "DIGEST",
            "SigningAlgorithm": match digest.algorithm() {
                HashAlgorithm::Sha256 => "RSASSA_PKCS1_V1_5_SHA_256",
                HashAlgorithm::Sha384 => "RSASSA_PKCS1_V1_5_SHA_384",
                HashAlgorithm::Sha512 => "RSASSA_PKCS1_V1_5_SHA_512",
            },
        });
        let answer: SignAnswer = self.session.call("TrentService.Sign", &request).await?;
        service::decoded(&answer.signature)
    }
}

/// The ARN of a certificate of AWS Certificate Manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmArn(String);

impl FromStr for AcmArn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", _, "acm", region, _, resource]
                if !region.is_empty() && resource.starts_with("certificate/") =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err("expected `arn:aws:acm:REGION:ACCOUNT:certificate/ID`"),
        }
    }
}

impl fmt::Display for AcmArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CertificateAnswer {
    certificate: String,
}

/// Reads a certificate of AWS Certificate Manager, in PEM, without its chain.
///
/// # Errors
/// When the service cannot be reached within the patience given, or refuses.
pub async fn certificate(arn: &AcmArn, access: &Access) -> Result<String, OpenSignerError> {
    let failed = |fault: Fault| fault.while_opening(arn.to_string());
    let session = Session::new("acm", region_of(&arn.0), access).map_err(failed)?;
    let request = json!({"CertificateArn": arn.0});
    let call = || session.call("CertificateManager.GetCertificate", &request);
    let answer: CertificateAnswer = access.patience.wait_for(&arn.0, call).await.map_err(failed)?;
    Ok(answer.certificate)
}
