//! Whom we believe: the signatures of images, checked before a byte of an image is used.
//!
//! ```text
//! image ─▶ rule of its repository ─▶ known to be good? ─▶ yes
//!                                      └─ no ─▶ signatures beside it ─▶ one by somebody the rule names? ─▶ remember
//! ```
//!
//! What is signed is a digest: an index, or an image. What an index lists, and what an image consists of, is good with it.
//! Two forms of signatures are known: cosign's "simple signing" payload under the tag `sha256-<hex>.sig`, and Sigstore
//! bundles that refer to the image.

mod attachment;
mod bundle;
mod evidence;
mod facts;
mod identity;
mod policy;
mod refusal;
mod root;
mod simple;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use builder::RecordStore;
use builder::store::Blob;
use bytes::Bytes;
use moka::future::Cache;
use schematics::Digest;

pub use bundle::MAX_BUNDLE;
pub use identity::{Matcher, MatcherError};
pub use policy::{Accepted, Keyless, PolicyError, Rule, TrustPolicy, TrustedSigner};
pub use refusal::{Finding, Untrusted};
pub use root::{RootError, TrustRoot};
pub use verdict::{Candidate, judge};

use crate::oci::{Descriptor, Document};
use crate::reference::{ImageRef, Repository};
use crate::source::{BlobStream, ImageSource, PullError};
use crate::turns::Turns;
use attachment::is_attachment;
use facts::{Facts, What};

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 3;
/// How many manifests of an index are looked into when it is found to be good. Others are when they are asked for.
const MAX_CHILDREN: usize = 32;
/// How long a refusal is remembered, so that a crowd does not ask the registry once each.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// How many images are remembered as refused, or as accepted without a signature.
const REMEMBERED: u64 = 4096;

/// A source of which nothing is handed out that the policy does not accept.
///
/// Tags are resolved to digests that are good already. What was found is remembered in records, under the rule and the
/// digest: nobody is asked twice, and another rule asks again. Whoever asks for an image that is being checked waits for
/// the result.
#[derive(Debug, Clone)]
pub struct TrustedSource {
    inner: Arc<dyn ImageSource>,
    shared: Arc<Shared>,
    /// Whether signatures and other attachments are handed out, which nobody signs.
    attachments: bool,
}

#[derive(Debug)]
struct Shared {
    policy: TrustPolicy,
    facts: Facts,
    turns: Turns,
    refused: Cache<Digest, Untrusted>,
    unsigned: Cache<ImageRef, ()>,
}

impl TrustedSource {
    /// `source` under `policy`. What is found out is remembered in `records`.
    #[must_use]
    pub fn new(source: Arc<dyn ImageSource>, policy: TrustPolicy, records: Arc<dyn RecordStore>) -> Self {
        let shared = Shared {
            policy,
            facts: Facts::new(records),
            turns: Turns::default(),
            refused: Cache::builder().max_capacity(REMEMBERED).time_to_live(REFUSED_FOR).build(),
            unsigned: Cache::new(REMEMBERED),
        };
        Self { inner: source, shared: Arc::new(shared), attachments: false }
    }

    /// The same for passing images on: signatures, attestations and lists of contents are handed out too, since those who
    /// get them check them. They are told from images by having no layer with files.
    #[must_use]
    pub fn with_attachments(&self) -> Self {
        Self { attachments: true, ..self.clone() }
    }

    /// Makes sure that a manifest or index may be used; its bytes when they had to be read for that.
    async fn require(&self, image: &ImageRef) -> Result<Option<Bytes>, PullError> {
        let Shared { policy, facts, turns, refused, .. } = &*self.shared;
        let rule = policy.rule(&image.repository);
        let Some(signers) = rule.and_then(Rule::signers) else {
            return self.without_signature(rule, image).await.map(|()| None);
        };
        let Some(rule) = rule else { return Ok(None) };
        let key = rule.key(image.digest);
        let kinds: &[What] =
            if self.attachments { &[What::Document, What::Attachment] } else { &[What::Document] };
        if facts.any(kinds, key).await? {
            return Ok(None);
        }
        let _turn = turns.wait(key).await;
        if facts.any(kinds, key).await? {
            return Ok(None);
        }
        let document = self.inner.manifest(&image.repository, image.digest).await?;
        if self.attachments && is_attachment(&document, image.digest) {
            self.remember_attachment(rule, image, &document).await?;
            return Ok(Some(document));
        }
        if let Some(known) = refused.get(&key).await {
            return Err(PullError::Untrusted(Box::new(known)));
        }
        match verdict::reach(self.inner.as_ref(), image, &document, signers).await? {
            Ok(by) => {
                tracing::info!(%image, by, "the signature is good");
                self.remember(rule, image, &document, &by).await?;
                Ok(Some(document))
            }
            Err(found) => {
                let error = Untrusted::new(image, Some(rule), found);
                refused.insert(key, error.clone()).await;
                Err(PullError::Untrusted(Box::new(error)))
            }
        }
    }

    /// The end of those that no signature is asked of: refused without a rule, and used with a warning otherwise.
    async fn without_signature(&self, rule: Option<&Rule>, image: &ImageRef) -> Result<(), PullError> {
        if rule.is_none() {
            return Err(PullError::Untrusted(Box::new(Untrusted::new(image, None, Vec::new()))));
        }
        let entry = self.shared.unsigned.entry(image.clone()).or_insert_with(async {}).await;
        if entry.is_fresh() {
            tracing::warn!(%image, "UNVERIFIED: the policy lets this image be used without a signature");
        }
        Ok(())
    }

    /// Remembers an image as good, and what it consists of.
    async fn remember(
        &self,
        rule: &Rule,
        image: &ImageRef,
        document: &Bytes,
        by: &str,
    ) -> Result<(), PullError> {
        let facts = &self.shared.facts;
        let mut level = vec![(image.digest, document.clone())];
        for _ in 0..MAX_DEPTH {
            let mut children = Vec::new();
            for (digest, document) in level {
                children.extend(self.remember_parts(rule, digest, &document).await?);
            }
            level = Vec::new();
            for digest in children.into_iter().take(MAX_CHILDREN) {
                match self.inner.manifest(&image.repository, digest).await {
                    Ok(document) => level.push((digest, document)),
                    // A mirror of one architecture has the index as it is.
                    Err(PullError::NoContent { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        facts.remember(What::Document, rule.key(image.digest), image.digest, by).await
    }

    /// Remembers what a good document names; answers the manifests among it.
    async fn remember_parts(
        &self,
        rule: &Rule,
        digest: Digest,
        document: &[u8],
    ) -> Result<Vec<Digest>, PullError> {
        let facts = &self.shared.facts;
        let by = format!("part of {digest}");
        let (kind, parts) = match Document::decode(document, digest)? {
            Document::Index(index) => (What::Document, index.manifests),
            Document::Image(image) => (What::Blob, [image.layers, vec![image.config]].concat()),
        };
        for part in &parts {
            facts.remember(kind, rule.key(part.digest), part.digest, &by).await?;
        }
        let manifests = parts.iter().filter(|_| kind == What::Document);
        Ok(manifests.map(|part| part.digest).collect())
    }

    async fn remember_attachment(
        &self,
        rule: &Rule,
        image: &ImageRef,
        document: &[u8],
    ) -> Result<(), PullError> {
        let facts = &self.shared.facts;
        if let Document::Image(attached) = Document::decode(document, image.digest)? {
            let by = format!("part of {}", image.digest);
            for part in attached.layers.iter().chain([&attached.config]) {
                facts.remember(What::AttachmentBlob, rule.key(part.digest), part.digest, &by).await?;
            }
        }
        facts.remember(What::Attachment, rule.key(image.digest), image.digest, "being no image").await
    }
}

#[async_trait]
impl ImageSource for TrustedSource {
    async fn tags(&self, repository: &Repository) -> Result<Vec<String>, PullError> {
        self.inner.tags(repository).await
    }

    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Digest, PullError> {
        let digest = self.inner.resolve(repository, tag).await?;
        self.admit(repository, digest).await?;
        Ok(digest)
    }

    async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<Bytes, PullError> {
        let image = ImageRef { repository: repository.clone(), digest };
        if let Some(document) = self.require(&image).await? {
            return Ok(document);
        }
        let document = self.inner.manifest(repository, digest).await?;
        // What was too far down in an index to be looked into.
        if let Some(rule) = self.shared.policy.rule(repository).filter(|rule| rule.signers().is_some())
            && self.shared.facts.any(&[What::Document], rule.key(digest)).await?
        {
            self.remember_parts(rule, digest, &document).await?;
        }
        Ok(document)
    }

    async fn blob_size(&self, repository: &Repository, digest: Digest) -> Result<u64, PullError> {
        self.admit_blob(repository, digest).await?;
        self.inner.blob_size(repository, digest).await
    }

    async fn blob(&self, repository: &Repository, blob: Blob) -> Result<BlobStream, PullError> {
        self.admit_blob(repository, blob.digest).await?;
        self.inner.blob(repository, blob).await
    }

    async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Vec<Descriptor>, PullError> {
        self.inner.referrers(repository, digest).await
    }

    async fn admit(&self, repository: &Repository, digest: Digest) -> Result<(), PullError> {
        let image = ImageRef { repository: repository.clone(), digest };
        self.require(&image).await.map(drop)
    }

    async fn admit_blob(&self, repository: &Repository, digest: Digest) -> Result<(), PullError> {
        let rule = self.shared.policy.rule(repository);
        let image = ImageRef { repository: repository.clone(), digest };
        let Some(rule) = rule.filter(|rule| rule.signers().is_some()) else {
            return self.without_signature(rule, &image).await;
        };
        let kinds: &[What] =
            if self.attachments { &[What::Blob, What::AttachmentBlob] } else { &[What::Blob] };
        if self.shared.facts.any(kinds, rule.key(digest)).await? {
            return Ok(());
        }
        // What is not there at all is missing, and not refused.
        self.inner.blob_size(repository, digest).await?;
        let found = vec![Finding::Loose];
        Err(PullError::Untrusted(Box::new(Untrusted::new(&image, Some(rule), found))))
    }
}

#[cfg(test)]
mod tests;
