//! Bytes that can be read at any place: a file, a download, or a part of one.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::InspectError;
use super::medium::{Medium, Pieces};

/// The most bytes that are held in memory at once; the largest thing read whole is the allocation table of a FAT.
const MAX_PIECE: u64 = 64 << 20;

/// A file, or a part of one that need not lie in one piece.
#[derive(Debug, Clone)]
pub(super) struct Part {
    medium: Arc<Medium>,
    runs: Vec<Range<u64>>,
    len: u64,
}

impl Part {
    /// Opens a file, or what is behind an `http` or `https` URL.
    ///
    /// # Errors
    /// When there is no such thing, or it cannot be read.
    pub(super) async fn open(location: &str) -> Result<Self, InspectError> {
        let medium = Medium::open(location).await?;
        let len = medium.len();
        Ok(Self { medium: Arc::new(medium), runs: std::iter::once(0..len).collect(), len })
    }

    /// How many bytes it has.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// What lies in this range; stops at the end.
    pub(super) fn part(&self, range: Range<u64>) -> Self {
        self.pick(std::slice::from_ref(&range))
    }

    /// What lies in these ranges, one after the other; what lies behind the end is left out.
    pub(super) fn pick(&self, ranges: &[Range<u64>]) -> Self {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for run in ranges.iter().flat_map(|range| self.runs_in(range)) {
            match runs.last_mut() {
                Some(last) if last.end == run.start => last.end = run.end,
                _ => runs.push(run),
            }
        }
        let len = runs.iter().map(|run| run.end - run.start).sum();
        Self { medium: Arc::clone(&self.medium), runs, len }
    }

    /// Where the bytes of `range` are in the medium.
    fn runs_in(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut reached = 0;
        let mut found = Vec::new();
        for run in &self.runs {
            let len = run.end - run.start;
            let start = range.start.clamp(reached, reached + len) - reached;
            let end = range.end.clamp(reached, reached + len) - reached;
            if start < end {
                found.push(run.start + start..run.start + end);
            }
            reached += len;
        }
        found
    }

    /// `len` bytes from `at` on.
    ///
    /// # Errors
    /// When it ends before, there are more than may be held in memory, or reading fails.
    pub(super) async fn read(&self, at: u64, len: u64) -> Result<Bytes, InspectError> {
        let end = at.checked_add(len).filter(|end| *end <= self.len);
        let Some(end) = end.filter(|_| len <= MAX_PIECE) else {
            return Err(InspectError::Cut { at, wanted: len, len: self.len });
        };
        let pieces: Vec<Bytes> = self.part(at..end).stream().try_collect().await?;
        Ok(match pieces.as_slice() {
            [piece] => piece.clone(),
            pieces => pieces.concat().into(),
        })
    }

    /// The first `len` bytes, or all when there are fewer.
    pub(super) async fn head(&self, len: u64) -> Result<Bytes, InspectError> {
        self.read(0, len.min(self.len)).await
    }

    /// All its bytes, in pieces.
    pub(super) fn stream(&self) -> Pieces {
        let medium = Arc::clone(&self.medium);
        stream::iter(self.runs.clone())
            .then(move |run| {
                let medium = Arc::clone(&medium);
                async move { medium.read(run).await }
            })
            .try_flatten()
            .boxed()
    }
}
