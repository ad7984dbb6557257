//! Signatures over messages that are not in memory.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use ed25519_dalek::StreamVerifier;

use super::{Public, PublicKey, VerifyError, p256};

/// The check of a signature, while the message comes in pieces.
pub struct Verification {
    state: State,
    refused: VerifyError,
}

enum State {
    P256 {
        key: p256::Public,
        hasher: Context,
        signature: Vec<u8>,
    },
    Ed25519(Box<StreamVerifier>),
    /// What was given can be no signature.
    Hopeless,
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").field("key", &self.refused.key).finish_non_exhaustive()
    }
}

impl Verification {
    pub(super) fn new(key: &PublicKey, signature: &[u8]) -> Self {
        let state = match &key.parsed {
            Public::P256(key) => {
                State::P256 { key: key.clone(), hasher: Context::new(&SHA256), signature: signature.to_vec() }
            }
            Public::Ed25519(key) => match key.verification(signature) {
                Some(verifier) => State::Ed25519(Box::new(verifier)),
                None => State::Hopeless,
            },
        };
        Self { state, refused: VerifyError { key: key.id() } }
    }

    /// The next piece of the message.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.state {
            State::P256 { hasher, .. } => hasher.update(piece),
            State::Ed25519(verifier) => verifier.update(piece),
            State::Hopeless => {}
        }
    }

    /// Ends the message.
    ///
    /// # Errors
    /// When the signature was not made over these bytes with this key, whatever the reason.
    pub fn finish(self) -> Result<(), VerifyError> {
        let fits = match self.state {
            State::P256 { key, hasher, signature } => key.fits(&hasher.finish(), &signature),
            State::Ed25519(verifier) => verifier.finalize_and_verify().is_ok(),
            State::Hopeless => false,
        };
        if fits { Ok(()) } else { Err(self.refused) }
    }
}

/// The SHA-256 of what is read.
pub(super) fn digest<E>(mut read: impl FnMut(&mut dyn FnMut(&[u8])) -> Result<(), E>) -> Result<[u8; 32], E> {
    let mut hasher = Context::new(&SHA256);
    read(&mut |piece| hasher.update(piece))?;
    let mut digest = [0; 32];
    digest.copy_from_slice(hasher.finish().as_ref());
    Ok(digest)
}
