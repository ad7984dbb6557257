//! Access tokens of Google Cloud.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fs_err as fs;
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use signing::{HashAlgorithm, RsaKey, Signer as _};
use zeroize::Zeroizing;

use super::super::access::Environment;
use super::super::bearer::Token;
use super::super::place::Fault;
use super::super::service;

const SCOPE: &str = "https://www.googleapis.com/auth/cloudkms";
/// RFC 7523.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const METADATA: &str = "metadata.google.internal";
/// How long an assertion may be used, in seconds.
const LIFETIME: u64 = 600;

/// How tokens are got.
pub(super) struct Credentials {
    client: Client,
    source: Source,
}

enum Source {
    /// A service account, which proves itself with a key of its own.
    Account { email: String, key: RsaKey, key_id: String, url: String },
    /// A person who has logged in with Google's command line tool.
    Person { id: String, secret: Zeroizing<String>, refresh: Zeroizing<String> },
    /// The service account of the machine, from the metadata server.
    Machine { url: String },
}

/// A file of credentials, as Google's tools write it.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum File {
    ServiceAccount {
        client_email: String,
        private_key: Zeroizing<String>,
        #[serde(default)]
        private_key_id: String,
        token_uri: String,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: Zeroizing<String>,
        refresh_token: Zeroizing<String>,
    },
}

impl Credentials {
    /// The credentials in the file `GOOGLE_APPLICATION_CREDENTIALS`, or of the person logged in, or of the machine.
    pub(super) fn find(environment: &Environment) -> Result<Self, Fault> {
        let file = environment.get("GOOGLE_APPLICATION_CREDENTIALS").map(Into::into).or_else(|| {
            let path = environment.home()?.join(".config/gcloud/application_default_credentials.json");
            fs::metadata(&path).is_ok().then_some(path)
        });
        if let Some(path) = file {
            return Ok(Self { client: service::client()?, source: from_file(&path)? });
        }
        let host = environment.get("GCE_METADATA_HOST").unwrap_or(METADATA);
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
        Ok(Self { client: service::local_client()?, source: Source::Machine { url } })
    }

    pub(super) async fn fetch(&self) -> Result<Token, Fault> {
        let request = match &self.source {
            Source::Account { email, key, key_id, url } => {
                let assertion = assertion(email, key, key_id, url).await?;
                let fields = [("grant_type", GRANT), ("assertion", assertion.as_str())];
                service::with_form(self.client.post(url), &fields)
            }
            Source::Person { id, secret, refresh } => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", id),
                    ("client_secret", secret.as_str()),
                    ("refresh_token", refresh.as_str()),
                ];
                service::with_form(self.client.post("https://oauth2.googleapis.com/token"), &fields)
            }
            Source::Machine { url } => self.client.get(url).header("Metadata-Flavor", "Google"),
        };
        Token::of(&service::send(request).await?)
    }
}

fn from_file(path: &Path) -> Result<Source, Fault> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(Fault::refused_for)?);
    let file: File = serde_json::from_str(&text).map_err(|_| {
        Fault::refused(&format!("{} holds no credentials of a service account or a person", path.display()))
    })?;
    Ok(match file {
        File::ServiceAccount { client_email, private_key, private_key_id, token_uri } => Source::Account {
            email: client_email,
            key: RsaKey::from_pem(&private_key)?,
            key_id: private_key_id,
            url: token_uri,
        },
        File::AuthorizedUser { client_id, client_secret, refresh_token } => {
            Source::Person { id: client_id, secret: client_secret, refresh: refresh_token }
        }
    })
}

/// A JSON Web Token (RFC 7519) by which the account asks for an access token.
async fn assertion(email: &str, key: &RsaKey, key_id: &str, url: &str) -> Result<Zeroizing<String>, Fault> {
    let now = now();
    let head = json!({"alg": "RS256", "typ": "JWT", "kid": key_id});
    let claims = json!({"iss": email, "scope": SCOPE, "aud": url, "iat": now, "exp": now + LIFETIME});
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(head.to_string()), encode(claims.to_string()));
    let signature = key.sign(&HashAlgorithm::Sha256.hash(signed.as_bytes())).await;
    let signature = URL_SAFE_NO_PAD.encode(signature.map_err(Fault::refused_for)?);
    Ok(Zeroizing::new(format!("{signed}.{signature}")))
}

#[expect(clippy::disallowed_methods, reason = "Google wants to know when an assertion was made")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
