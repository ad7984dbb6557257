//! Long zero runs in an image, told from everything else.

use std::ops::Range;

use crate::image::{Source, VirtualImage};

/// A stretch of an image that is a long run of zeros, or is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Where it is in the image.
    pub(super) range: Range<u64>,
    /// Whether it is nothing but zeros.
    pub(super) zeros: bool,
}

/// Cuts `image` into runs that alternate between long zero runs and the rest.
///
/// Only zeros the image knows as such, and at least `from` of them, count as a zero run.
pub(super) fn runs(image: &VirtualImage, from: u64) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    for extent in image.extents() {
        let zeros = matches!(extent.source(), Source::Zeros) && extent.len() >= from;
        match found.last_mut() {
            Some(last) if last.zeros == zeros => last.range.end = extent.end(),
            Some(_) | None => found.push(Run { range: extent.at()..extent.end(), zeros }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ImageLayout;

    #[test]
    fn short_zero_runs_belong_to_what_is_around_them() {
        let mut layout = ImageLayout::default();
        layout.zeros(10).bytes("ab").zeros(3).bytes("c").zeros(4);
        let found: Vec<_> = runs(&layout.finish(), 4).into_iter().map(|run| (run.range, run.zeros)).collect();
        assert_eq!(found, [(0..10, true), (10..16, false), (16..20, true)]);
        assert_eq!(runs(&VirtualImage::default(), 1), []);
    }
}
