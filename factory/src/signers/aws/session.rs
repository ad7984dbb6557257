//! Signed requests to services of AWS, with the credentials AWS' own tools would use.

use std::collections::HashMap;
use std::path::PathBuf;

use bytes::Bytes;
use fs_err::tokio as fs;
use reqsign_aws_v4::{Credential, DefaultCredentialProvider, RequestSigner};
use reqsign_core::{Context, Env, Error, ErrorKind, FileRead, HttpSend, Signer};
use reqwest::Client;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::access::{Access, Environment};
use super::super::place::Fault;
use super::super::service;

/// One service in one region.
pub(super) struct Session {
    client: Client,
    signer: Signer<Credential>,
    url: String,
}

impl Session {
    /// The service in `region`, or in the one the environment names.
    ///
    /// Credentials come from the environment, profiles, single sign-on, web identities, containers and instances, in this
    /// order. Programs that profiles name are not run.
    pub(super) fn new(name: &str, region: Option<&str>, access: &Access) -> Result<Self, Fault> {
        let environment = &access.environment;
        let region = region.or(environment.get("AWS_REGION")).or(environment.get("AWS_DEFAULT_REGION"));
        let region = region.ok_or_else(|| Fault::refused("set AWS_REGION, or name the key by its ARN"))?;
        let client = service::client()?;
        let context = Context::new()
            .with_env(environment.clone())
            .with_file_read(Files)
            .with_http_send(Sender(service::local_client()?));
        let credentials = DefaultCredentialProvider::builder().no_process().build();
        let signer = Signer::new(context, credentials, RequestSigner::new(name, region));
        let own = format!("AWS_ENDPOINT_URL_{}", name.to_uppercase());
        let url = environment.get(&own).or(environment.get("AWS_ENDPOINT_URL"));
        let url = url.map_or_else(|| public_url(name, region), |url| url.trim_end_matches('/').to_owned());
        Ok(Self { client, signer, url })
    }

    pub(super) fn set_url(&mut self, url: String) {
        self.url = url;
    }

    /// Calls an operation of the service.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        request: &Value,
    ) -> Result<T, Fault> {
        let (mut head, ()) = http::Request::post(format!("{}/", self.url))
            .header("x-amz-target", operation)
            .header("content-type", "application/x-amz-json-1.1")
            .body(())
            .map_err(Fault::refused_for)?
            .into_parts();
        let body = request.to_string();
        head.headers.insert("x-amz-content-sha256", digest(body.as_bytes())?);
        self.signer.sign(&mut head, None).await.map_err(no_credentials)?;
        let request = self.client.post(head.uri.to_string()).headers(head.headers).body(body);
        service::send(request).await?.json()
    }
}

fn public_url(name: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{name}.{region}.{suffix}")
}

fn digest(body: &[u8]) -> Result<http::HeaderValue, Fault> {
    schematics::Digest::of(body).hex().parse().map_err(Fault::refused_for)
}

/// The library's own text is left out: it may tell more about credentials than belongs into a log.
fn no_credentials(error: Error) -> Fault {
    let text = match error.kind() {
        ErrorKind::RateLimited => "the service that gives credentials is overloaded",
        ErrorKind::PermissionDenied => "the service that gives credentials refuses",
        ErrorKind::Unexpected => "there are no credentials: what should give them failed",
        _ => {
            "there are no credentials: expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a web identity, or an instance with a role"
        }
    };
    if error.is_retryable() { Fault::unavailable(text) } else { Fault::refused(text) }
}

impl Env for Environment {
    fn var(&self, key: &str) -> Option<String> {
        self.get(key).map(ToOwned::to_owned)
    }

    fn vars(&self) -> HashMap<String, String> {
        self.all()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        self.home()
    }
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        fs::read(path).await.map_err(|error| Error::config_invalid(error.to_string()))
    }
}

#[derive(Debug)]
struct Sender(Client);

impl HttpSend for Sender {
    async fn http_send(&self, request: http::Request<Bytes>) -> reqsign_core::Result<http::Response<Bytes>> {
        let (head, body) = request.into_parts();
        let url = head.uri.to_string();
        let request = self.0.request(head.method, url).headers(head.headers).body(body);
        let lost =
            |_| Error::unexpected("the service that gives credentials did not answer").set_retryable(true);
        let answer = service::send(request).await.map_err(lost)?;
        let mut response = http::Response::new(Bytes::copy_from_slice(answer.body()));
        *response.status_mut() = answer.status();
        Ok(response)
    }
}
