//! Answering a registry's challenge: basic authentication, or a token from the service it names.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::credentials::Login;
use super::transport::{Ask, Transport};
use crate::reference::Repository;
use crate::source::PullError;

/// The largest answer of a token service, in bytes.
const MAX_TOKEN: u64 = 64 << 10;

/// What is known about proving who we are.
pub(super) struct Auth {
    /// Whether the registry itself is spoken to without TLS.
    plain: bool,
    login: Option<Login>,
    /// `Authorization` headers that worked, by repository; replaced when the registry wants another one.
    known: Mutex<HashMap<Repository, String>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("login", &self.login.is_some()).finish_non_exhaustive()
    }
}

impl Auth {
    pub(super) fn new(plain: bool, login: Option<Login>) -> Self {
        Self { plain, login, known: Mutex::default() }
    }

    /// Whether there is a user name and a password.
    pub(super) const fn has_login(&self) -> bool {
        self.login.is_some()
    }

    pub(super) fn known(&self, repository: &Repository) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(repository).cloned()
    }

    /// The header the challenge asks for; `None` when we have nothing to answer.
    pub(super) async fn answer(
        &self,
        transport: &Transport,
        ask: &Ask,
        headers: &HeaderMap,
    ) -> Result<Option<String>, PullError> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        for text in texts {
            let Ok(challenges) = http_auth::parser::ChallengeParser::new(text).collect::<Result<Vec<_>, _>>()
            else {
                continue;
            };
            for challenge in challenges {
                let header = if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    let parameter = |name: &str| {
                        let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                        found.map(|(_, value)| value.to_unescaped())
                    };
                    self.token(transport, ask, (parameter("realm"), parameter("service"))).await?
                } else if challenge.scheme.eq_ignore_ascii_case("basic") {
                    self.login.as_ref().map(Login::basic)
                } else {
                    None
                };
                if let Some(header) = header {
                    let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                    known.insert(ask.repository.clone(), header.clone());
                    return Ok(Some(header));
                }
            }
        }
        Ok(None)
    }

    /// Gets a token for reading the repository (the distribution project's token specification).
    async fn token(
        &self,
        transport: &Transport,
        ask: &Ask,
        (realm, service): (Option<String>, Option<String>),
    ) -> Result<Option<String>, PullError> {
        let wrong = |what| PullError::Protocol { url: ask.url.to_string(), what };
        let realm = realm.ok_or_else(|| wrong("its challenge names no token service"))?;
        let mut url = Url::parse(&realm).map_err(|_| wrong("its token service has no URL"))?;
        if !(url.scheme() == "https" || self.plain && url.scheme() == "http") {
            return Err(wrong("its token service is not reached over https"));
        }
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", &service);
        }
        url.query_pairs_mut().append_pair("scope", &format!("repository:{}:pull", ask.repository));
        let ask = Ask { method: Method::GET, url, accept: None, from: 0, repository: ask.repository.clone() };
        let login = self.login.as_ref().map(Login::basic);
        let answer = transport.token(&ask, login.as_deref(), MAX_TOKEN).await?;
        if answer.status != StatusCode::OK {
            return Ok(None);
        }
        let what = || format!("the answer of the token service {}", ask.url);
        let token: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|source| PullError::Malformed { what: what(), source })?;
        Ok(token.token.or(token.access_token).map(|token| format!("Bearer {token}")))
    }
}

impl Login {
    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }
}
