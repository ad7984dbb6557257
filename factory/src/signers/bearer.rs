//! Access tokens of OAuth 2.0 (RFC 6749), which Azure and Google ask for.

use std::future::Future;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::place::Fault;
use super::service::Answer;

/// How long before its end a token is not used any more.
const EARLY: Duration = Duration::from_secs(120);

/// A token that is kept while it is valid.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Token>>);

/// A token, until when.
#[derive(Clone)]
pub(super) struct Token {
    text: Zeroizing<String>,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Zeroizing<String>,
    expires_in: Seconds,
}

/// Azure's managed identities say it as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl Token {
    /// The token of an answer of a token endpoint.
    pub(super) fn of(answer: &Answer) -> Result<Self, Fault> {
        let granted: Granted = answer.json()?;
        let seconds = match granted.expires_in {
            Seconds::Number(seconds) => seconds,
            Seconds::Text(text) => text.parse().unwrap_or(0),
        };
        Ok(Self {
            text: granted.access_token,
            until: Instant::now() + Duration::from_secs(seconds.min(86_400)),
        })
    }
}

impl Kept {
    /// The kept token, or a new one. Those who come meanwhile wait for it.
    pub(super) async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<Zeroizing<String>, Fault>
    where
        F: Future<Output = Result<Token, Fault>>,
    {
        let mut kept = self.0.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| Instant::now() + EARLY < token.until) {
            return Ok(token.text.clone());
        }
        let token = fetch().await?;
        let text = token.text.clone();
        *kept = Some(token);
        Ok(text)
    }

    /// Forgets the token, which was refused.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
