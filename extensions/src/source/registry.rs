//! An OCI registry as a source (OCI distribution specification 1.1).

mod auth;
mod authorities;
mod blob;
mod credentials;
mod transport;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use builder::store::Blob;
use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, LINK};
use reqwest::{Method, StatusCode, Url};
use schematics::Digest;
use serde::Deserialize;

use super::{BlobStream, ImageSource, MAX_MANIFEST, MAX_TAGS, Place, PullError, referrers};
use crate::oci::{ACCEPTED, Descriptor, INDEX};
use crate::reference::{Repository, is_tag};
use transport::{Ask, Transport};

pub use authorities::{Authorities, AuthoritiesError};
pub use credentials::{Credentials, CredentialsError};

/// How many tags are asked for at once.
const PAGE: usize = 1000;
/// The most pages of a tag list that are read.
const MAX_PAGES: usize = 1000;
/// The largest page of a tag list, in bytes.
const MAX_PAGE: u64 = 4 << 20;

/// How a registry is spoken to.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// How long connecting may take.
    pub connect: Duration,
    /// How long nothing may come while something is read.
    pub stall: Duration,
    /// How long an answer other than a blob may take, whole.
    pub answer: Duration,
    /// How long a blob may take.
    pub blob: Duration,
    /// How often something is tried before it counts as failed; at least once.
    pub attempts: u32,
    /// How long to wait before the second attempt; doubles with each further one.
    pub backoff: Duration,
    /// User names and passwords.
    pub credentials: Credentials,
    /// Who may vouch for a registry besides those the system trusts.
    pub authorities: Authorities,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            answer: Duration::from_secs(60),
            blob: Duration::from_secs(20 * 60),
            attempts: 4,
            backoff: Duration::from_millis(250),
            credentials: Credentials::default(),
            authorities: Authorities::default(),
        }
    }
}

/// A registry, or a namespace of one.
///
/// Answers are bounded in size and time. What fails in a way that may pass is tried again, and a blob goes on where it
/// broke off. Nothing is redirected from `https` to `http`, and credentials never leave the registry's own host except to
/// the token service it names.
#[derive(Debug)]
pub struct RegistrySource {
    transport: Arc<Transport>,
    base: Url,
    place: Place,
    namespace: Option<Repository>,
}

#[derive(Deserialize)]
struct TagList {
    /// Some registries say `null` for none.
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl RegistrySource {
    /// A registry at `host`, over TLS or not. Connects to nothing yet.
    ///
    /// # Errors
    /// When the host is none, or the system's TLS roots cannot be read.
    pub fn new(
        tls: bool,
        host: &str,
        namespace: Option<Repository>,
        options: RegistryOptions,
    ) -> Result<Self, PullError> {
        // The name people use for Docker Hub is not where its registry is.
        let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let scheme = if tls { "https" } else { "http" };
        let address = format!("{scheme}://{host}");
        let base = Url::parse(&address)
            .map_err(|_| PullError::Protocol { url: address.clone(), what: "it is not a URL" })?;
        let place = Place::Registry(address);
        let transport = Arc::new(Transport::new(&base, host, options)?);
        Ok(Self { transport, base, place, namespace })
    }

    /// `<base>/v2/<namespace>/<repository>/<kind>/<name>`; the parts are safe in a URL by their types.
    fn ask(&self, repository: &Repository, kind: &str, name: &str) -> Ask {
        let repository = repository.below(self.namespace.as_ref());
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{repository}/{kind}/{name}"));
        Ask { method: Method::GET, url, repository, accept: None, from: 0 }
    }

    fn refused(&self, ask: &Ask, status: StatusCode) -> PullError {
        match status {
            StatusCode::UNAUTHORIZED if self.transport.has_login() => {
                PullError::Login { place: self.place.clone() }
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => PullError::Denied {
                place: self.place.clone(),
                repository: ask.repository.clone(),
                status: status.as_u16(),
            },
            _ => PullError::Status { url: ask.url.to_string(), status: status.as_u16() },
        }
    }

    /// One page of tags, and where the next one is.
    async fn page(&self, ask: &Ask) -> Result<(Vec<String>, Option<Url>), PullError> {
        let answer = self.transport.document(ask, MAX_PAGE).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                let repository = ask.repository.clone();
                return Err(PullError::NoRepository { place: self.place.clone(), repository });
            }
            status => return Err(self.refused(ask, status)),
        }
        let list: TagList = serde_json::from_slice(&answer.body).map_err(|source| PullError::Malformed {
            what: format!("the tag list of {}", ask.repository),
            source,
        })?;
        Ok((list.tags.unwrap_or_default(), next_page(&ask.url, &answer.headers)?))
    }

    async fn manifest_at(&self, ask: &Ask, missing: PullError) -> Result<Bytes, PullError> {
        let answer = self.transport.document(ask, MAX_MANIFEST).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            StatusCode::NOT_FOUND => Err(missing),
            status => Err(self.refused(ask, status)),
        }
    }
}

#[async_trait]
impl ImageSource for RegistrySource {
    async fn tags(&self, repository: &Repository) -> Result<Vec<String>, PullError> {
        let mut ask = self.ask(repository, "tags", "list");
        ask.url.set_query(Some(&format!("n={PAGE}")));
        let mut tags = BTreeSet::new();
        for _ in 0..MAX_PAGES {
            let (page, next) = self.page(&ask).await?;
            tags.extend(page);
            if tags.len() > MAX_TAGS {
                break;
            }
            match next {
                Some(url) => ask.url = url,
                None => return Ok(tags.into_iter().collect()),
            }
        }
        Err(PullError::TooMany { what: format!("tags of {repository}"), limit: MAX_TAGS })
    }

    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Digest, PullError> {
        let missing = || PullError::NoTag {
            place: self.place.clone(),
            repository: repository.clone(),
            tag: tag.to_owned(),
        };
        if !is_tag(tag) {
            return Err(missing());
        }
        let head = Ask { method: Method::HEAD, ..self.ask(repository, "manifests", tag).accepting(ACCEPTED) };
        let answer = self.transport.document(&head, 0).await?;
        match answer.status {
            StatusCode::OK => {
                let header =
                    answer.headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
                if let Some(digest) = header.and_then(|text| text.parse().ok()) {
                    return Ok(digest);
                }
            }
            StatusCode::NOT_FOUND => return Err(missing()),
            StatusCode::METHOD_NOT_ALLOWED => {}
            status => return Err(self.refused(&head, status)),
        }
        // Registries may leave the digest out; then the manifest itself tells it.
        let get = Ask { method: Method::GET, ..head };
        Ok(Digest::of(&self.manifest_at(&get, missing()).await?))
    }

    async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<Bytes, PullError> {
        let ask = self.ask(repository, "manifests", &digest.to_string()).accepting(ACCEPTED);
        let missing =
            PullError::NoContent { place: self.place.clone(), repository: repository.clone(), digest };
        let bytes = self.manifest_at(&ask, missing).await?;
        let found = Digest::of(&bytes);
        if found == digest { Ok(bytes) } else { Err(PullError::Mismatch { expected: digest, found }) }
    }

    async fn blob_size(&self, repository: &Repository, digest: Digest) -> Result<u64, PullError> {
        let head = Ask { method: Method::HEAD, ..self.ask(repository, "blobs", &digest.to_string()) };
        let answer = self.transport.document(&head, 0).await?;
        match answer.status {
            StatusCode::OK => {
                let length = answer.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
                let size = length.and_then(|text| text.parse().ok());
                size.ok_or_else(|| PullError::Protocol {
                    url: head.url.to_string(),
                    what: "no `Content-Length`",
                })
            }
            StatusCode::NOT_FOUND => Err(PullError::NoContent {
                place: self.place.clone(),
                repository: repository.clone(),
                digest,
            }),
            status => Err(self.refused(&head, status)),
        }
    }

    async fn blob(&self, repository: &Repository, blob: Blob) -> Result<BlobStream, PullError> {
        let ask = self.ask(repository, "blobs", &blob.digest.to_string());
        let response = self.transport.send(&ask).await?;
        match response.status() {
            StatusCode::OK => blob::stream(Arc::clone(&self.transport), ask, response, blob),
            StatusCode::NOT_FOUND => Err(PullError::NoContent {
                place: self.place.clone(),
                repository: repository.clone(),
                digest: blob.digest,
            }),
            status => Err(self.refused(&ask, status)),
        }
    }

    async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Vec<Descriptor>, PullError> {
        let mut ask = self.ask(repository, "referrers", &digest.to_string()).accepting(INDEX);
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let answer = self.transport.document(&ask, MAX_MANIFEST).await?;
            match answer.status {
                StatusCode::OK => {}
                // What registries answer that do not know the question; GHCR and others send more than 404.
                status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                    return referrers::by_tag(self, repository, digest).await;
                }
                status => return Err(self.refused(&ask, status)),
            }
            for referrer in referrers::listed(&answer.body, repository, digest)? {
                referrers::add(&mut found, referrer, repository)?;
            }
            match next_page(&ask.url, &answer.headers)? {
                Some(url) => ask.url = url,
                None => return Ok(found),
            }
        }
        Err(referrers::too_many(repository))
    }
}

/// The address in `Link: <…>; rel="next"`, which must be at the same registry.
fn next_page(current: &Url, headers: &HeaderMap) -> Result<Option<Url>, PullError> {
    let Some(link) = headers.get(LINK).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let wrong = |what| PullError::Protocol { url: current.to_string(), what };
    let (address, rest) = link
        .strip_prefix('<')
        .and_then(|link| link.split_once('>'))
        .ok_or_else(|| wrong("its `Link` header is malformed"))?;
    if !rest.contains("rel=\"next\"") && !rest.contains("rel=next") {
        return Ok(None);
    }
    let next = current.join(address).map_err(|_| wrong("its `Link` header has no URL"))?;
    if next.origin() == current.origin() {
        Ok(Some(next))
    } else {
        Err(wrong("its `Link` header leads to another host"))
    }
}

#[cfg(test)]
mod tests;
