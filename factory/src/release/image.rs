//! The images of a release.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use builder::VirtualImage;
use builder::store::BlobStore;
use extensions::Publication;
use extensions::oci::CONFIG;
use extensions::publish::Part;
use schematics::{Arch, TalosVersion};
use serde_json::{Value, json};

use super::ReleaseError;
use super::pack::{Item, pack};

/// Media type of a layer compressed with gzip (OCI image specification 1.1).
const GZIP_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What all images of a release have in common.
pub(super) struct Recipes<'a> {
    /// The version of the release.
    pub version: &'a TalosVersion,
    /// Its architectures.
    pub arches: &'a [Arch],
    /// Where layers are kept until they are published.
    pub store: &'a Arc<dyn BlobStore>,
}

impl Recipes<'_> {
    /// The files of all architectures in one image. It is always amd64, since that is what factories pull.
    pub(super) async fn imager(
        &self,
        artifacts: &[(Arch, Vec<PathBuf>)],
    ) -> Result<Publication, ReleaseError> {
        let mut items = Vec::new();
        for (arch, files) in artifacts {
            for file in files {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                items.push(Item::path(file, format!("usr/install/{arch}/{name}")));
            }
        }
        self.single(items, "siderolabs/imager").await
    }

    /// An image with the programs in its root.
    pub(super) async fn talosctl(&self, dir: &Path) -> Result<Publication, ReleaseError> {
        self.single(vec![Item::path(dir, String::new())], "siderolabs/talosctl-all").await
    }

    /// An amd64 image without anything to run.
    pub(super) async fn single(&self, items: Vec<Item>, what: &str) -> Result<Publication, ReleaseError> {
        self.image(Arch::Amd64, items, json!({}), what).await
    }

    /// One image for each architecture, with a directory as its root.
    pub(super) async fn directories(
        &self,
        roots: &[(Arch, PathBuf)],
        what: &str,
    ) -> Result<Publication, ReleaseError> {
        let mut images = Vec::new();
        for (arch, root) in roots {
            let items = vec![Item::path(root, String::new())];
            images.push((*arch, self.image(*arch, items, json!({}), what).await?));
        }
        index(images, what)
    }

    /// The base of the installer images, with the configuration installers are run with.
    pub(super) async fn installer_base(
        &self,
        roots: &BTreeMap<Arch, PathBuf>,
    ) -> Result<Publication, ReleaseError> {
        let what = "the base installer";
        let mut images = Vec::new();
        for arch in self.arches {
            let Some(root) = roots.get(arch) else { continue };
            let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
            let runtime = json!({
                "Entrypoint": ["/bin/installer"],
                "Env": [path, format!("TARGETARCH={arch}"), format!("VERSION={}", self.version)],
                "Labels": { "alpha.talos.dev/version": self.version.to_string() },
            });
            let items = vec![Item::path(root, String::new())];
            images.push((*arch, self.image(*arch, items, runtime, what).await?));
        }
        index(images, what)
    }

    async fn image(
        &self,
        arch: Arch,
        items: Vec<Item>,
        runtime: Value,
        what: &str,
    ) -> Result<Publication, ReleaseError> {
        let layer = pack(items, self.store.as_ref(), what).await?;
        let config = json!({
            "architecture": arch.name(),
            "os": "linux",
            "config": runtime,
            "rootfs": { "type": "layers", "diff_ids": [layer.diff_id] },
        });
        let config = Part::new(CONFIG, VirtualImage::from_bytes(config.to_string()));
        let layer = Part::new(GZIP_LAYER, VirtualImage::from_blob(layer.blob));
        let made = Publication::image(config, vec![layer], BTreeMap::new(), self.store).await;
        made.map_err(|source| ReleaseError::Publish { what: what.to_owned(), source })
    }
}

fn index(images: Vec<(Arch, Publication)>, what: &str) -> Result<Publication, ReleaseError> {
    Publication::index(images).map_err(|source| ReleaseError::Publish { what: what.to_owned(), source })
}
