//! Requests with limits in time, size and number.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, RANGE, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use tokio::time::{sleep, timeout};

use super::RegistryOptions;
use super::auth::Auth;
use crate::reference::Repository;
use crate::source::{PullError, within};

/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// The longest a registry may make us wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Something to ask a registry for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    /// With the registry's namespace.
    pub(super) repository: Repository,
    pub(super) accept: Option<&'static str>,
    /// The first byte wanted.
    pub(super) from: u64,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    auth: Auth,
    pub(super) options: RegistryOptions,
}

impl Ask {
    pub(super) fn accepting(self, accept: &'static str) -> Self {
        Self { accept: Some(accept), ..self }
    }

    pub(super) fn broken(&self, source: reqwest::Error) -> PullError {
        let url = self.url.to_string();
        if is_distrust(&source) {
            PullError::Certificate { url, source }
        } else {
            PullError::Transport { url, source }
        }
    }

    pub(super) fn too_slow(&self, limit: Duration) -> PullError {
        PullError::Timeout { what: format!("reading {}", self.url), seconds: limit.as_secs() }
    }
}

/// Follows a few redirects, but never from `https` to anything else.
fn redirects() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let secure = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("too many redirects")
        } else if secure && attempt.url().scheme() != "https" {
            attempt.error("a redirect away from https")
        } else {
            attempt.follow()
        }
    })
}

impl Transport {
    pub(super) fn new(base: &Url, host: &str, options: RegistryOptions) -> Result<Self, PullError> {
        let mut client = Client::builder()
            .connect_timeout(options.connect)
            .read_timeout(options.stall)
            .redirect(redirects())
            .user_agent(concat!("factory/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "http" {
            client = client.no_proxy();
        }
        let unusable = |source| PullError::Transport { url: base.to_string(), source };
        let authorities = options.authorities.for_reading().map_err(unusable)?;
        let client = client.tls_certs_merge(authorities).build().map_err(unusable)?;
        let auth = Auth::new(base.scheme() == "http", options.credentials.of(host).cloned());
        Ok(Self { client, auth, options })
    }

    /// Whether we have a user name and a password for the registry.
    pub(super) const fn has_login(&self) -> bool {
        self.auth.has_login()
    }

    /// A whole answer of at most `limit` bytes. The body of an answer that is no success is not read.
    pub(super) async fn document(&self, ask: &Ask, limit: u64) -> Result<Answer, PullError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = match timeout(self.options.answer, self.document_once(ask, limit)).await {
                Ok(answer) => answer,
                Err(_) => Err(ask.too_slow(self.options.answer)),
            };
            let outcome = answer.as_ref().map(|answer| (answer.status, &answer.headers));
            match self.wait(attempt, outcome) {
                Some(wait) => sleep(wait).await,
                None => return answer,
            }
        }
    }

    async fn document_once(&self, ask: &Ask, limit: u64) -> Result<Answer, PullError> {
        let response = self.send_authorised(ask).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = if status.is_success() && ask.method != Method::HEAD {
            let bytes = response.bytes_stream().map_err(|source| ask.broken(source)).boxed();
            within(bytes, limit, ask.url.as_str()).await?
        } else {
            Bytes::new()
        };
        Ok(Answer { status, headers, body })
    }

    /// Sends a request until there is an answer that will not change by waiting.
    pub(super) async fn send(&self, ask: &Ask) -> Result<Response, PullError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let response = self.send_authorised(ask).await;
            let outcome = response.as_ref().map(|response| (response.status(), response.headers()));
            match self.wait(attempt, outcome) {
                Some(wait) => sleep(wait).await,
                None => return response,
            }
        }
    }

    /// How long to wait before the next attempt, if another one may help.
    fn wait(&self, attempt: u32, outcome: Result<(StatusCode, &HeaderMap), &PullError>) -> Option<Duration> {
        if attempt >= self.options.attempts {
            return None;
        }
        let backoff = self.backoff(attempt);
        match outcome {
            Ok((status, headers)) if passes(status) => Some(told_wait(headers).unwrap_or(backoff)),
            Err(PullError::Transport { .. } | PullError::Timeout { .. }) => Some(backoff),
            Ok(_) | Err(_) => None,
        }
    }

    async fn send_authorised(&self, ask: &Ask) -> Result<Response, PullError> {
        let token = self.auth.known(&ask.repository);
        let response = self.send_once(ask, token.as_deref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        match self.auth.answer(self, ask, response.headers()).await? {
            Some(token) => self.send_once(ask, Some(&token)).await,
            None => Ok(response),
        }
    }

    async fn send_once(&self, ask: &Ask, authorization: Option<&str>) -> Result<Response, PullError> {
        let mut request = self.client.request(ask.method.clone(), ask.url.clone());
        if let Some(accept) = ask.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if ask.from > 0 {
            request = request.header(RANGE, format!("bytes={}-", ask.from));
        }
        match timeout(self.options.stall, request.send()).await {
            Ok(sent) => sent.map_err(|source| ask.broken(source)),
            Err(_) => Err(ask.too_slow(self.options.stall)),
        }
    }

    /// Asks a token service, which is not asked twice.
    pub(super) async fn token(
        &self,
        ask: &Ask,
        authorization: Option<&str>,
        limit: u64,
    ) -> Result<Answer, PullError> {
        let reading = async {
            let response = self.send_once(ask, authorization).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let bytes = response.bytes_stream().map_err(|source| ask.broken(source)).boxed();
            Ok(Answer { status, headers, body: within(bytes, limit, ask.url.as_str()).await? })
        };
        timeout(self.options.answer, reading).await.unwrap_or_else(|_| Err(ask.too_slow(self.options.answer)))
    }

    pub(super) fn backoff(&self, attempt: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.options.backoff.saturating_mul(factor).min(MAX_WAIT)
    }
}

/// Whether a connection failed because of what the other side said in the TLS handshake, which it will say again.
fn is_distrust(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.is_connect().then_some(error as _);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData) {
            return true;
        }
        // What such an error is made of is not its source.
        let inner = io.and_then(io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
        cause = inner.or_else(|| error.source());
    }
    false
}

/// How long the registry asks us to wait, in seconds; dates are not understood.
fn told_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

/// Whether a status may be another one a little later.
fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}
