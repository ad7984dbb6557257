//! Extensions that exist in no registry: they tell a machine which schematic it runs, and bring its configuration.

use std::collections::BTreeMap;

use builder::image::VirtualImage;
use builder::tree::{File, Meta, Node, Tree, TreeError};
use schematics::id::SchematicId;
use schematics::{Digest, Feature, TalosVersion};

use crate::manifest::ExtensionManifest;
use crate::parts::SELINUX;

/// The SELinux label of an embedded configuration: only the system may read it.
const CONFIGURATION_LABEL: &str = "system_u:object_r:system_state_t:s0";
/// Where Talos looks for an embedded configuration.
const CONFIGURATION: &str = "usr/local/etc/talos/config.yaml";
/// All versions.
const ANY_TALOS: &str = ">= 1.0.0";

/// An extension before it is cooked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualExtension {
    /// What it says about itself.
    pub manifest: ExtensionManifest,
    /// Its files, all of them inline.
    pub rootfs: Tree,
}

/// The extension named `schematic`: an empty file that bears the schematic's id.
///
/// Talos and Omni know the schematic by its version, and the factory by the URL in parentheses at the end of its author.
/// From Talos 1.7 it carries the schematic's canonical text.
///
/// # Errors
/// Never for a real id; the tree's own check of paths is passed on.
pub fn schematic(
    id: SchematicId,
    canonical: &str,
    external_url: &str,
    version: &TalosVersion,
) -> Result<VirtualExtension, TreeError> {
    let extra_info = if version.supports(Feature::Overlays) { canonical.to_owned() } else { String::new() };
    let manifest = ExtensionManifest {
        name: "schematic".to_owned(),
        version: id.to_string(),
        author: author(external_url),
        description: "Virtual extension which specifies the schematic of the image built with schematic."
            .to_owned(),
        talos_versions: ANY_TALOS.to_owned(),
        extra_info,
    };
    let mut rootfs = Tree::default();
    rootfs.insert_file(&format!("usr/local/share/schematic/{id}"), 0o644, VirtualImage::default())?;
    Ok(VirtualExtension { manifest, rootfs })
}

/// Who made an image, in the form that Talos takes the factory's URL from.
#[must_use]
pub fn author(external_url: &str) -> String {
    format!("Image Factory ({external_url})")
}

/// The extension named `embedded-config`: a machine configuration that only root and the system's label may read.
///
/// # Errors
/// Never; the tree's own check of paths is passed on.
pub fn embedded_configuration(configuration: &str) -> Result<VirtualExtension, TreeError> {
    let manifest = ExtensionManifest {
        name: "embedded-config".to_owned(),
        version: Digest::of(configuration.as_bytes()).hex(),
        author: "Imager".to_owned(),
        description: "Virtual extension which embeds the machine configuration.".to_owned(),
        talos_versions: ANY_TALOS.to_owned(),
        extra_info: String::new(),
    };
    let label = (SELINUX.to_owned(), CONFIGURATION_LABEL.as_bytes().to_vec());
    let meta = Meta { xattrs: BTreeMap::from([label]), ..Meta::with_mode(0o400) };
    let content = VirtualImage::from_bytes(configuration.as_bytes().to_vec());
    let mut rootfs = Tree::default();
    rootfs.insert(CONFIGURATION, Node::File(File { meta, content, link: None }))?;
    Ok(VirtualExtension { manifest, rootfs })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "customization: {}\n";

    fn made(version: &str) -> VirtualExtension {
        let id = SchematicId::of_canonical(TEXT);
        schematic(id, TEXT, "https://factory.example/", &version.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_schematic_is_told_by_name_version_and_author() {
        let VirtualExtension { manifest, rootfs } = made("v1.13.0");
        assert_eq!(manifest.name, "schematic");
        assert_eq!(manifest.version, "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba");
        assert_eq!(manifest.author, "Image Factory (https://factory.example/)");
        assert_eq!(manifest.extra_info, TEXT);
        let file = rootfs.get(&format!("usr/local/share/schematic/{}", manifest.version));
        assert!(matches!(file, Some(Node::File(file)) if file.content.is_empty() && file.meta.mode == 0o644));
        assert_eq!(rootfs.walk().len(), 5);
    }

    #[test]
    fn the_text_travels_from_1_7_on() {
        assert_eq!(made("v1.6.9").manifest.extra_info, "");
        assert_eq!(made("v1.7.0-alpha.0").manifest.extra_info, TEXT);
    }

    #[test]
    fn an_embedded_configuration_is_for_the_system_alone() {
        let VirtualExtension { manifest, rootfs } = embedded_configuration("machine: {}\n").unwrap();
        assert_eq!(manifest.name, "embedded-config");
        assert_eq!(manifest.version, Digest::of(b"machine: {}\n").hex());
        let Some(Node::File(file)) = rootfs.get(CONFIGURATION) else { panic!("no file") };
        assert_eq!(file.meta.mode, 0o400);
        assert_eq!(file.meta.xattrs.get(SELINUX).unwrap(), CONFIGURATION_LABEL.as_bytes());
        assert_eq!(file.content, VirtualImage::from_bytes("machine: {}\n"));
    }
}
