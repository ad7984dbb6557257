use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;

use super::*;
use crate::image::ImageLayout;
use crate::judge::{Blobs, noise};
use crate::store::{BlobWriter, ByteStream, MemoryStore};

const LARGE: usize = 3 << 20;

/// Counts what is read, in pieces no larger than a disk's; fails on demand.
#[derive(Debug)]
struct Counting {
    inner: MemoryStore,
    read: AtomicU64,
    failures: AtomicU64,
}

#[async_trait]
impl BlobStore for Counting {
    async fn size(&self, digest: Digest) -> Result<Option<u64>, StoreError> {
        self.inner.size(digest).await
    }

    async fn read(&self, digest: Digest, range: Range<u64>) -> Result<ByteStream, StoreError> {
        if self.failures.load(Ordering::SeqCst) > 0 {
            self.failures.fetch_sub(1, Ordering::SeqCst);
            return Err(StoreError::Missing { digest });
        }
        self.read.fetch_add(range.end - range.start, Ordering::SeqCst);
        let pieces = self.inner.read(digest, range).await?;
        let split = |piece: Result<Bytes, StoreError>| {
            let piece = piece.unwrap();
            let starts = (0..piece.len()).step_by(200_000);
            let parts = starts.map(move |at| Ok(piece.slice(at..piece.len().min(at + 200_000))));
            futures::stream::iter(parts)
        };
        Ok(pieces.flat_map(split).boxed())
    }

    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        self.inner.create().await
    }
}

struct Bench {
    blobs: Blobs,
    store: Arc<Counting>,
    meter: Meter,
}

impl Bench {
    fn new() -> Self {
        let inner = MemoryStore::default();
        let store = Arc::new(Counting { inner, read: AtomicU64::new(0), failures: AtomicU64::new(0) });
        Self { blobs: Blobs(store.clone()), meter: Meter::new(store.clone()), store }
    }

    /// A base of three megabytes with something behind it.
    fn appended(&self, tail: &VirtualImage) -> VirtualImage {
        let mut layout = ImageLayout::default();
        layout.image(&self.blobs.put(noise(1, LARGE))).image(tail);
        layout.finish()
    }

    /// Measures, and says how many bytes were read for it.
    async fn read_for(&self, content: &VirtualImage) -> u64 {
        self.store.read.store(0, Ordering::SeqCst);
        let found = self.meter.digests(content).await.unwrap();
        let read = self.store.read.load(Ordering::SeqCst);
        let whole = content.read_all(&self.blobs.0, content.len()).await.unwrap();
        assert_eq!(found, BankDigests::of(&whole));
        read
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(future)
}

#[test]
fn any_content_has_the_digests_of_its_bytes() {
    let bench = Bench::new();
    let mut mixed = ImageLayout::default();
    mixed.bytes("head").image(&bench.blobs.put(noise(2, 100))).zeros(3_000_000).counter(5, 500_000);
    let mixed = mixed.finish();
    let appended = bench.appended(&mixed);
    run(async {
        for content in [&VirtualImage::default(), &VirtualImage::from_bytes("x"), &mixed, &mixed, &appended] {
            bench.read_for(content).await;
        }
    });
}

#[test]
fn what_many_contents_begin_with_is_read_once() {
    let bench = Bench::new();
    let small = bench.blobs.put(noise(3, 5000));
    let other = bench.blobs.put(noise(4, 5000));
    let large = bench.blobs.put(noise(5, LARGE));
    let behind = |tail: &[&VirtualImage]| {
        let mut layout = ImageLayout::default();
        for image in tail {
            layout.image(image);
        }
        bench.appended(&layout.finish())
    };
    let cases = [
        (behind(&[&small]), LARGE + 5000),
        (behind(&[&small]), 0),
        (behind(&[&other]), 5000),
        (behind(&[]), 0),
        (behind(&[&small, &large]), LARGE + 5000),
        // What comes first decides, so another beginning shares nothing behind it.
        (behind(&[&other, &large]), LARGE + 5000),
        (behind(&[&small, &large]), 0),
    ];
    run(async {
        for (content, expected) in &cases {
            assert_eq!(bench.read_for(content).await, *expected as u64);
        }
    });
}

#[test]
fn who_asks_at_once_waits_instead_of_reading() {
    let bench = Bench::new();
    let content = bench.appended(&VirtualImage::from_bytes("tail"));
    run(async {
        let asked = (0..8).map(|_| bench.meter.digests(&content));
        let found = futures::future::try_join_all(asked).await.unwrap();
        assert!(found.iter().all(|digests| *digests == found[0]));
        assert_eq!(bench.store.read.load(Ordering::SeqCst), LARGE as u64);
    });
}

#[test]
fn a_failure_is_told_and_not_remembered() {
    let bench = Bench::new();
    let content = bench.appended(&VirtualImage::from_bytes("tail"));
    bench.store.failures.store(1, Ordering::SeqCst);
    run(async {
        let error = bench.meter.digests(&content).await.unwrap_err();
        assert!(matches!(&error, MeasureError(source) if matches!(**source, StoreError::Missing { .. })));
        assert!(!error.to_string().contains("blob"));
        assert_eq!(bench.read_for(&content).await, LARGE as u64);
    });
}

#[test]
fn long_lists_of_large_blobs_are_remembered_in_part() {
    let bench = Bench::new();
    let mut layout = ImageLayout::default();
    for seed in 0..12 {
        layout.image(&bench.blobs.put(noise(seed, 1 << 20)));
    }
    let content = layout.finish();
    assert_eq!(stops(&content).len(), MAX_STOPS);
    assert_eq!(stops(&content).last(), Some(&content.len()));
    run(bench.read_for(&content));
}
