//! Envelopes of signed texts: DSSE 1.0, with exactly one signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schematics::{Blame, Blamed};
use serde::{Deserialize, Serialize};

use crate::key::{KeyError, PublicKey, SigningKey, VerifyError};

/// A text, what it is, and its signature. What it says does not count until [`Envelope::verify`] has checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The media type of the text.
    pub payload_type: String,
    /// The text.
    pub payload: Vec<u8>,
    /// The signature over [`pae`] of both.
    pub signature: Vec<u8>,
}

/// Why an envelope does not count.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is not of the shape.
    #[error("not a DSSE envelope")]
    Shape(#[source] serde_json::Error),
    /// A part of it is no base64.
    #[error("the {part} of the envelope is not base64")]
    Encoding {
        /// Which part.
        part: &'static str,
    },
    /// It has none, or more than one, of which only some may be good.
    #[error("expected an envelope with one signature, but it has {found}")]
    Signatures {
        /// How many it has.
        found: usize,
    },
    /// The signature does not fit.
    #[error("the signature of the envelope does not fit")]
    Signature(#[source] VerifyError),
    /// The signature fits a text of another kind.
    #[error("expected an envelope of `{expected}`, but it has `{found}`")]
    PayloadType {
        /// What was expected.
        expected: &'static str,
        /// What it has.
        found: String,
    },
}

impl Blamed for EnvelopeError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Written {
    payload: String,
    payload_type: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSignature {
    sig: String,
}

/// What is signed: the type and the text with their lengths, so that no other pair gives the same bytes.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Envelope {
    /// Signs a text.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(key: &SigningKey, payload_type: &str, payload: Vec<u8>) -> Result<Self, KeyError> {
        let signature = key.sign(&pae(payload_type, &payload))?;
        Ok(Self { payload_type: payload_type.to_owned(), payload, signature })
    }

    /// The text, if it is of this type and signed with this key.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, key: &PublicKey, payload_type: &'static str) -> Result<&[u8], EnvelopeError> {
        key.verify(&pae(&self.payload_type, &self.payload), &self.signature)
            .map_err(EnvelopeError::Signature)?;
        if self.payload_type != payload_type {
            let found = self.payload_type.clone();
            return Err(EnvelopeError::PayloadType { expected: payload_type, found });
        }
        Ok(&self.payload)
    }

    /// The envelope as JSON. The same envelope has the same bytes.
    ///
    /// # Errors
    /// Never in practice: when the texts cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.written())
    }

    /// Reads an envelope whose length the caller has bounded. Nothing is checked yet.
    ///
    /// # Errors
    /// When it is none, or has not exactly one signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::read(serde_json::from_slice(bytes).map_err(EnvelopeError::Shape)?)
    }

    pub(crate) fn written(&self) -> Written {
        Written {
            payload: STANDARD.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: vec![WrittenSignature { sig: STANDARD.encode(&self.signature) }],
        }
    }

    pub(crate) fn read(written: Written) -> Result<Self, EnvelopeError> {
        let [signature] = written.signatures.as_slice() else {
            return Err(EnvelopeError::Signatures { found: written.signatures.len() });
        };
        let decode = |part, text: &str| STANDARD.decode(text).map_err(|_| EnvelopeError::Encoding { part });
        Ok(Self {
            payload: decode("payload", &written.payload)?,
            signature: decode("signature", &signature.sig)?,
            payload_type: written.payload_type,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        let signed = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn an_envelope_counts_for_its_key_its_type_and_its_text() {
        let key = SigningKey::generate().unwrap();
        let envelope = Envelope::sign(&key, "text/x", b"text".to_vec()).unwrap();
        let read = Envelope::decode(&envelope.encode().unwrap()).unwrap();
        assert_eq!(read, envelope);
        assert_eq!(read.verify(key.public_key(), "text/x").unwrap(), b"text");

        let error = read.verify(key.public_key(), "text/y").unwrap_err();
        assert!(matches!(error, EnvelopeError::PayloadType { .. }), "{error}");
        let other = SigningKey::generate().unwrap();
        let (mut text, mut kind) = (envelope.clone(), envelope.clone());
        text.payload = b"test".to_vec();
        kind.payload_type = "text/y".to_owned();
        for (envelope, key) in [(&envelope, &other), (&text, &key), (&kind, &key)] {
            let error = envelope.verify(key.public_key(), "text/x").unwrap_err();
            assert!(matches!(error, EnvelopeError::Signature(_)), "{error}");
        }
    }

    #[test]
    fn envelopes_have_one_signature() {
        let text =
            |signatures| format!("{{\"payload\":\"\",\"payloadType\":\"x\",\"signatures\":[{signatures}]}}");
        assert!(Envelope::decode(text("{\"sig\":\"AA==\",\"keyid\":\"x\"}").as_bytes()).is_ok());
        for (signatures, found) in [("", 0), ("{\"sig\":\"\"},{\"sig\":\"\"}", 2)] {
            let error = Envelope::decode(text(signatures).as_bytes()).unwrap_err();
            assert!(matches!(error, EnvelopeError::Signatures { found: count } if count == found));
        }
        for bad in [text("{\"sig\":\"?\"}"), text("{}"), text("{\"sig\":1}"), String::new()] {
            assert!(Envelope::decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
