//! The keys' part in making an image.
//!
//! A signature that fails fails the image: nothing is remembered that is signed in part.

use std::sync::Arc;

use builder::measure::Meter;
use builder::recipe::iso::IsoError;
use builder::recipe::uki::{self, ProfileMeasurement, UkiInputs};
use builder::sign::sign_program;
use builder::tree::{Tree, TreeError};
use builder::{Blob, BlobStore, VirtualImage};
use moka::future::Cache;
use schematics::Digest;
use signing::PcrSignatures;
use signing::auth::Variable;
use signing::enrolment::Enrolment;
use signing::well_known::{WELL_KNOWN, WellKnown};

use super::Images;
use super::error::OpenError;
use crate::keys::KeySet;

/// How many signed boot loaders, and how many sets of variables to enrol, are remembered.
const REMEMBERED: u64 = 64;
/// Where an ISO has the certificate its programs are signed with, for whoever enrols by hand.
const CERTIFICATE: &str = "EFI/keys/uki-signing-cert.der";
/// Where systemd-boot looks for variables to enrol, in a set that it enrols on its own.
const AUTO: &str = "loader/keys/auto";

/// What was signed and measured so far. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    meter: Meter,
    boot_loaders: Cache<(Digest, Digest), VirtualImage>,
    enrolments: Cache<(Digest, bool), Arc<Enrolment>>,
}

impl Signed {
    /// Nothing yet; contents are read from `store`.
    pub(super) fn new(store: Arc<dyn BlobStore>) -> Self {
        let (boot_loaders, enrolments) = (Cache::new(REMEMBERED), Cache::new(REMEMBERED));
        Self { meter: Meter::new(store), boot_loaders, enrolments }
    }

    pub(super) const fn meter(&self) -> &Meter {
        &self.meter
    }
}

impl Images {
    /// What PCR 11 holds for each profile of a unified kernel image.
    pub(super) async fn measure_uki(
        &self,
        inputs: &UkiInputs<'_>,
        keys: Option<&KeySet>,
    ) -> Result<Vec<ProfileMeasurement>, OpenError> {
        let meter = self.signed.meter();
        let measured = match keys {
            Some(keys) => uki::measure_signed(inputs, keys.pcr().public_key(), meter).await,
            None => uki::measure(inputs, meter).await,
        };
        measured.map_err(|error| OpenError::input("the measurements of the image", error))
    }

    /// A unified kernel image with a policy over PCR 11 for each profile, signed as a whole.
    pub(super) async fn signed_uki(
        &self,
        inputs: &UkiInputs<'_>,
        keys: &KeySet,
    ) -> Result<VirtualImage, OpenError> {
        let mut signatures = Vec::new();
        for measured in self.measure_uki(inputs, Some(keys)).await? {
            let values = *measured.prediction.value();
            let signed = PcrSignatures::sign(keys.pcr(), values.as_array()).await;
            signatures.push(signed.map_err(|error| OpenError::input("a signature over PCR 11", error))?);
        }
        let unsigned = uki::lay_out_signed(inputs, keys.pcr().public_key(), &signatures);
        self.sign(&unsigned.map_err(OpenError::layout)?, keys).await
    }

    /// The release's boot loader, signed once for all images of the same keys.
    pub(super) async fn signed_boot_loader(
        &self,
        blob: Blob,
        keys: &KeySet,
    ) -> Result<VirtualImage, OpenError> {
        let key = (blob.digest, keys.identity());
        let image = VirtualImage::from_blob(blob);
        let signed = self.signed.boot_loaders.try_get_with(key, self.sign(&image, keys)).await;
        signed.map_err(|error| OpenError::clone(&error))
    }

    /// A program with a signature behind it.
    pub(super) async fn sign(
        &self,
        program: &VirtualImage,
        keys: &KeySet,
    ) -> Result<VirtualImage, OpenError> {
        let signed = sign_program(program, keys.secureboot(), keys.certificate(), &self.store).await;
        signed.map_err(|error| OpenError::input("a SecureBoot signature", error))
    }

    /// What firmware that knows no keys yet enrols to trust these: the operator's own files, or updates signed once.
    ///
    /// # Errors
    /// When the key does not sign.
    pub async fn enrolment(&self, keys: &KeySet, well_known: bool) -> Result<Arc<Enrolment>, OpenError> {
        if let Some(own) = keys.enrolment() {
            return Ok(Arc::clone(own));
        }
        let others: &[WellKnown] = if well_known { &WELL_KNOWN } else { &[] };
        let sign = async {
            let signed = Enrolment::sign(keys.secureboot(), keys.certificate(), others).await;
            signed.map(Arc::new).map_err(|error| OpenError::input("the keys to enrol", error))
        };
        let signed = self.signed.enrolments.try_get_with((keys.identity(), well_known), sign).await;
        signed.map_err(|error| OpenError::clone(&error))
    }

    /// What the keys add to an EFI system partition.
    pub(super) async fn key_files(&self, keys: &KeySet, well_known: bool) -> Result<Tree, OpenError> {
        let enrolment = self.enrolment(keys, well_known).await?;
        tree(keys, &enrolment).map_err(|error| OpenError::layout(IsoError::Tree(error)))
    }
}

fn tree(keys: &KeySet, enrolment: &Enrolment) -> Result<Tree, TreeError> {
    let mut tree = Tree::default();
    let file = |bytes: &[u8]| VirtualImage::from_bytes(bytes.to_vec());
    tree.insert_file(CERTIFICATE, 0o600, file(keys.certificate().to_der()))?;
    for variable in Variable::ALL {
        tree.insert_file(&format!("{AUTO}/{}.auth", variable.name()), 0o644, file(enrolment.auth(variable)))?;
    }
    Ok(tree)
}
