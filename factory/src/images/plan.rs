//! From a request to a plan: every name becomes a digest.

use std::sync::Arc;

use builder::PlanId;
use builder::plan::{Chain, Enrolment, Inputs, Kind, Origin, Plan, Signed};
use builder::recipe::iso::{Enroll, EnrollError};
use extensions::layer_set::ResolvedExtension;
use extensions::{ImageRef, catalog, virtual_extension};
use schematics::cmdline::{Composition, KernelArgs, Medium, Profile, profiles};
use schematics::{Boot, Digest};

use super::error::OpenError;
use super::installer::Installer;
use super::request::Request;
use super::{EPOCH, Images};
use crate::keys::KeySet;
use crate::register::Stored;

/// A plan, with what assembling it needs besides digests.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub plan: Plan,
    pub extensions: Vec<ResolvedExtension>,
    pub overlay: Option<ImageRef>,
    /// The image that an archive is made of.
    pub installer: Option<Arc<Installer>>,
    /// What signs, where something is signed.
    pub keys: Option<Arc<KeySet>>,
}

/// Why a SecureBoot image cannot be had without keys.
const NO_KEYS: &str = "secure boot is disabled: this factory has no signing keys";

impl Planned {
    pub(super) fn id(&self) -> PlanId {
        self.plan.id()
    }
}

impl Images {
    /// Resolves a request. Asks the source for what it does not know yet, and makes nothing but GRUB's core images.
    pub(super) async fn plan(
        &self,
        request: &Request<'_>,
        stored: &Stored,
        keys: Option<&Arc<KeySet>>,
    ) -> Result<Planned, OpenError> {
        let keys = signers(request, keys)?;
        let version = request.version;
        let release =
            self.available.release(version).await.map_err(|error| OpenError::input("kernel", error))?;
        let extensions = if request.is_customised() { self.resolve(request).await? } else { Vec::new() };
        let overlay = if request.has_overlay() { Some(self.overlay(request).await?) } else { None };
        let board = self.board_arguments(request, overlay.as_ref()).await?;
        let (cmdline, profiles) = self.command_lines(request, &board)?;
        let grub = self.grub_digests(request).await?;
        let installer = self.installer_inputs(request, stored).await?;
        let plan = Plan {
            kind: request.kind,
            report: request.report(),
            version: version.clone(),
            arch: request.target.arch,
            chain: chain(request, keys)?,
            inputs: Inputs {
                release: (request.kind != Kind::Cmdline).then_some(release.digest),
                extensions: extensions.iter().map(|extension| extension.image.digest).collect(),
                overlay: overlay.as_ref().map(|image| image.digest),
                grub,
                installer,
            },
            origin: self.origin(request, stored),
            cmdline,
            profiles,
            tools: self.tools(!extensions.is_empty()).await,
        };
        Ok(Planned { plan, extensions, overlay, installer: None, keys: keys.cloned() })
    }

    /// What the schematic adds of its own.
    fn origin(&self, request: &Request<'_>, stored: &Stored) -> Option<Origin> {
        let configuration = &request.schematic.customization.embedded_machine_configuration;
        request.is_customised().then(|| Origin {
            schematic: stored.id.digest(),
            author: virtual_extension::author(&self.settings.external_url),
            embedded: (!configuration.is_empty()).then(|| Digest::of(configuration.as_bytes())),
        })
    }

    /// The main command line, empty where the image has none, and those of further boot entries.
    fn command_lines(
        &self,
        request: &Request<'_>,
        board: &[String],
    ) -> Result<(String, Vec<Profile>), OpenError> {
        let customization = &request.schematic.customization;
        if request.kind == Kind::Addon {
            return Ok((addition(&customization.extra_kernel_args)?, Vec::new()));
        }
        let text = (request.kind == Kind::Cmdline).then_some(Medium::Text);
        let Some(medium) = request.medium().or(text) else { return Ok((String::new(), Vec::new())) };
        let line = Composition {
            version: request.version,
            target: request.target,
            medium,
            overlay: board,
            extra: &customization.extra_kernel_args,
            meta: &customization.meta,
            lockdown: self.settings.lockdown,
        };
        let line = line.compose();
        let others = if medium == Medium::Iso { profiles(request.version, true, &line) } else { Vec::new() };
        Ok((line.to_string(), others))
    }

    /// What computes bytes here: another version of it may make others of the same inputs.
    async fn tools(&self, with_extensions: bool) -> String {
        let compressors = builder::format::compress::revision();
        let tools = format!("{compressors} level {} epoch {EPOCH}", self.settings.level);
        if !with_extensions {
            return tools;
        }
        // Only an extension can have modules. Without depmod such an image fails, and no plan of it is remembered.
        match self.available.kitchen().depmod_version().await {
            Ok(version) => format!("{tools} depmod {version}"),
            Err(_) => tools,
        }
    }

    /// Finds the schematic's extensions in the version's catalogue.
    async fn resolve(&self, request: &Request<'_>) -> Result<Vec<ResolvedExtension>, OpenError> {
        let wanted = &request.schematic.customization.system_extensions;
        if wanted.official_extensions.is_empty() {
            return Ok(Vec::new());
        }
        let names = wanted.names().map_err(|error| OpenError::Schematic(error.to_string()))?;
        let entries = self.available.extensions(request.version).await;
        let entries = entries.map_err(|error| OpenError::input("the extension catalogue", error))?;
        let find = |name| {
            let entry = catalog::find(&entries, name, request.version);
            let entry = entry.map_err(|error| OpenError::Schematic(error.to_string()))?;
            crate::metrics::extension_used(entry.name.as_str());
            Ok(ResolvedExtension { name: name.to_string(), image: entry.image() })
        };
        let found: Vec<ResolvedExtension> = names.iter().map(find).collect::<Result<_, OpenError>>()?;
        // What was cooked of them before may be of a time when others were trusted.
        let admitted = found.iter().map(|extension| self.available.admit(&extension.image));
        // Of several that are refused the first is told, whichever answer comes first.
        let admitted = futures::future::join_all(admitted).await;
        admitted
            .into_iter()
            .collect::<Result<(), _>>()
            .map_err(|error| OpenError::input("an extension", error))?;
        Ok(found)
    }
}

/// What signs a request's image. The original asks for keys before anything else about SecureBoot.
fn signers<'a>(
    request: &Request<'_>,
    keys: Option<&'a Arc<KeySet>>,
) -> Result<Option<&'a Arc<KeySet>>, OpenError> {
    match (request.target.boot, keys) {
        (Boot::Plain, _) => Ok(None),
        (Boot::Secure, Some(keys)) => Ok(Some(keys)),
        (Boot::Secure, None) => Err(OpenError::Schematic(NO_KEYS.to_owned())),
    }
}

/// How the boot chain is trusted. A command line is signed by nobody, and the same whoever signs the image it is for.
fn chain(request: &Request<'_>, keys: Option<&Arc<KeySet>>) -> Result<Chain, OpenError> {
    let Some(keys) = keys else { return Ok(Chain::Plain) };
    let options = &request.schematic.customization.secureboot;
    let mode = match options.enroll_keys.as_str() {
        "" => Enroll::IfSafe,
        word => word.parse().map_err(|error: EnrollError| OpenError::Schematic(error.to_string()))?,
    };
    let enrolment = matches!(request.kind, Kind::UefiIso)
        .then_some(Enrolment { mode, well_known: options.include_well_known_certificates });
    Ok(match request.kind {
        Kind::Kernel | Kind::Initramfs | Kind::Cmdline | Kind::OverlayLayer => Chain::Plain,
        Kind::Uki
        | Kind::UefiIso
        | Kind::HybridIso
        | Kind::GrubIso
        | Kind::Addon
        | Kind::InstallerLayer
        | Kind::InstallerArchive => Chain::Secure(Signed { by: keys.identity(), enrolment }),
    })
}

/// The command line of an add-on: what the schematic adds, since what an image has already cannot be taken from it.
fn addition(extra: &[String]) -> Result<String, OpenError> {
    let removed = extra
        .iter()
        .flat_map(|argument| argument.split_whitespace())
        .find(|word| word.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && !rest.starts_with('=')));
    match removed {
        Some(word) => Err(OpenError::Schematic(format!(
            "an add-on can only add kernel arguments, but `{word}` removes one; use the image itself"
        ))),
        None => Ok(KernelArgs::parse(extra).to_string()),
    }
}
