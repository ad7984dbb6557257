//! Keys in PKCS#11 tokens. Modules block, so each call is made on a thread of its own.

mod module;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use fs_err as fs;
use signing::{HashAlgorithm, MessageDigest, RsaPublicKey};
use zeroize::Zeroizing;

use super::access::Access;
use super::place::{Fault, Place};
use super::spec::{PinSource, TokenUri};

/// A key in a token. Sessions are kept and used again; one that failed is not.
pub(super) struct TokenKey {
    shared: Arc<Shared>,
}

struct Shared {
    uri: TokenUri,
    idle: Mutex<Vec<OpenKey>>,
    /// The token refused the PIN. It is not tried again: after some attempts tokens lock themselves for ever.
    pin_refused: AtomicBool,
}

/// A session that has found the private key.
struct OpenKey {
    session: Session,
    key: ObjectHandle,
}

impl TokenKey {
    pub(super) fn new(uri: &TokenUri, access: &Access) -> Result<Self, Fault> {
        let mut uri = uri.clone();
        // The variable of cosign and other tools.
        let usual = || access.environment.get("PKCS11_MODULE_PATH").map(Into::into);
        uri.module = uri.module.or_else(usual);
        if uri.module.is_none() {
            return Err(Fault::refused("name the module: `?module-path=FILE` or PKCS11_MODULE_PATH"));
        }
        let (idle, pin_refused) = (Mutex::default(), AtomicBool::new(false));
        Ok(Self { shared: Arc::new(Shared { uri, idle, pin_refused }) })
    }

    async fn with_key<T: Send + 'static>(
        &self,
        use_key: impl FnOnce(&OpenKey) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(&self.shared);
        let used = tokio::task::spawn_blocking(move || {
            let key = shared.take()?;
            let used = use_key(&key)?;
            shared.idle().push(key);
            Ok(used)
        });
        used.await.map_err(Fault::unavailable)?
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<OpenKey>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<OpenKey, Fault> {
        let idle = self.idle().pop();
        idle.map_or_else(|| self.open(), Ok)
    }

    fn open(&self) -> Result<OpenKey, Fault> {
        let session = module::open_session(&self.uri)?;
        self.log_in(&session)?;
        let key = self.find(&session, ObjectClass::PRIVATE_KEY)?;
        let key = key.ok_or_else(|| Fault::refused("the token has no such private key"))?;
        Ok(OpenKey { session, key })
    }

    fn log_in(&self, session: &Session) -> Result<(), Fault> {
        if self.pin_refused.load(Ordering::Relaxed) {
            return Err(Fault::refused("the token refused the PIN, and it is not tried again"));
        }
        let Some(pin) = self.pin()? else { return Ok(()) };
        match session.login(UserType::User, Some(&pin)) {
            // Being logged in is a state of the token, not of the session.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(error) => {
                let refused = matches!(
                    error,
                    Error::Pkcs11(
                        RvError::PinIncorrect
                            | RvError::PinInvalid
                            | RvError::PinLenRange
                            | RvError::PinLocked,
                        _
                    )
                );
                self.pin_refused.fetch_or(refused, Ordering::Relaxed);
                Err(module::fault(error))
            }
        }
    }

    fn pin(&self) -> Result<Option<AuthPin>, Fault> {
        let text = match &self.uri.pin {
            None => return Ok(None),
            Some(PinSource::Value(pin)) => pin.clone(),
            Some(PinSource::File(path)) => {
                let text = Zeroizing::new(fs::read_to_string(path).map_err(Fault::refused_for)?);
                Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
            }
        };
        Ok(Some(AuthPin::from(text.as_str().to_owned())))
    }

    /// The object of a class that belongs to the key, if there is one. Two are an error: the wrong one could sign.
    fn find(&self, session: &Session, class: ObjectClass) -> Result<Option<ObjectHandle>, Fault> {
        let mut wanted = vec![Attribute::Class(class)];
        wanted.extend(self.uri.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
        wanted.extend(self.uri.id.iter().map(|id| Attribute::Id(id.clone())));
        let found = session.find_objects(&wanted).map_err(module::fault)?;
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            _ => Err(Fault::refused("the token has several objects of this name; give their `id` too")),
        }
    }
}

/// `DigestInfo` (RFC 8017 §9.2) of a digest, which tokens want to have ready.
fn digest_info(digest: &MessageDigest) -> Vec<u8> {
    let (algorithm, length) = match digest.algorithm() {
        HashAlgorithm::Sha256 => (1, 32),
        HashAlgorithm::Sha384 => (2, 48),
        HashAlgorithm::Sha512 => (3, 64),
    };
    // SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.2.algorithm, NULL }, OCTET STRING }
    let mut info =
        vec![0x30, length + 17, 0x30, 13, 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, algorithm, 5, 0];
    info.extend([0x04, length]);
    info.extend(digest.as_bytes());
    info
}

#[async_trait]
impl Place for TokenKey {
    async fn public_key(&self) -> Result<RsaPublicKey, Fault> {
        // Private keys have the public components too (PKCS#11 §2.1.3), so no public object is needed.
        let wanted = [AttributeType::Modulus, AttributeType::PublicExponent];
        let read =
            move |open: &OpenKey| open.session.get_attributes(open.key, &wanted).map_err(module::fault);
        let attributes = self.with_key(read).await?;
        let (mut modulus, mut exponent) = (Vec::new(), Vec::new());
        for attribute in attributes {
            match attribute {
                Attribute::Modulus(bytes) => modulus = bytes,
                Attribute::PublicExponent(bytes) => exponent = bytes,
                _ => {}
            }
        }
        Ok(RsaPublicKey::from_components(&modulus, &exponent)?)
    }

    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, Fault> {
        let info = digest_info(digest);
        self.with_key(move |open| {
            open.session.sign(&Mechanism::RsaPkcs, open.key, &info).map_err(module::fault)
        })
        .await
    }

    async fn certificate(&self) -> Result<Option<String>, Fault> {
        let shared = Arc::clone(&self.shared);
        let certificate = self.with_key(move |open| {
            let Some(object) = shared.find(&open.session, ObjectClass::CERTIFICATE)? else { return Ok(None) };
            let read = open.session.get_attributes(object, &[AttributeType::Value]).map_err(module::fault)?;
            Ok(read.into_iter().find_map(|attribute| match attribute {
                Attribute::Value(der) => Some(der),
                _ => None,
            }))
        });
        Ok(certificate.await?.map(|der| super::pem::certificate(&der)))
    }
}
