//! The key that signs what the factory serves.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use signing::SigningKey;

/// The key that signs what the factory serves. Clones are the same key; only its name can be printed.
#[derive(Clone)]
pub struct Seal(Arc<SigningKey>);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seal").field(&self.0.id()).finish()
    }
}

impl Deref for Seal {
    type Target = SigningKey;

    fn deref(&self) -> &SigningKey {
        &self.0
    }
}

impl From<SigningKey> for Seal {
    fn from(key: SigningKey) -> Self {
        Self(Arc::new(key))
    }
}
