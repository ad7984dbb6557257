//! Hashing many stretches of a file in one pass over it, since the pass may be a download.

use std::ops::Range;

use builder::measure::{BankDigests, BankHashers};
use bytes::Bytes;
use futures::TryStreamExt as _;

use super::InspectError;
use super::part::Part;

/// Stretches of a file that are hashed one after the other, and zeros behind them.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) ranges: Vec<Range<u64>>,
    pub(super) zeros: u64,
}

impl Wanted {
    /// Whether each stretch lies behind the one before it, so that one pass meets them in order.
    fn ascends(&self) -> bool {
        self.ranges.iter().zip(self.ranges.iter().skip(1)).all(|(before, after)| before.end <= after.start)
    }

    fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.end)
    }
}

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

struct Running<'a> {
    wanted: &'a Wanted,
    hashers: BankHashers,
}

/// The digests of each of `wanted`, in its order.
pub(super) async fn digests(part: &Part, wanted: &[Wanted]) -> Result<Vec<BankDigests>, InspectError> {
    let mut running: Vec<Running<'_>> =
        wanted.iter().map(|wanted| Running { wanted, hashers: BankHashers::default() }).collect();
    let end = wanted.iter().filter(|wanted| wanted.ascends()).map(Wanted::end).max().unwrap_or(0);
    let mut pieces = part.part(0..end).stream();
    let mut at = 0;
    while let Some(piece) = pieces.try_next().await? {
        for running in running.iter_mut().filter(|running| running.wanted.ascends()) {
            running.take(&piece, at);
        }
        at += piece.len() as u64;
    }
    let mut digests = Vec::with_capacity(wanted.len());
    for mut running in running {
        if !running.wanted.ascends() {
            let mut pieces = part.pick(&running.wanted.ranges).stream();
            while let Some(piece) = pieces.try_next().await? {
                running.hashers.update(&piece);
            }
        }
        running.pad();
        digests.push(running.hashers.finish());
    }
    Ok(digests)
}

impl Running<'_> {
    /// Hashes the zeros at the end.
    fn pad(&mut self) {
        let mut missing = self.wanted.zeros;
        while missing > 0 {
            let len = missing.min(ZEROS.len() as u64);
            self.hashers
                .update(usize::try_from(len).ok().and_then(|len| ZEROS.get(..len)).unwrap_or_default());
            missing -= len;
        }
    }

    /// Hashes what of `piece`, which begins at `at`, lies in the stretches.
    fn take(&mut self, piece: &Bytes, at: u64) {
        let end = at + piece.len() as u64;
        let first = self.wanted.ranges.partition_point(|range| range.end <= at);
        for range in self.wanted.ranges.iter().skip(first).take_while(|range| range.start < end) {
            let within = |place: u64| usize::try_from(place.clamp(at, end) - at).unwrap_or(usize::MAX);
            self.hashers.update(piece.get(within(range.start)..within(range.end)).unwrap_or_default());
        }
    }
}
