//! Images in a registry or a layout directory, with what is said about them there.

use builder::Blob;
use bytes::Bytes;
use extensions::PullError;
use extensions::SourceSpec;
use extensions::oci::{Document, ImageManifest};
use extensions::reference::{ImageName, Repository};
use extensions::source::{ImageSource, RegistryOptions};
use futures::TryStreamExt as _;
use schematics::Digest;
use signing::PublicKey;
use signing::bundle::{self, Bundle, MAX_BUNDLE};
use signing::cosign::{self, ImageSignature};

use super::file::statement;
use super::{CheckError, Checked, Fact};

/// The most signatures of one image that are looked at.
const MAX_SIGNATURES: usize = 64;

/// An image.
#[derive(Debug)]
pub struct ImageToCheck<'a> {
    /// Where it is.
    pub place: &'a SourceSpec,
    /// What it is called there; `latest` without tag and digest.
    pub name: &'a ImageName,
}

struct Checker<'a> {
    key: &'a PublicKey,
    source: &'a dyn ImageSource,
    repository: &'a Repository,
}

/// Checks an index or manifest, and each manifest of the index: all must be signed, and all their parts be there, with the
/// digests they are named by.
///
/// # Errors
/// When something is not signed by the key, or not there.
pub async fn check_image(
    key: &PublicKey,
    wanted: &ImageToCheck<'_>,
    options: RegistryOptions,
) -> Result<Vec<Checked>, CheckError> {
    let source = wanted.place.open(options)?;
    let repository = &wanted.name.repository;
    let checker = Checker { key, source: source.as_ref(), repository };
    let digest = match (wanted.name.digest, &wanted.name.tag) {
        (Some(digest), _) => digest,
        (None, tag) => source.resolve(repository, tag.as_deref().unwrap_or("latest")).await?,
    };
    let bytes = source.manifest(repository, digest).await?;
    let mut checked = Vec::new();
    match Document::decode(&bytes, digest)? {
        Document::Image(image) => checked.push(checker.image(digest, &image).await?),
        Document::Index(index) => {
            checked.push(Checked { what: checker.name(digest), facts: checker.signed(digest).await? });
            for entry in index.manifests {
                let bytes = source.manifest(repository, entry.digest).await?;
                let Document::Image(image) = Document::decode(&bytes, entry.digest)? else { continue };
                checked.push(checker.image(entry.digest, &image).await?);
            }
        }
    }
    Ok(checked)
}

impl Checker<'_> {
    fn name(&self, digest: Digest) -> String {
        format!("{}@{digest}", self.repository)
    }

    async fn image(&self, digest: Digest, image: &ImageManifest) -> Result<Checked, CheckError> {
        let mut facts = self.signed(digest).await?;
        let parts = image.layers.iter().chain([&image.config]);
        let mut count = 0;
        for part in parts {
            // What the source hands out was checked against its digest.
            let mut pieces = self.source.blob(self.repository, part.blob()).await?;
            while pieces.try_next().await?.is_some() {}
            count += 1;
        }
        facts.push(Fact::Parts(count));
        Ok(Checked { what: self.name(digest), facts })
    }

    /// The signatures of what has this digest, at least one of which is by the key.
    async fn signed(&self, digest: Digest) -> Result<Vec<Fact>, CheckError> {
        let mut facts = vec![Fact::Digest(digest)];
        facts.extend(self.simple(digest).await?);
        facts.extend(self.bundles(digest).await?);
        let signed = |fact: &Fact| matches!(fact, Fact::Signature(..) | Fact::Statement(..));
        if facts.iter().any(signed) {
            return Ok(facts);
        }
        let others: Vec<String> = facts.iter().skip(1).map(Fact::to_string).collect();
        let found = if others.is_empty() { "nothing is said about it".to_owned() } else { others.join("; ") };
        Err(CheckError::Unsigned { what: self.name(digest), key: self.key.id(), found })
    }

    /// What cosign keeps under a tag.
    async fn simple(&self, digest: Digest) -> Result<Vec<Fact>, CheckError> {
        let tag = cosign::tag(&digest);
        let Some((_, bytes)) = self.tagged(&tag).await? else { return Ok(Vec::new()) };
        let image: ImageManifest =
            serde_json::from_slice(&bytes).map_err(|source| CheckError::Document { digest, source })?;
        let mut facts = Vec::new();
        for layer in image.layers.iter().take(MAX_SIGNATURES) {
            let payload = self.small(layer.blob(), cosign::MAX_PAYLOAD).await?;
            let signature = layer.annotations.get(cosign::ANNOTATION).cloned().unwrap_or_default();
            let verdict = cosign::verify(self.key, &digest, &ImageSignature { payload, signature });
            facts.push(match verdict {
                Ok(_) => Fact::Signature(tag.clone(), self.key.id()),
                Err(error) => Fact::Ignored(tag.clone(), error.to_string()),
            });
        }
        Ok(facts)
    }

    /// The bundles among what refers to it.
    async fn bundles(&self, digest: Digest) -> Result<Vec<Fact>, CheckError> {
        let referrers = self.source.referrers(self.repository, digest).await?;
        let of_kind = |kind: Option<&str>| kind == Some(bundle::MEDIA_TYPE);
        let entries = referrers.iter().filter(|entry| of_kind(entry.artifact_type.as_deref()));
        let mut facts = Vec::new();
        for entry in entries.take(MAX_SIGNATURES) {
            let place = format!("referrer {}", entry.digest);
            let bytes = self.source.manifest(self.repository, entry.digest).await?;
            let manifest: ImageManifest = serde_json::from_slice(&bytes)
                .map_err(|source| CheckError::Document { digest: entry.digest, source })?;
            let Some(layer) = manifest.layers.first() else { continue };
            let bytes = self.small(layer.blob(), MAX_BUNDLE).await?;
            let checked = Bundle::decode(&bytes)
                .map_err(|source| CheckError::Bundle { place: place.clone(), source })
                .and_then(|bundle| statement(self.key, &bundle, place.clone(), digest));
            // Anybody who may write there may say something about the image.
            facts.push(checked.unwrap_or_else(|error| Fact::Ignored(place, crate::log::chain(&error))));
        }
        Ok(facts)
    }

    /// A blob that is small enough for memory.
    async fn small(&self, blob: Blob, limit: usize) -> Result<Vec<u8>, CheckError> {
        let what = format!("blob {}", blob.digest);
        let mut pieces = self.source.blob(self.repository, blob).await?;
        let mut all = Vec::new();
        while let Some(piece) = pieces.try_next().await? {
            if all.len() + piece.len() > limit {
                return Err(PullError::TooLarge { what, limit: limit as u64 }.into());
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    /// The document of a tag, if there is such a tag.
    async fn tagged(&self, tag: &str) -> Result<Option<(Digest, Bytes)>, CheckError> {
        match self.source.resolve(self.repository, tag).await {
            Ok(digest) => Ok(Some((digest, self.source.manifest(self.repository, digest).await?))),
            Err(PullError::NoTag { .. } | PullError::NoRepository { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
