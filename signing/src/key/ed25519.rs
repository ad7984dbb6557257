//! Ed25519, RFC 8032.

use std::cell::RefCell;

use aws_lc_rs::rand;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign_byupdate};
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::{
    Digest as _, SECRET_KEY_LENGTH, Sha512, Signature, SignatureError, SigningKey, StreamVerifier,
    VerifyingKey,
};
use zeroize::Zeroizing;

use super::KeyError;

/// What stands in front of the 32 bytes of a key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[derive(Debug, Clone)]
pub(super) struct Public(VerifyingKey);

impl Public {
    /// `None` for keys of other algorithms.
    pub(super) fn from_der(der: &[u8]) -> Option<Result<Self, KeyError>> {
        let bytes = der.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?;
        Some(Self::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Form)?;
        // A weak key fits signatures that nobody made; a point that is written otherwise would be a key with two ids.
        if key.is_weak() || key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::Form);
        }
        Ok(Self(key))
    }

    /// `None` when the bytes can be no signature.
    pub(super) fn verification(&self, signature: &[u8]) -> Option<StreamVerifier> {
        self.0.verify_stream(&Signature::from_slice(signature).ok()?).ok()
    }
}

pub(super) struct Secret(SigningKey);

impl Secret {
    pub(super) fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; SECRET_KEY_LENGTH]);
        rand::fill(seed.as_mut()).map_err(|_| KeyError::Library("generate a key"))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        SigningKey::from_pkcs8_der(der).ok().map(Self)
    }

    /// Without the public key, which older programs do not expect.
    pub(super) fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let secret_key = Zeroizing::new(self.0.to_bytes());
        let der = KeypairBytes { secret_key: *secret_key, public_key: None }.to_pkcs8_der().ok()?;
        Some(der.to_bytes())
    }

    pub(super) fn spki(&self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), self.0.verifying_key().as_bytes()].concat()
    }

    /// Signs a message that is read twice. `None` inside when the library cannot.
    pub(super) fn sign_pieces<E>(
        &self,
        read: impl FnMut(&mut dyn FnMut(&[u8])) -> Result<(), E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let expanded = ExpandedSecretKey::from(self.0.as_bytes());
        let (read, failed) = (RefCell::new(read), RefCell::new(None));
        let update = |hasher: &mut Sha512| {
            let mut read = read.borrow_mut();
            (*read)(&mut |piece| hasher.update(piece)).map_err(|error| {
                failed.replace(Some(error));
                SignatureError::new()
            })
        };
        let signature = raw_sign_byupdate(&expanded, update, &self.0.verifying_key());
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(signature.ok().map(|signature| signature.to_bytes().to_vec())),
        }
    }
}
