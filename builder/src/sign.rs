//! Signing UEFI programs for SecureBoot, and checking who signed one.
//!
//! A signature needs the bytes of a program hashed once, not stored again: the signed image is the unsigned one with two
//! numbers in its headers and a table behind it, and its kernel stays the extent it is.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use schematics::{Blame, Blamed};
use signing::authenticode::{self, MAX_TABLE, Signature, SignatureError, TableError};
use signing::pkcs7::{Pkcs7Error, Pkcs7ReadError};
use signing::{Certificate, HashAlgorithm, MessageDigest, Signer};
use tokio::runtime::Handle;
use tokio::task;

use crate::format::pe::{self, PeError};
use crate::image::VirtualImage;
use crate::store::{BlobStore, StoreError};

/// Why a program has no Authenticode digest, or its signatures cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is no program that can be signed.
    #[error("not an EFI program that can be signed")]
    Pe(#[from] PeError),
    /// Its bytes cannot be read.
    #[error("the program cannot be read")]
    Store(#[from] StoreError),
    /// Hashing was stopped, since the process is ending.
    #[error("hashing the program was stopped")]
    Stopped,
    /// Its table of signatures is none.
    #[error("the table of signatures of the program cannot be read")]
    Table(#[from] TableError),
    /// A signature in the table is none.
    #[error("signature {number} of the program cannot be read")]
    Signature {
        /// Which, from 1 on.
        number: usize,
        /// Why.
        #[source]
        source: Pkcs7ReadError,
    },
}

impl Blamed for ProgramError {
    fn blame(&self) -> Blame {
        match self {
            Self::Pe(_) | Self::Signature { .. } => Blame::Upstream,
            Self::Table(source) => source.blame(),
            Self::Store(source) => source.blame(),
            Self::Stopped => Blame::Busy,
        }
    }
}

/// Why a program is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignProgramError {
    /// It cannot be hashed, or has no room for a signature.
    #[error("the program cannot be signed")]
    Program(#[from] ProgramError),
    /// There is no signature.
    #[error("there is no signature for the program with digest {digest}")]
    Signature {
        /// The Authenticode digest of the program.
        digest: MessageDigest,
        /// Why.
        #[source]
        source: Pkcs7Error,
    },
}

impl Blamed for SignProgramError {
    fn blame(&self) -> Blame {
        match self {
            Self::Program(source) => source.blame(),
            Self::Signature { source, .. } => source.blame(),
        }
    }
}

/// The Authenticode digest of a program, signed or not, which is also what firmware measures into PCR 4.
///
/// Reads its bytes once, in pieces, away from the threads of the runtime.
///
/// # Errors
/// When it is no PE32+ image of a sane layout, or cannot be read.
pub async fn authenticode_digest(
    program: &VirtualImage,
    algorithm: HashAlgorithm,
    store: &Arc<dyn BlobStore>,
) -> Result<MessageDigest, ProgramError> {
    let head = head(program, store).await?;
    let signed = pe::signed_bytes(program, &head)?;
    let mut pieces = signed.read(Arc::clone(store), 0..signed.len());
    let runtime = Handle::current();
    let work = move || {
        let mut hasher = algorithm.hasher();
        while let Some(piece) = runtime.block_on(pieces.next()) {
            hasher.update(&piece?);
        }
        Ok(hasher.finish())
    };
    task::spawn_blocking(work).await.map_err(|_| ProgramError::Stopped)?
}

/// Signs a program that is not signed: a unified kernel image or an add-on to one, or a boot loader.
///
/// The same program, key and certificate have the same bytes for ever. Nothing is stored.
///
/// # Errors
/// When it is no PE32+ image of a sane layout, is signed already, or cannot be read; when the certificate is not about the
/// signer's key; and when the key does not sign.
pub async fn sign_program(
    program: &VirtualImage,
    signer: &dyn Signer,
    certificate: &Certificate,
    store: &Arc<dyn BlobStore>,
) -> Result<VirtualImage, SignProgramError> {
    let head = head(program, store).await?;
    // Before anything is hashed, and before anybody is asked to sign.
    pe::attach_certificates(program, &head, Vec::new()).map_err(ProgramError::from)?;
    let digest = authenticode_digest(program, HashAlgorithm::Sha256, store).await?;
    let failed = |source| SignProgramError::Signature { digest, source };
    let signature = authenticode::sign(signer, certificate, &digest).await.map_err(failed)?;
    let table = authenticode::table(&signature).map_err(ProgramError::from)?;
    Ok(pe::attach_certificates(program, &head, table).map_err(ProgramError::from)?)
}

/// The signatures of a program, in their order; none when it is not signed. Nothing in them is believed yet. Entries of
/// the table that are not Authenticode signatures are left out.
///
/// # Errors
/// When it is no PE32+ image, its table of signatures or one of them cannot be read, or its bytes cannot.
pub async fn signatures(
    program: &VirtualImage,
    store: &Arc<dyn BlobStore>,
) -> Result<Vec<Signature>, ProgramError> {
    let head = head(program, store).await?;
    let Some(place) = pe::certificates(&head, program.len())? else { return Ok(Vec::new()) };
    let table = program.part(place).read_all(store, MAX_TABLE as u64).await?;
    let entries = authenticode::entries(&table)?;
    let signatures = entries.iter().filter_map(|entry| entry.pkcs7()).enumerate();
    signatures
        .map(|(index, bytes)| {
            let failed = |source| ProgramError::Signature { number: index + 1, source };
            authenticode::read(bytes).map_err(failed)
        })
        .collect()
}

/// Why a program is not believed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyProgramError {
    /// It, or its signatures, cannot be read.
    #[error("the signatures of the program cannot be checked")]
    Program(#[from] ProgramError),
    /// It has no signature.
    #[error("the program is not signed")]
    Unsigned,
    /// None of its signatures counts.
    #[error("no signature of the program counts")]
    Refused {
        /// Why the first one does not.
        #[source]
        first: SignatureError,
    },
}

impl Blamed for VerifyProgramError {
    fn blame(&self) -> Blame {
        match self {
            Self::Program(source) => source.blame(),
            Self::Unsigned | Self::Refused { .. } => Blame::Upstream,
        }
    }
}

/// Checks that a program has a signature by whom `trusted` certifies, as firmware with that certificate in `db` does.
///
/// # Errors
/// When it has none, it was changed, somebody else signed it, or it cannot be read.
pub async fn verify_program(
    program: &VirtualImage,
    trusted: &Certificate,
    store: &Arc<dyn BlobStore>,
) -> Result<(), VerifyProgramError> {
    let mut first = None;
    let mut digests: Vec<MessageDigest> = Vec::new();
    for signature in signatures(program, store).await? {
        let algorithm = signature.digest().algorithm();
        let digest = match digests.iter().find(|known| known.algorithm() == algorithm) {
            Some(known) => *known,
            None => authenticode_digest(program, algorithm, store).await?,
        };
        match authenticode::verify(&signature, &digest, trusted) {
            Ok(()) => return Ok(()),
            Err(reason) => first = first.or(Some(reason)),
        }
        digests.push(digest);
    }
    Err(first.map_or(VerifyProgramError::Unsigned, |first| VerifyProgramError::Refused { first }))
}

async fn head(program: &VirtualImage, store: &Arc<dyn BlobStore>) -> Result<Bytes, ProgramError> {
    Ok(program.part(0..pe::HEAD).read_all(store, pe::HEAD).await?)
}

#[cfg(test)]
mod tests;
