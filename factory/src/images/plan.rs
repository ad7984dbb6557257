//! From a request to a plan: every name becomes a digest.

use builder::PlanId;
use builder::plan::{Inputs, Kind, Origin, Plan};
use extensions::layer_set::ResolvedExtension;
use extensions::{catalog, virtual_extension};
use schematics::cmdline::{Composition, Medium, profiles};
use schematics::{Boot, Digest};

use super::error::OpenError;
use super::request::Request;
use super::{EPOCH, Images};
use crate::register::Stored;

/// A plan, with what assembling it needs besides digests.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub plan: Plan,
    pub extensions: Vec<ResolvedExtension>,
}

impl Planned {
    pub(super) fn id(&self) -> PlanId {
        self.plan.id()
    }
}

impl Images {
    /// Resolves a request. Asks the source for what it does not know yet, and makes nothing but GRUB's core images.
    pub(super) async fn plan(&self, request: &Request<'_>, stored: &Stored) -> Result<Planned, OpenError> {
        let version = request.version;
        let release =
            self.available.release(version).await.map_err(|error| OpenError::input("kernel", error))?;
        let extensions = if request.is_customised() { self.resolve(request).await? } else { Vec::new() };
        let customization = &request.schematic.customization;
        let configuration = &customization.embedded_machine_configuration;
        let origin = request.is_customised().then(|| Origin {
            schematic: stored.id.digest(),
            author: virtual_extension::author(&self.settings.external_url),
            embedded: (!configuration.is_empty()).then(|| Digest::of(configuration.as_bytes())),
        });
        let medium = request.medium().or((request.kind == Kind::Cmdline).then_some(Medium::Text));
        let line = medium.map(|medium| {
            let (extra, meta) = (&customization.extra_kernel_args, &customization.meta);
            Composition { version, target: request.target, medium, overlay: &[], extra, meta }.compose()
        });
        let profiles = match (&line, medium) {
            (Some(main), Some(Medium::Iso)) => profiles(version, true, main),
            _ => Vec::new(),
        };
        let grub = self.grub_digests(request).await?;
        let plan = Plan {
            kind: request.kind,
            version: version.clone(),
            arch: request.target.arch,
            boot: Boot::Plain,
            inputs: Inputs {
                release: (request.kind != Kind::Cmdline).then_some(release.digest),
                extensions: extensions.iter().map(|extension| extension.image.digest).collect(),
                overlay: None,
                grub,
            },
            origin,
            cmdline: line.map(|line| line.to_string()).unwrap_or_default(),
            profiles,
            tools: self.tools(!extensions.is_empty()).await,
            signer: None,
        };
        Ok(Planned { plan, extensions })
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
        names.iter().map(find).collect()
    }
}
