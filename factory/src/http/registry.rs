//! The container registry: which paths there are. Installers themselves are not served yet.

use axum::extract::State;
use axum::http::StatusCode;
use schematics::Platform;

use super::error::ApiError;
use super::path::{Segment, no_schematic};
use crate::app::App;

/// Images of Talos itself that are reachable under `siderolabs/`.
const SOURCE_IMAGES: [&str; 6] =
    ["installer-base", "installer", "imager", "extensions", "overlays", "talosctl-all"];

/// What a path below `/v2/` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Resource<'a> {
    /// Something of the installer of a schematic.
    Installer { image: &'a str, schematic: &'a str },
    /// Something of an image of Talos itself.
    Source { image: &'a str },
}

/// `GET /v2/`: there is a registry here.
pub(super) async fn base() -> StatusCode {
    StatusCode::OK
}

/// `GET /v2/<path>`.
pub(super) async fn resource(State(app): State<App>, Segment(path): Segment) -> Result<StatusCode, ApiError> {
    let resource = parse(&path)
        .ok_or_else(|| ApiError::not_found("path_unknown", format!("unknown registry path: {path:?}")))?;
    match resource {
        Resource::Source { image } if SOURCE_IMAGES.contains(&image) => Err(ApiError::unsupported(
            "source_images_not_served",
            format!("this factory does not pass on `siderolabs/{image}` yet; pull it from its own registry"),
        )),
        Resource::Source { image } => {
            Err(ApiError::not_found("image_unknown", format!("unknown image: {image}")))
        }
        Resource::Installer { image, schematic } => {
            check_installer(image)?;
            let id = schematic.parse().map_err(|_| no_schematic(schematic))?;
            app.register.find(id).await.map_err(|error| ApiError::of("schematic_unknown", error))?;
            Err(ApiError::unsupported(
                "installers_not_served",
                "this factory does not make installer images yet; ISO, kernel, initramfs and UKI are made",
            ))
        }
    }
}

/// `<image>/<schematic>/…` and `siderolabs/<image…>/…` with the resources each of them has.
fn parse(path: &str) -> Option<Resource<'_>> {
    let parts: Vec<&str> = path.split('/').collect();
    let (name, resource) = match parts.as_slice() {
        [name @ .., "tags", "list"] => (name, "tags"),
        [name @ .., resource @ ("manifests" | "blobs" | "referrers"), reference] if !reference.is_empty() => {
            (name, *resource)
        }
        _ => return None,
    };
    match name {
        ["siderolabs", image] => Some(Resource::Source { image }),
        [image, schematic] if resource != "tags" && !schematic.is_empty() => {
            Some(Resource::Installer { image, schematic })
        }
        _ => None,
    }
}

/// `[<platform>-]installer[-secureboot]`.
fn check_installer(image: &str) -> Result<(), ApiError> {
    let bare = image.strip_suffix("-secureboot").unwrap_or(image);
    let platform = if bare == "installer" { Some("metal") } else { bare.strip_suffix("-installer") };
    match platform.map(Platform::from_name) {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err(ApiError::bad_request("image_invalid", format!("invalid image: {image}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_installers_and_source_images() {
        for path in [
            "installer/abc/manifests/v1.13.0",
            "metal-installer/abc/blobs/sha256:00",
            "installer-secureboot/abc/referrers/sha256:00",
        ] {
            assert!(matches!(parse(path), Some(Resource::Installer { .. })), "{path}");
        }
        for path in ["siderolabs/installer/manifests/v1", "siderolabs/imager/tags/list"] {
            assert!(matches!(parse(path), Some(Resource::Source { .. })), "{path}");
        }
        for path in [
            "a/b/c/manifests/v1",
            "siderolabs/installer/tags/v1",
            "installer/abc/tags/list",
            "installer/manifests/v1",
            "installer/abc/manifests",
            "installer/abc/manifests/",
            "installer/abc/uploads/x",
            "_catalog",
            "",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn an_installer_may_be_of_any_platform() {
        for image in ["installer", "installer-secureboot", "metal-installer", "aws-installer-secureboot"] {
            assert!(check_installer(image).is_ok(), "{image}");
        }
        for image in
            ["", "imager", "installer-", "x-installer", "-installer", "installer-secureboot-secureboot"]
        {
            assert!(check_installer(image).is_err(), "{image}");
        }
    }
}
