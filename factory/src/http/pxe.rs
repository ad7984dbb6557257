//! iPXE scripts.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;
use schematics::{AssetName, Boot, SchematicId, TalosVersion, Target};

use super::Shared;
use super::body::text;
use super::error::ApiError;
use super::images;
use super::keys::HostKeys;
use super::path;
use crate::images::Wanted;

/// A script longer than this is refused; kernels take much less of a command line.
const MAX_CMDLINE: u64 = 256 << 10;

/// `<schematic>/<version>/<platform>-<arch>[-secureboot]`, not understood yet.
#[derive(Debug)]
pub(super) struct ScriptPath {
    schematic: String,
    version: String,
    target: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ScriptPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let (schematic, version, target) = path::segments(parts, state).await?;
        Ok(Self { schematic, version, target })
    }
}

/// `GET /pxe/<schematic>/<version>/<target>`.
pub(super) async fn script(
    State(app): Shared,
    path: ScriptPath,
    keys: HostKeys,
) -> Result<Response, ApiError> {
    let schematic = path.schematic.parse().map_err(|_| path::no_schematic(&path.schematic))?;
    // An unknown schematic is told before a malformed version or name, as for downloads.
    let stored = images::find(&app, schematic).await?;
    let version = path::version(&path.version)?;
    // The original reads the name of a command line, so its words are those of one.
    let target = path::asset(&format!("cmdline-{}", path.target))?.target();
    let asset = AssetName::Cmdline(target);
    let wanted = Wanted { stored: &stored, version: &version, asset: &asset, keys: keys.0.as_ref() };
    let line = images::lay_out(&app, wanted).await?;
    let bytes = line.layout.read_all(&app.store, MAX_CMDLINE).await;
    let bytes = bytes.map_err(|error| ApiError::of("cmdline_unreadable", error))?;
    let line = String::from_utf8_lossy(&bytes);
    // What another host serves would be signed with other keys.
    let own = keys.0.as_ref().and_then(|keys| keys.url());
    Ok(text(write(own.unwrap_or(&app.config.pxe_url), (schematic, &version), target, &line)))
}

/// The script that boots a target. Its text is a contract: people compare it.
///
/// With SecureBoot the kernel is the signed UKI, which brings its own initramfs.
fn write(base: &str, of: (SchematicId, &TalosVersion), target: Target, cmdline: &str) -> String {
    let (id, version) = of;
    let at = format!("{base}/image/{id}/{version}");
    match target.boot {
        Boot::Plain => {
            let (kernel, initramfs) = (AssetName::Kernel(target.arch), AssetName::Initramfs(target.arch));
            format!("#!ipxe\n\nimgfree\nkernel {at}/{kernel} {cmdline}\ninitrd {at}/{initramfs}\nboot\n")
        }
        Boot::Secure => {
            format!("#!ipxe\n\nimgfree\nkernel {at}/{} {cmdline}\nboot\n", AssetName::Uki(target))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn scripts_have_the_text_people_compare() {
        let id = schematics::SchematicId::of_canonical("customization: {}\n");
        let version = "1.13.0".parse().unwrap();
        let target =
            |name: &str| format!("cmdline-{name}").parse::<schematics::AssetName>().unwrap().target();
        assert_eq!(
            write("http://f", (id, &version), target("metal-x86_64"), "a b=c"),
            format!(
                "#!ipxe\n\nimgfree\nkernel http://f/image/{id}/v1.13.0/kernel-amd64 a b=c\n\
                 initrd http://f/image/{id}/v1.13.0/initramfs-amd64.xz\nboot\n"
            )
        );
        assert_eq!(
            write("http://f", (id, &version), target("metal-amd64-secureboot"), "a"),
            format!(
                "#!ipxe\n\nimgfree\nkernel http://f/image/{id}/v1.13.0/metal-amd64-secureboot-uki.efi a\nboot\n"
            )
        );
    }
}
