//! Base installers, and the image of an overlay.

use builder::VirtualImage;
use extensions::Publication;
use extensions::publish::ContainerImage;
use schematics::{Arch, Feature, TalosVersion};
use serde_json::{Map, Value};

use super::{Writer, tar};
use crate::server::Anything;

/// The files of the overlay image for an architecture, by path and mode. The program is a shell script that speaks the
/// protocol of overlays.
pub const BOARD_FILES: [(&str, u32, &str); 4] = [
    ("artifacts/arm64/u-boot/rpi_generic/u-boot.bin", 0o640, "u-boot"),
    ("artifacts/arm64/firmware/boot/fixup4.dat", 0o644, "firmware"),
    ("installers/rpi_generic", 0o755, BOARD_PROGRAM),
    ("profiles/rpi_generic.yaml", 0o644, "arch: arm64\n"),
];

const BOARD_PROGRAM: &str = "#!/bin/sh
set -eu
case $1 in
get-options)
  options=$(cat)
  echo 'name: rpi_generic'
  echo 'kernelArgs: [console=tty0, \"console=ttyAMA0,115200\", talos.dashboard.disabled=1]'
  case $options in *fail*) echo 'told to fail' >&2; exit 1 ;; esac
  ;;
*) exit 2 ;;
esac
";

/// How many layers the base installer of a version has: since 1.10 one, before that a second one with the release's files,
/// and one in the oldest.
#[must_use]
pub fn base_layers(version: &TalosVersion) -> usize {
    let has = |feature| version.supports(feature);
    if has(Feature::Uki) && !has(Feature::UnifiedInstaller) { 2 } else { 1 }
}

impl Writer {
    /// Publishes the base installer of a version.
    pub(super) async fn installer_base(&self, version: &str) -> Result<(), Anything> {
        let parsed: TalosVersion = version.parse()?;
        let unified = parsed.supports(Feature::UnifiedInstaller);
        let (repository, bin) =
            if unified { ("siderolabs/installer-base", "usr/bin") } else { ("siderolabs/installer", "bin") };
        let mut images = Vec::new();
        for arch in Arch::ALL {
            let program = format!("installer of {version} for {arch}");
            let mut layers = vec![VirtualImage::from_bytes(base(bin, &program)?)];
            if base_layers(&parsed) == 2 {
                let own = (format!("usr/install/{arch}/vmlinuz"), b"the release's own".to_vec());
                layers.push(VirtualImage::from_bytes(tar(&[own])?));
            }
            let image = ContainerImage { arch, layers, runtime: runtime(version, arch) };
            images.push((arch, Publication::container(image, &self.store).await?));
        }
        self.publish(repository, version, &Publication::index(images)?).await
    }

    /// Publishes the one overlay that has an image.
    pub(super) async fn board(&self) -> Result<Publication, Anything> {
        let mut images = Vec::new();
        for arch in Arch::ALL {
            let layers = vec![VirtualImage::from_bytes(board()?)];
            let image = ContainerImage { arch, layers, runtime: Map::new() };
            images.push((arch, Publication::container(image, &self.store).await?));
        }
        let image = Publication::index(images)?;
        self.publish("siderolabs/sbc-rpi-generic", "v0.1.0", &image).await?;
        Ok(image)
    }
}

fn runtime(version: &str, arch: Arch) -> Map<String, Value> {
    let labels = serde_json::json!({ "alpha.talos.dev/version": version });
    Map::from_iter([
        ("Entrypoint".to_owned(), serde_json::json!(["/bin/installer"])),
        ("Env".to_owned(), serde_json::json!([format!("TARGETARCH={arch}"), format!("VERSION={version}")])),
        ("Labels".to_owned(), labels),
    ])
}

/// The programs of a base installer, which are run as `/bin/installer` wherever they are.
fn base(bin: &str, program: &str) -> Result<Vec<u8>, Anything> {
    let mut archive = tar::Builder::new(Vec::new());
    if bin != "bin" {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        archive.append_link(&mut header, "bin", bin)?;
    }
    let mut header = tar::Header::new_ustar();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, format!("{bin}/installer"), program.as_bytes())?;
    Ok(archive.into_inner()?)
}

fn board() -> Result<Vec<u8>, Anything> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, mode, content) in BOARD_FILES {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        archive.append_data(&mut header, path, content.as_bytes())?;
    }
    Ok(archive.into_inner()?)
}
