//! Keys of SecureBoot.

use super::error::ApiError;

/// `GET /secureboot/signing-cert.pem`.
pub(super) async fn certificate() -> ApiError {
    ApiError::unsupported("secure_boot_disabled", "secure boot is disabled: this factory has no signing keys")
}
