//! A place that holds a key: what it must do once, and how it is asked until it does.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable as _};
use signing::{KeyError, MessageDigest, RsaPublicKey, SignError, Signer};

use super::access::Patience;
use super::{Cause, OpenSignerError};

/// A place that holds one key. Each call is one attempt without a time limit of its own.
#[async_trait]
pub(super) trait Place: Send + Sync + 'static {
    /// The public key, read anew. Which version of the key signs is settled by the first call.
    async fn public_key(&self) -> Result<RsaPublicKey, Fault>;

    /// Signs a digest: RSASSA-PKCS1-v1_5.
    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, Fault>;

    /// The certificate kept beside the key, in PEM.
    async fn certificate(&self) -> Result<Option<String>, Fault> {
        Ok(None)
    }
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nobody answered, or the connection was lost.
    Unavailable(Cause),
    /// The place asks to come back later, perhaps after so long.
    Throttled(Cause, Option<Duration>),
    /// The place answered, and asking again would not help.
    Refused(Cause),
    /// The place holds something else than an RSA key that can be used.
    Key(KeyError),
}

/// What a place said, made fit for a log line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Said(String);

/// The most that is repeated of what a place says.
const MAX_SAID: usize = 300;

impl Said {
    pub(super) fn new(text: &str) -> Self {
        Self(text.chars().filter(|c| !c.is_control()).take(MAX_SAID).collect())
    }
}

impl Fault {
    pub(super) fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }

    pub(super) fn refused(said: &str) -> Self {
        Self::Refused(Box::new(Said::new(said)))
    }

    pub(super) fn refused_for(cause: impl Into<Cause>) -> Self {
        Self::Refused(cause.into())
    }

    fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Throttled(..) => true,
            Self::Refused(_) | Self::Key(_) => false,
        }
    }

    /// The pause that was asked for, or else the usual one.
    fn pause(&self, usual: Duration, longest: Duration) -> Duration {
        match self {
            Self::Throttled(_, Some(asked)) => usual.max((*asked).min(longest)),
            Self::Throttled(_, None) | Self::Unavailable(_) | Self::Refused(_) | Self::Key(_) => usual,
        }
    }

    fn cause(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Unavailable(cause) | Self::Throttled(cause, _) | Self::Refused(cause) => cause.as_ref(),
            Self::Key(error) => error,
        }
    }

    pub(super) fn while_opening(self, signer: String) -> OpenSignerError {
        match self {
            Self::Unavailable(source) | Self::Throttled(source, _) => {
                OpenSignerError::Unavailable { signer, source }
            }
            Self::Refused(source) => OpenSignerError::Unusable { signer, source },
            Self::Key(source) => OpenSignerError::Key { signer, source },
        }
    }

    fn while_signing(self, signer: String) -> SignError {
        match self {
            Self::Unavailable(source) => SignError::Unavailable { signer, source },
            Self::Throttled(source, _) => SignError::Throttled { signer, source },
            Self::Refused(source) => SignError::Refused { signer, source },
            Self::Key(error) => SignError::Refused { signer, source: Box::new(error) },
        }
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl Patience {
    /// Asks until there is an answer, a refusal, or no patience left; then the last fault is what it came to.
    pub(super) async fn wait_for<T, F>(&self, signer: &str, ask: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.pause)
            .with_max_delay(self.longest_pause)
            .with_max_times(self.attempts.saturating_sub(1))
            .with_jitter();
        let attempt = || async {
            tokio::time::timeout(self.attempt, ask())
                .await
                .unwrap_or_else(|late| Err(Fault::unavailable(late)))
        };
        attempt
            .retry(pauses)
            .when(Fault::may_pass)
            .adjust(|fault, usual| usual.map(|usual| fault.pause(usual, self.longest_pause)))
            .notify(|fault, pause| {
                let error = crate::log::chain(fault.cause());
                tracing::warn!(signer, error, ?pause, "a signer is asked again");
            })
            .await
    }
}

/// A signer that asks a place, patiently.
pub(super) struct Remote {
    place: Box<dyn Place>,
    name: String,
    patience: Patience,
    public: RsaPublicKey,
}

impl Remote {
    pub(super) async fn open(
        place: Box<dyn Place>,
        name: String,
        patience: Patience,
    ) -> Result<Self, OpenSignerError> {
        match patience.wait_for(&name, || place.public_key()).await {
            Ok(public) => Ok(Self { place, name, patience, public }),
            Err(fault) => Err(fault.while_opening(name)),
        }
    }
}

#[async_trait]
impl Signer for Remote {
    fn public_key(&self) -> &RsaPublicKey {
        &self.public
    }

    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, SignError> {
        let signed = self.patience.wait_for(&self.name, || self.place.sign(digest)).await;
        signed.map_err(|fault| fault.while_signing(self.name.clone()))
    }
}
