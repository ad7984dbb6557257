//! Access tokens of Microsoft Entra.

use std::path::PathBuf;

use fs_err::tokio as fs;
use reqwest::Client;
use zeroize::Zeroizing;

use super::super::access::Environment;
use super::super::bearer::Token;
use super::super::place::Fault;
use super::super::service;

const PUBLIC_CLOUD: &str = "https://login.microsoftonline.com";
/// Where virtual machines ask for the token of their identity.
const INSTANCE: &str = "http://169.254.169.254";
/// What a federated token is (RFC 7523).
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How tokens are got.
pub(super) struct Credentials {
    client: Client,
    /// What they are for, a URL without a slash at its end.
    resource: String,
    source: Source,
}

enum Source {
    /// A registered application, which proves itself.
    Application { url: String, id: String, proof: Proof },
    /// The identity of an App Service or function.
    AppService { url: String, header: Zeroizing<String>, id: Option<String> },
    /// The identity of a virtual machine.
    Instance { url: String, id: Option<String> },
}

enum Proof {
    Secret(Zeroizing<String>),
    /// A token of another issuer, such as Kubernetes, read anew each time.
    Federated(PathBuf),
}

impl Credentials {
    /// The credentials the environment names, in the order of Azure's own libraries: a client secret, a workload identity,
    /// a managed identity.
    pub(super) fn find(host: &str, environment: &Environment) -> Result<Self, Fault> {
        let application = environment.get("AZURE_TENANT_ID").zip(environment.get("AZURE_CLIENT_ID"));
        let secret = environment.get("AZURE_CLIENT_SECRET").map(|text| Proof::Secret(text.to_owned().into()));
        let file = environment.get("AZURE_FEDERATED_TOKEN_FILE").map(|path| Proof::Federated(path.into()));
        let id = environment.get("AZURE_CLIENT_ID").map(ToOwned::to_owned);
        let service = environment.get("IDENTITY_ENDPOINT").zip(environment.get("IDENTITY_HEADER"));
        let source = match (application, secret.or(file), service) {
            (Some((tenant, id)), Some(proof), _) => {
                let authority = environment.get("AZURE_AUTHORITY_HOST").unwrap_or(PUBLIC_CLOUD);
                let url = format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'));
                Source::Application { url, id: id.to_owned(), proof }
            }
            (_, _, Some((url, header))) => {
                Source::AppService { url: url.to_owned(), header: header.to_owned().into(), id }
            }
            (_, _, None) => {
                let host = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or(INSTANCE);
                let url = format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'));
                Source::Instance { url, id }
            }
        };
        let client = match &source {
            Source::Application { .. } => service::client()?,
            Source::AppService { .. } | Source::Instance { .. } => service::local_client()?,
        };
        Ok(Self { client, resource: resource(host), source })
    }

    pub(super) async fn fetch(&self) -> Result<Token, Fault> {
        let request = match &self.source {
            Source::Application { url, id, proof } => {
                let scope = format!("{}/.default", self.resource);
                let proof = proof.fields().await?;
                let mut fields =
                    vec![("grant_type", "client_credentials"), ("client_id", id), ("scope", &scope)];
                fields.extend(proof.iter().map(|(name, value)| (*name, value.as_str())));
                service::with_form(self.client.post(url), &fields)
            }
            Source::AppService { url, header, id } => {
                let url = query(url, "2019-08-01", &self.resource, id.as_deref())?;
                self.client.get(url).header("X-IDENTITY-HEADER", header.as_str())
            }
            Source::Instance { url, id } => {
                let url = query(url, "2018-02-01", &self.resource, id.as_deref())?;
                self.client.get(url).header("Metadata", "true")
            }
        };
        Token::of(&service::send(request).await?)
    }
}

impl Proof {
    async fn fields(&self) -> Result<Vec<(&'static str, Zeroizing<String>)>, Fault> {
        match self {
            Self::Secret(secret) => Ok(vec![("client_secret", secret.clone())]),
            Self::Federated(path) => {
                let token = Zeroizing::new(fs::read_to_string(path).await.map_err(Fault::refused_for)?);
                let kind = Zeroizing::new(ASSERTION.to_owned());
                Ok(vec![
                    ("client_assertion_type", kind),
                    ("client_assertion", token.trim().to_owned().into()),
                ])
            }
        }
    }
}

fn query(url: &str, version: &str, resource: &str, id: Option<&str>) -> Result<url::Url, Fault> {
    let mut url = url::Url::parse(url).map_err(Fault::refused_for)?;
    url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", resource);
    if let Some(id) = id {
        url.query_pairs_mut().append_pair("client_id", id);
    }
    Ok(url)
}

/// What tokens for a vault are for: the service it belongs to. Vaults elsewhere are taken to be of the public cloud.
fn resource(host: &str) -> String {
    const SERVICES: [&str; 6] = [
        "vault.azure.net",
        "vault.azure.cn",
        "vault.usgovcloudapi.net",
        "managedhsm.azure.net",
        "managedhsm.azure.cn",
        "managedhsm.usgovcloudapi.net",
    ];
    let found =
        SERVICES.iter().find(|service| host.strip_suffix(**service).is_some_and(|h| h.ends_with('.')));
    format!("https://{}", found.unwrap_or(&SERVICES[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_for_the_service_of_the_vault() {
        for (host, service) in [
            ("v.vault.azure.net", "https://vault.azure.net"),
            ("v.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net"),
            ("h.managedhsm.azure.net", "https://managedhsm.azure.net"),
            ("evilvault.azure.cn", "https://vault.azure.net"),
            ("127.0.0.1:8443", "https://vault.azure.net"),
        ] {
            assert_eq!(resource(host), service, "{host}");
        }
    }
}
