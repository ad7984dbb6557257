//! Images signed with keys, through the whole source.

mod authority;
mod bundles;
mod keyless;

use std::sync::atomic::{AtomicUsize, Ordering};

use builder::BlobStore;
use builder::store::MemoryRecords;
use futures::TryStreamExt as _;
use schematics::{Arch, Blame, Blamed as _};
use signing::{SigningKey, cosign};
use tempfile::TempDir;

use super::*;
use crate::fixtures::{image, publish, repository, store};
use crate::publish::{LayoutWriter, Publication, Publisher as _};
use crate::source::LayoutSource;
use crate::{Limits, pull_tree};

/// A layout and what its policy needs.
pub(super) struct Site {
    dir: TempDir,
    store: Arc<dyn BlobStore>,
    records: Arc<dyn RecordStore>,
    pub(super) key: SigningKey,
}

/// A source that counts what is asked of it.
#[derive(Debug)]
struct Counted(LayoutSource, Arc<AtomicUsize>);

impl Counted {
    fn count(&self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ImageSource for Counted {
    async fn tags(&self, repository: &Repository) -> Result<Vec<String>, PullError> {
        self.0.tags(repository).await
    }

    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Digest, PullError> {
        self.count();
        self.0.resolve(repository, tag).await
    }

    async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<Bytes, PullError> {
        self.count();
        tokio::task::yield_now().await;
        self.0.manifest(repository, digest).await
    }

    async fn blob_size(&self, repository: &Repository, digest: Digest) -> Result<u64, PullError> {
        self.0.blob_size(repository, digest).await
    }

    async fn blob(&self, repository: &Repository, blob: Blob) -> Result<BlobStream, PullError> {
        self.0.blob(repository, blob).await
    }

    async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Vec<Descriptor>, PullError> {
        self.count();
        self.0.referrers(repository, digest).await
    }
}

pub(super) fn by(key: &SigningKey) -> Vec<TrustedSigner> {
    vec![TrustedSigner::Key(key.public_key().clone())]
}

impl Site {
    pub(super) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            store: store(),
            records: Arc::new(MemoryRecords::default()),
            key: SigningKey::generate().unwrap(),
        }
    }

    /// An index of both architectures.
    async fn index(&self) -> Publication {
        let amd64 = image(Arch::Amd64, &[&[("a", b"1")]], &self.store).await;
        let arm64 = image(Arch::Arm64, &[&[("a", b"2")]], &self.store).await;
        Publication::index(vec![(Arch::Amd64, amd64), (Arch::Arm64, arm64)]).unwrap()
    }

    pub(super) async fn put(&self, image: &Publication) -> ImageRef {
        publish(self.dir.path(), "siderolabs/imager:v1", image, &self.store).await
    }

    /// Puts `signature` where that of `digest` is looked for.
    pub(super) async fn attach(&self, digest: Digest, signature: cosign::ImageSignature) {
        let signature = Publication::signature(signature, &self.store).await.unwrap();
        self.put_as(&cosign::tag(&digest), &signature).await;
    }

    pub(super) async fn put_as(&self, tag: &str, image: &Publication) {
        let layout = LayoutWriter::open(self.dir.path()).unwrap();
        layout.publish(&repository("siderolabs/imager"), tag, image, &self.store).await.unwrap();
    }

    pub(super) fn sign(&self, digest: Digest) -> cosign::ImageSignature {
        cosign::sign(&self.key, &digest, "ghcr.io/siderolabs/imager").unwrap()
    }

    pub(super) fn source(&self, signers: Vec<TrustedSigner>) -> TrustedSource {
        self.under(Accepted::SignedBy(signers)).0
    }

    fn under(&self, accepted: Accepted) -> (TrustedSource, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let layout = LayoutSource::open(self.dir.path()).unwrap();
        let counted = Arc::new(Counted(layout, Arc::clone(&asked)));
        let policy = TrustPolicy::new(vec![(Some(repository("siderolabs")), accepted)]).unwrap();
        (TrustedSource::new(counted, policy, Arc::clone(&self.records)), asked)
    }
}

/// What an image is refused for.
pub(super) async fn refusal(source: &TrustedSource, image: &ImageRef) -> String {
    let error = source.manifest(&image.repository, image.digest).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Upstream);
    let text = error.to_string();
    assert!(text.contains(&image.to_string()), "{text}");
    assert!(matches!(error, PullError::Untrusted(_)), "{text}");
    text
}

async fn read(source: &TrustedSource, repository: &Repository, blob: Blob) -> Result<Vec<Bytes>, PullError> {
    source.blob(repository, blob).await?.try_collect().await
}

#[tokio::test]
async fn a_signed_index_brings_its_images_with_it() {
    let site = Site::new();
    let index = site.index().await;
    let (child, layer) = (index.children[1].digest, index.children[1].blobs[1].0);
    let at = site.put(&index).await;
    site.attach(index.digest, site.sign(index.digest)).await;
    let source = site.source(by(&site.key));
    let repository = &at.repository;
    // Not before somebody asked for the index: nothing says yet that they belong to it.
    assert!(refusal(&source, &ImageRef { digest: child, ..at.clone() }).await.ends_with("no signature"));
    let loose = source.blob_size(repository, layer.digest).await.unwrap_err().to_string();
    assert!(loose.contains("no trusted image it belongs to"), "{loose}");
    assert_eq!(source.resolve(repository, "v1").await.unwrap(), index.digest);
    assert!(source.manifest(repository, child).await.is_ok());
    assert!(read(&source, repository, layer).await.is_ok());
    for arch in Arch::ALL {
        pull_tree(&source, &at, arch, &store(), &Limits::default()).await.unwrap();
    }
    // A layer is no manifest, whatever its digest is good for.
    assert!(source.admit(repository, layer.digest).await.is_err());
}

#[tokio::test]
async fn what_is_not_signed_or_by_nobody_we_know_is_refused() {
    let site = Site::new();
    let (index, other) = (site.index().await, SigningKey::generate().unwrap());
    let at = site.put(&index).await;
    let source = || site.source(by(&site.key));
    let text = refusal(&source(), &at).await;
    let expected = format!(
        "images of siderolabs must be signed with key {}, but what was found is no signature",
        site.key.id()
    );
    assert!(text.ends_with(&expected), "{text}");
    assert!(matches!(source().resolve(&at.repository, "v1").await, Err(PullError::Untrusted(_))));

    site.attach(index.digest, cosign::sign(&other, &index.digest, "r").unwrap()).await;
    assert!(refusal(&source(), &at).await.contains("a key the policy does not know"));
    site.attach(index.digest, site.sign(Digest::of(b"another"))).await;
    let text = refusal(&source(), &at).await;
    assert!(text.contains(&format!("of another digest, `{}`", Digest::of(b"another"))), "{text}");
    let mut flipped = site.sign(index.digest);
    flipped.payload[60] ^= 1;
    site.attach(index.digest, flipped).await;
    assert!(refusal(&source(), &at).await.contains("a key the policy does not know"));
    let oversized = cosign::ImageSignature { payload: vec![b' '; 70_000], signature: String::new() };
    site.attach(index.digest, oversized).await;
    assert!(refusal(&source(), &at).await.contains("more than the 65536 bytes allowed"));
    site.put_as(&cosign::tag(&index.digest), &index).await;
    assert!(refusal(&source(), &at).await.ends_with("no signature"), "an index there is none");

    let stranger = ImageRef { repository: repository("elsewhere/imager"), ..at };
    assert!(refusal(&source(), &stranger).await.ends_with("no rule of the policy covers it"));
}

#[tokio::test]
async fn a_blob_that_was_exchanged_is_refused_though_its_image_is_signed() {
    let site = Site::new();
    let plain = image(Arch::Amd64, &[&[("a", b"1")]], &site.store).await;
    let at = site.put(&plain).await;
    site.attach(plain.digest, site.sign(plain.digest)).await;
    let source = site.source(by(&site.key));
    source.admit(&at.repository, at.digest).await.unwrap();
    let layer = plain.blobs[1].0;
    let path = site.dir.path().join("blobs/sha256").join(layer.digest.hex());
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[100] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    assert!(matches!(read(&source, &at.repository, layer).await, Err(PullError::Mismatch { .. })));
}

#[tokio::test]
async fn what_is_known_is_asked_for_once_and_another_policy_asks_again() {
    let site = Site::new();
    let index = site.index().await;
    let at = site.put(&index).await;
    site.attach(index.digest, site.sign(index.digest)).await;
    let (source, asked) = site.under(Accepted::SignedBy(by(&site.key)));
    let crowd = (0..20).map(|_| source.admit(&at.repository, at.digest));
    futures::future::try_join_all(crowd).await.unwrap();
    // The index, the tag of the signature, the signature, and the two images.
    assert_eq!(asked.load(Ordering::SeqCst), 5);

    // With nothing of the source left, a new process still knows.
    fs_err::write(site.dir.path().join("index.json"), "{").unwrap();
    let (source, asked) = site.under(Accepted::SignedBy(by(&site.key)));
    source.admit(&at.repository, at.digest).await.unwrap();
    source.admit_blob(&at.repository, index.children[0].blobs[0].0.digest).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let (stricter, asked) = site.under(Accepted::SignedBy(by(&SigningKey::generate().unwrap())));
    assert!(stricter.admit(&at.repository, at.digest).await.is_err());
    assert!(asked.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn a_refusal_is_not_looked_for_by_everybody() {
    let site = Site::new();
    let at = site.put(&site.index().await).await;
    let (source, asked) = site.under(Accepted::SignedBy(by(&site.key)));
    for outcome in futures::future::join_all((0..20).map(|_| source.admit(&at.repository, at.digest))).await {
        assert!(matches!(outcome, Err(PullError::Untrusted(_))));
    }
    // The index for each, and once the two places where signatures are.
    assert_eq!(asked.load(Ordering::SeqCst), 22);
}

#[tokio::test]
async fn signatures_pass_for_those_who_check_them_and_for_nobody_else() {
    let site = Site::new();
    let index = site.index().await;
    let at = site.put(&index).await;
    site.attach(index.digest, site.sign(index.digest)).await;
    let strict = site.source(by(&site.key));
    let tag = cosign::tag(&index.digest);
    let inner = LayoutSource::open(site.dir.path()).unwrap();
    let signature = inner.resolve(&at.repository, &tag).await.unwrap();
    assert!(matches!(strict.manifest(&at.repository, signature).await, Err(PullError::Untrusted(_))));
    let open = strict.with_attachments();
    assert_eq!(open.resolve(&at.repository, &tag).await.unwrap(), signature);
    let manifest = open.manifest(&at.repository, signature).await.unwrap();
    let Document::Image(manifest) = Document::decode(&manifest, signature).unwrap() else { panic!() };
    for part in manifest.layers.iter().chain([&manifest.config]) {
        assert!(read(&open, &at.repository, part.blob()).await.is_ok());
        assert!(read(&strict, &at.repository, part.blob()).await.is_err());
    }
    // An image does not pass, and one does not become an attachment by being asked for in this way.
    let unsigned = image(Arch::Amd64, &[&[("evil", b"1")]], &site.store).await;
    let unsigned = site.put(&unsigned).await;
    assert!(matches!(open.manifest(&at.repository, unsigned.digest).await, Err(PullError::Untrusted(_))));
}

#[tokio::test]
async fn unsigned_images_are_used_where_the_policy_says_so() {
    let site = Site::new();
    let at = site.put(&site.index().await).await;
    let (source, _) = site.under(Accepted::Unsigned);
    assert!(pull_tree(&source, &at, Arch::Amd64, &store(), &Limits::default()).await.is_ok());
    assert!(source.admit(&repository("elsewhere/imager"), at.digest).await.is_err());
}
