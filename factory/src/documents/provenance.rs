//! How an asset was made, as SLSA provenance v1. `factory/docs/provenance.md` describes the build type.

use schematics::Digest;
use serde::Serialize;

use super::inventory::purl;
use super::lock::{Lock, LockedImage, LockedSchematic, LockedSettings, LockedSigner, Recipe};

/// The type of the in-toto predicate.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// What the parameters of a build mean. A name, under a domain that nobody can own (RFC 2606).
pub const BUILD_TYPE: &str = "https://image-factory.example/build/v1";

/// A predicate of provenance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance<'a> {
    build_definition: BuildDefinition<'a>,
    run_details: RunDetails<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition<'a> {
    build_type: &'static str,
    external_parameters: ExternalParameters<'a>,
    internal_parameters: InternalParameters<'a>,
    resolved_dependencies: Vec<Dependency<'a>>,
}

/// All that whoever asked could choose.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalParameters<'a> {
    schematic: &'a LockedSchematic,
    version: &'a str,
    asset: &'a str,
}

/// All that the factory decides.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InternalParameters<'a> {
    builds: Vec<Build<'a>>,
    settings: &'a LockedSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<&'a LockedSigner>,
}

/// What is made: one asset, or an image of a list for each processor.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Build<'a> {
    asset: &'a str,
    arch: &'a str,
    plan: Digest,
    recipe: &'a Recipe,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    uri: String,
    digest: Sha256,
    name: &'a str,
    annotations: Annotations<'a>,
}

#[derive(Debug, Serialize)]
struct Sha256 {
    sha256: String,
}

#[derive(Debug, Serialize)]
struct Annotations<'a> {
    role: &'a super::lock::Role,
}

#[derive(Debug, Serialize)]
struct RunDetails<'a> {
    builder: Builder<'a>,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
struct Builder<'a> {
    id: &'a str,
    version: std::collections::BTreeMap<&'a str, &'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    invocation_id: String,
}

impl<'a> Provenance<'a> {
    /// How `name` was made: an asset with one lock, or a list of images with the locks of `first` and `others`, which are
    /// of the same schematic and version. The source is `registry`, where it is one.
    ///
    /// There is no time in it: an asset is the same whenever it is made, and so is what is told of it.
    #[must_use]
    pub fn new(name: &'a str, first: &'a Lock, others: &'a [Lock], registry: Option<&str>) -> Self {
        let locks = || std::iter::once(first).chain(others);
        let mut images: Vec<&LockedImage> = Vec::new();
        for image in locks().flat_map(|lock| &lock.sources) {
            if !images.contains(&image) {
                images.push(image);
            }
        }
        let build = |lock: &'a Lock| Build {
            asset: &lock.asset,
            arch: &lock.arch,
            plan: lock.plan,
            recipe: &lock.recipe,
        };
        let factory = &first.factory;
        Self {
            build_definition: BuildDefinition {
                build_type: BUILD_TYPE,
                external_parameters: ExternalParameters {
                    schematic: &first.schematic,
                    version: &first.version,
                    asset: name,
                },
                internal_parameters: InternalParameters {
                    builds: locks().map(build).collect(),
                    settings: &first.settings,
                    signer: first.signer.as_ref(),
                },
                resolved_dependencies: images.into_iter().map(|image| dependency(image, registry)).collect(),
            },
            run_details: RunDetails {
                builder: Builder {
                    id: &first.settings.external_url,
                    version: [(factory.name.as_str(), factory.version.as_str())].into(),
                },
                metadata: Metadata { invocation_id: first.plan.to_string() },
            },
        }
    }

    /// The predicate as a JSON value.
    ///
    /// # Errors
    /// Never in practice; the encoder's type says it may.
    pub fn to_value(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

fn dependency<'a>(image: &'a LockedImage, registry: Option<&str>) -> Dependency<'a> {
    Dependency {
        uri: purl(image, registry, None),
        digest: Sha256 { sha256: image.digest.hex() },
        name: &image.repository,
        annotations: Annotations { role: &image.role },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::lock::tests::lock;

    #[test]
    fn provenance_names_everything_that_was_asked_and_used() {
        let lock = lock();
        let value = Provenance::new(&lock.asset, &lock, &[], Some("ghcr.io")).to_value().unwrap();
        let definition = &value["buildDefinition"];
        assert_eq!(definition["buildType"], BUILD_TYPE);
        let asked = definition["externalParameters"].as_object().unwrap();
        assert_eq!(asked.keys().collect::<Vec<_>>(), ["asset", "schematic", "version"]);
        let used = definition["resolvedDependencies"].as_array().unwrap();
        assert_eq!(used.len(), lock.sources.len());
        assert_eq!(used[2]["digest"]["sha256"], lock.sources[2].digest.hex());
        assert_eq!(used[2]["annotations"]["role"], "extension");
        let uri = format!(
            "pkg:oci/gvisor@sha256%3A{}?repository_url=ghcr.io/siderolabs/gvisor&tag=20250505.0",
            lock.sources[2].digest.hex()
        );
        assert_eq!(used[2]["uri"], uri);
        assert_eq!(value["runDetails"]["builder"]["id"], "https://factory.example");
        assert_eq!(value, Provenance::new(&lock.asset, &lock, &[], Some("ghcr.io")).to_value().unwrap());
        assert!(!value.to_string().contains("startedOn"));
    }
}
