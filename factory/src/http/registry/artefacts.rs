//! Images as artefacts.

use axum::response::Response;

use super::path::{self, Resource};
use super::{blob, failed, manifest, referrers, tags};
use crate::app::App;
use crate::artefacts::ArtefactRepository;
use crate::http::body::Wanted;
use crate::http::error::ApiError;
use crate::http::path::Query;

/// Something of a repository of artefacts.
pub(super) async fn artefact(
    app: &App,
    repository: ArtefactRepository<'_>,
    resource: Resource<'_>,
    (query, wanted): (&Query, &Wanted),
) -> Result<Response, ApiError> {
    match resource {
        Resource::Tags => {
            let tags = app.artefacts.tags(repository).await;
            tags::answer(&tags.map_err(|error| failed("tags_unavailable", error))?, query, wanted)
        }
        Resource::Manifest(text) => {
            let reference = path::reference(text)?;
            let document = app.artefacts.document(repository, &reference).await;
            let document = document.map_err(|error| failed("manifest_unknown", error))?;
            manifest(app, document, &reference, wanted)
        }
        Resource::Blob(text) => {
            let content = app.artefacts.blob(repository, path::digest(text, "blob_unknown")?).await;
            Ok(blob(app, content.map_err(|error| failed("blob_unknown", error))?, wanted))
        }
        Resource::Referrers(text) => {
            path::digest(text, "manifest_unknown")?;
            referrers(query)
        }
    }
}
