//! A small certificate authority with a transparency log, in the shape of Sigstore's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use schematics::Digest;
use serde_json::{Value, json};
use signing::SigningKey;

use crate::trust::TrustRoot;

/// When certificates begin to be good, in seconds since 1970; they are for a thousand.
pub(super) const BEGIN: i64 = 1_700_000_000;
pub(super) const ISSUER: &str = "https://issuer.example";
/// The extension in which Fulcio says who has checked the identity.
const ISSUER_OID: [u64; 9] = [1, 3, 6, 1, 4, 1, 57264, 1, 8];

pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    log: SigningKey,
}

/// Somebody with a certificate.
pub(super) struct Identity {
    pub(super) pem: String,
    pub(super) der: Vec<u8>,
    pub(super) key: SigningKey,
}

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = name("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, log: SigningKey::generate().unwrap() }
    }

    /// The certificate of the authority itself.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(super) fn root(&self) -> TrustRoot {
        TrustRoot::from_json(&self.json().to_string()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        let always = json!({ "start": "2020-01-01T00:00:00Z" });
        let log = self.log.public_key().to_der();
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": "https://log.example",
                "hashAlgorithm": "SHA2_256",
                "publicKey": { "rawBytes": b64(log), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": always },
                "logId": { "keyId": b64(Digest::of(log).as_bytes()) },
            }],
            "certificateAuthorities": [{
                "subject": { "organization": "example", "commonName": "authority" },
                "uri": "https://authority.example",
                "certChain": { "certificates": [{ "rawBytes": b64(self.issuer.der()) }] },
                "validFor": always,
            }],
            "ctlogs": [],
            "timestampAuthorities": [],
        })
    }

    pub(super) fn certify(&self, email: &str) -> Identity {
        let pair = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::Rfc822Name(email.try_into().unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let len = u8::try_from(ISSUER.len()).unwrap();
        let said = [&[0x0c, len], ISSUER.as_bytes()].concat();
        params.custom_extensions = vec![CustomExtension::from_oid_content(&ISSUER_OID, said)];
        let begin = std::time::UNIX_EPOCH + std::time::Duration::from_secs(BEGIN.unsigned_abs());
        params.not_before = begin.into();
        params.not_after = (begin + std::time::Duration::from_secs(1000)).into();
        let certificate = params.signed_by(&pair, &self.issuer).unwrap();
        let key = SigningKey::from_pem(&pair.serialize_pem()).unwrap();
        Identity { pem: certificate.pem(), der: certificate.der().to_vec(), key }
    }

    /// The body of the log's entry for a signature over `message`.
    pub(super) fn body(who: &Identity, message: &[u8], signature: &[u8]) -> Vec<u8> {
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": Digest::of(message).hex().to_string() } },
                "signature": { "content": b64(signature), "publicKey": { "content": b64(&who.pem) } },
            },
        });
        body.to_string().into_bytes()
    }

    /// The body for an envelope.
    pub(super) fn envelope_body(who: &Identity, payload: &[u8], signature: &[u8]) -> Vec<u8> {
        let hash = json!({ "algorithm": "sha256", "value": Digest::of(payload).hex().to_string() });
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": hash,
                "payloadHash": hash,
                "signatures": [{ "signature": b64(signature), "verifier": b64(&who.pem) }],
            },
        });
        body.to_string().into_bytes()
    }

    fn log_id(&self) -> Digest {
        Digest::of(self.log.public_key().to_der())
    }

    /// The log's promise that the entry was there at `time`.
    fn promise(&self, body: &[u8], time: i64) -> Vec<u8> {
        let said = format!(
            r#"{{"body":"{}","integratedTime":{time},"logID":"{}","logIndex":0}}"#,
            b64(body),
            self.log_id().hex()
        );
        self.log.sign(said.as_bytes()).unwrap()
    }

    /// The promise as cosign's annotation has it.
    pub(super) fn note(&self, body: &[u8], time: i64) -> String {
        let payload = json!({ "body": b64(body), "integratedTime": time, "logIndex": 0, "logID": self.log_id().hex().to_string() });
        json!({ "SignedEntryTimestamp": b64(self.promise(body, time)), "Payload": payload }).to_string()
    }

    /// The entry as a bundle has it, with the proof that it is the only one in the log.
    pub(super) fn entry(&self, kind: &str, body: &[u8], time: i64) -> Value {
        let leaf = Digest::of(&[&[0], body].concat());
        let tree = format!("log.example\n1\n{}\n", b64(leaf.as_bytes()));
        let signature = self.log.sign(tree.as_bytes()).unwrap();
        let signature = [&self.log_id().as_bytes()[..4], &signature].concat();
        let checkpoint = format!("{tree}\n— log.example {}\n", b64(signature));
        json!({
            "logIndex": "0",
            "logId": { "keyId": b64(self.log_id().as_bytes()) },
            "kindVersion": { "kind": kind, "version": "0.0.1" },
            "integratedTime": time.to_string(),
            "inclusionPromise": { "signedEntryTimestamp": b64(self.promise(body, time)) },
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": b64(leaf.as_bytes()),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": { "envelope": checkpoint },
            },
            "canonicalizedBody": b64(body),
        })
    }
}

fn name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}
