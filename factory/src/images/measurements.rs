//! What a TPM will have measured once an image has started, told instead of making the image.

use std::sync::Arc;

use builder::VirtualImage;
use builder::plan::{Kind, Report};
use builder::predict::{
    Document, KeyVariables, Program, Register, Role, boot_loader_code, kernel_boot, kernel_config, pcrlock,
    secure_boot_policy,
};
use builder::recipe::addon;
use builder::recipe::uki::MAIN_PROFILE;
use bytes::Bytes;
use schematics::{Blame, Feature, MeasurementFormat, Schematic};
use signing::pkcs7;

use super::Images;
use super::assemble::{Parts, addon_inputs};
use super::error::OpenError;
use super::plan::Planned;
use crate::keys::KeySet;

/// The most of an add-on's beginning that is read: its headers.
const HEAD: u64 = 64 * 1024;

impl Images {
    /// The measurements of a plan's image in the form of a report.
    pub(super) async fn measurements(
        &self,
        planned: &Planned,
        schematic: &Schematic,
        report: &Report,
    ) -> Result<VirtualImage, OpenError> {
        let document = self.document(planned, schematic, &report.asset).await?;
        let text = match report.format {
            MeasurementFormat::Json | MeasurementFormat::JsonSignature => document.to_json(),
            MeasurementFormat::Pcrlock | MeasurementFormat::PcrlockSignature => {
                // Profiles share a register: a component can tell of one, and that is the one that starts by itself.
                let main = |one: &&Register| one.profile.as_deref().is_none_or(|id| id == MAIN_PROFILE);
                pcrlock(&document.predictions().iter().filter(main).collect::<Vec<_>>())
            }
        };
        let failed = |error| OpenError::Layout { blame: Blame::Ours, source: Arc::new(error) };
        let text = text.map_err(failed)?;
        match (&planned.keys, report.format.signed()) {
            (Some(keys), Some(_)) => {
                let (key, certificate) = (keys.secureboot(), keys.certificate());
                let signed = pkcs7::sign_detached(key, certificate, text.as_bytes()).await;
                let failed = |error| OpenError::input("a signature of the measurements", error);
                Ok(VirtualImage::from_bytes(signed.map_err(failed)?))
            }
            (_, None) | (None, _) => Ok(VirtualImage::from_bytes(text)),
        }
    }

    async fn document(
        &self,
        planned: &Planned,
        schematic: &Schematic,
        asset: &str,
    ) -> Result<Document, OpenError> {
        let parts = self.parts(planned, schematic).await?;
        if planned.plan.kind == Kind::Addon {
            return self.addon_document(planned, &parts, asset).await;
        }
        let programs = self.programs(planned, &parts).await?;
        let own = self.uki_parts(&parts).await?;
        let inputs = own.inputs(&planned.plan, &parts);
        let profiles = self.measure_uki(&inputs, planned.keys.as_deref()).await?;
        let mut predictions = vec![boot_loader_code(&programs)];
        if let Some(keys) = &planned.keys {
            predictions.push(self.enforced(planned, keys).await?);
        }
        // An image without profiles has one that has no name.
        let named = planned.plan.version.supports(Feature::UkiProfiles);
        predictions
            .extend(profiles.iter().map(|one| kernel_boot(named.then_some(one.profile), &one.prediction)));
        predictions.push(kernel_config(&[]));
        Ok(Document::new(asset, programs, predictions))
    }

    /// The programs that start, in their order: systemd-boot where a medium has it, then the unified kernel image.
    async fn programs(&self, planned: &Planned, parts: &Parts) -> Result<Vec<Program>, OpenError> {
        let plan = &planned.plan;
        let first = format!("EFI/BOOT/{}", plan.arch.removable_loader());
        let uki = self.uki(planned, parts).await?;
        if plan.kind == Kind::Uki {
            return Ok(vec![self.program(Role::KernelImage, &first, &uki).await?]);
        }
        let sd_boot = self.boot_loader(planned, parts).await?;
        let entry = format!("EFI/Linux/Talos-{}.efi", plan.version);
        Ok(vec![
            self.program(Role::BootLoader, &first, &sd_boot).await?,
            self.program(Role::KernelImage, &entry, &uki).await?,
        ])
    }

    async fn program(&self, role: Role, path: &str, image: &VirtualImage) -> Result<Program, OpenError> {
        let head = self.beginning(image).await?;
        let measured = Program::measure(role, path, (image, &head), self.signed.meter()).await;
        measured.map_err(|error| OpenError::input("the measurements of a program", error))
    }

    async fn beginning(&self, image: &VirtualImage) -> Result<Bytes, OpenError> {
        let head = image.part(0..image.len().min(HEAD)).read_all(&self.store, HEAD).await;
        head.map_err(|error| OpenError::input("the beginning of a program", error))
    }

    /// What a machine that enrolled the keys measures of them. One key signs everything that starts.
    async fn enforced(&self, planned: &Planned, keys: &KeySet) -> Result<Register, OpenError> {
        let well_known = planned.plan.chain.enrolment().is_some_and(|enrolment| enrolment.well_known);
        let enrolment = self.enrolment(keys, well_known).await?;
        let variables = KeyVariables::enrolled(&enrolment);
        let variables = variables.map_err(|error| OpenError::input("the keys to enrol", error))?;
        let authority = variables.authority(std::slice::from_ref(keys.certificate()));
        Ok(secure_boot_policy(&variables, authority.as_slice()))
    }

    async fn addon_document(
        &self,
        planned: &Planned,
        parts: &Parts,
        asset: &str,
    ) -> Result<Document, OpenError> {
        let image = self.addon(planned, parts).await?;
        let program = self.program(Role::Addon, asset, &image).await?;
        let microcode = parts.microcode()?;
        let digests = match &microcode {
            Some(archive) => {
                let digests = self.signed.meter().digests(archive).await;
                Some(digests.map_err(|error| OpenError::input("the microcode", error))?)
            }
            None => None,
        };
        let loaded = addon::loaded(&addon_inputs(&planned.plan, microcode.as_ref()), asset, digests);
        let predictions = vec![kernel_config(&[loaded.map_err(OpenError::layout)?])];
        Ok(Document::new(asset, vec![program], predictions))
    }
}
