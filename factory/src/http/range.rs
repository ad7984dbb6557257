//! Ranges and conditions of RFC 9110, decided without knowing a body.

use std::ops::Range;

use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::{HeaderValue, Method};

/// What a `Range` header asks of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Requested {
    /// All of it.
    Whole,
    /// These bytes; not empty, and within the body.
    Part(Range<u64>),
    /// Bytes behind its end.
    PastTheEnd,
}

/// How a request is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// 200 with everything.
    Whole,
    /// 206 with these bytes.
    Part(Range<u64>),
    /// 304.
    NotModified,
    /// 412.
    PreconditionFailed,
    /// 416.
    PastTheEnd,
}

/// What a `Range` header asks of a body of `len` bytes.
///
/// A header we cannot read, another unit, or several ranges mean the whole body, which HTTP allows; only a range that
/// lies past the end is refused.
#[must_use]
pub(super) fn requested(header: Option<&HeaderValue>, len: u64) -> Requested {
    header.and_then(|value| value.to_str().ok()).and_then(|text| parse(text, len)).unwrap_or(Requested::Whole)
}

fn parse(text: &str, len: u64) -> Option<Requested> {
    let (unit, spec) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?;
        return Some(match suffix.min(len) {
            0 if suffix == 0 => Requested::PastTheEnd,
            // The last bytes of nothing are nothing, and all of it.
            0 => Requested::Whole,
            taken => Requested::Part(len - taken..len),
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    Some(if first >= len {
        Requested::PastTheEnd
    } else {
        Requested::Part(first..last.saturating_add(1).min(len))
    })
}

/// A decimal number; one that is too large for any body counts as the largest.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Decides how to answer a request for a body of `len` bytes with this strong validator (with its quotes).
///
/// The order is that of RFC 9110 §13.2.2. There are no modification times here, so conditions on them do not count.
#[must_use]
pub(super) fn decide(method: &Method, headers: &HeaderMap, etag: &str, len: u64) -> Decision {
    let strong = |tag: &str| tag == etag;
    let weak = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag) == etag;
    if names_one(headers, &header::IF_MATCH, strong) == Some(false) {
        return Decision::PreconditionFailed;
    }
    if names_one(headers, &header::IF_NONE_MATCH, weak) == Some(true) {
        return Decision::NotModified;
    }
    let same = headers.get(header::IF_RANGE).is_none_or(|tag| tag.as_bytes() == etag.as_bytes());
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (range, another) = (ranges.next(), ranges.next());
    if method != Method::GET || !same || another.is_some() {
        return Decision::Whole;
    }
    match requested(range, len) {
        Requested::Whole => Decision::Whole,
        Requested::Part(range) => Decision::Part(range),
        Requested::PastTheEnd => Decision::PastTheEnd,
    }
}

/// Whether one of the listed tags fits; `None` without such a header. `*` fits everything that exists.
fn names_one(headers: &HeaderMap, name: &HeaderName, fits: impl Fn(&str) -> bool) -> Option<bool> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    Some(values.filter_map(|value| value.to_str().ok()).any(|list| {
        // A comma inside a tag of ours never occurs, so splitting at commas cannot tear one apart.
        list.split(',').map(str::trim).any(|tag| tag == "*" || fits(tag))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ETAG: &str = "\"abc\"";

    fn of(text: &str, len: u64) -> Requested {
        requested(Some(&HeaderValue::from_str(text).unwrap()), len)
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        use Requested::{Part, PastTheEnd, Whole};
        for (text, len, expected) in [
            ("bytes=0-0", 10, Part(0..1)),
            ("bytes=0-9", 10, Part(0..10)),
            ("bytes=5-", 10, Part(5..10)),
            ("bytes=-3", 10, Part(7..10)),
            ("bytes=-30", 10, Part(0..10)),
            ("bytes=3-300", 10, Part(3..10)),
            ("BYTES=1-2", 10, Part(1..3)),
            ("bytes= 1-2 ", 10, Part(1..3)),
            ("bytes=9-", 10, Part(9..10)),
            ("bytes=10-", 10, PastTheEnd),
            ("bytes=10-20", 10, PastTheEnd),
            ("bytes=-0", 10, PastTheEnd),
            ("bytes=99999999999999999999-", 10, PastTheEnd),
            ("bytes=0-99999999999999999999", 10, Part(0..10)),
            ("bytes=0-18446744073709551615", u64::MAX, Part(0..u64::MAX)),
            ("bytes=0-", 0, PastTheEnd),
            ("bytes=-5", 0, Whole),
            ("bytes=2-1", 10, Whole),
            ("bytes=0-1,3-4", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes", 10, Whole),
            ("", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1--2", 10, Whole),
            ("bytes=0x1-2", 10, Whole),
            ("lines=0-1", 10, Whole),
        ] {
            assert_eq!(of(text, len), expected, "{text} of {len}");
        }
        assert_eq!(requested(None, 10), Whole);
        assert_eq!(requested(Some(&HeaderValue::from_bytes(b"bytes=\xff-1").unwrap()), 10), Whole);
    }

    fn decided(method: Method, headers: &[(HeaderName, &str)]) -> Decision {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        decide(&method, &headers, ETAG, 10)
    }

    #[test]
    fn conditions_come_before_ranges() {
        use Decision::{NotModified, Part, PastTheEnd, PreconditionFailed, Whole};
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
        let range = (RANGE, "bytes=2-3");
        let cases: [(&[(HeaderName, &str)], Decision); 20] = [
            (&[], Whole),
            (&[(RANGE, "bytes=2-3")], Part(2..4)),
            (&[range.clone(), (RANGE, "bytes=5-6")], Whole),
            (&[(RANGE, "bytes=10-")], PastTheEnd),
            (&[range.clone(), (IF_RANGE, ETAG)], Part(2..4)),
            (&[range.clone(), (IF_RANGE, "\"old\"")], Whole),
            (&[range.clone(), (IF_RANGE, "W/\"abc\"")], Whole),
            (&[range.clone(), (IF_RANGE, "Sat, 29 Oct 1994 19:43:31 GMT")], Whole),
            (&[(RANGE, "bytes=10-"), (IF_RANGE, "\"old\"")], Whole),
            (&[range.clone(), (IF_MATCH, ETAG)], Part(2..4)),
            (&[range.clone(), (IF_MATCH, "\"old\"")], PreconditionFailed),
            (&[(IF_MATCH, "*")], Whole),
            (&[(IF_MATCH, "W/\"abc\"")], PreconditionFailed),
            (&[(IF_MATCH, "\"x\" , \"abc\"")], Whole),
            (&[(IF_NONE_MATCH, ETAG), range.clone()], NotModified),
            (&[(IF_NONE_MATCH, "W/\"abc\"")], NotModified),
            (&[(IF_NONE_MATCH, "*")], NotModified),
            (&[(IF_NONE_MATCH, "\"x\"")], Whole),
            (&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, ETAG)], PreconditionFailed),
            (
                &[
                    (IF_MODIFIED_SINCE, "Sat, 29 Oct 2050 19:43:31 GMT"),
                    (IF_UNMODIFIED_SINCE, "Sat, 29 Oct 1994 19:43:31 GMT"),
                ],
                Whole,
            ),
        ];
        for (headers, expected) in cases {
            assert_eq!(decided(Method::GET, headers), expected, "{headers:?}");
        }
        assert_eq!(decided(Method::HEAD, &[range]), Whole);
        assert_eq!(decided(Method::HEAD, &[(IF_NONE_MATCH, ETAG)]), NotModified);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..40), len: u64) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes)
                && let Requested::Part(range) = requested(Some(&value), len)
            {
                prop_assert!(range.start < range.end && range.end <= len);
            }
        }

        #[test]
        fn a_part_is_never_empty_and_never_leaves_the_body(
            first in prop::option::of(0_u64..2000), last in prop::option::of(0_u64..2000), len in 0_u64..1000
        ) {
            let print = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
            let text = format!("bytes={}-{}", print(first), print(last));
            if let Requested::Part(range) = of(&text, len) {
                prop_assert!(range.start < range.end && range.end <= len);
                if let Some(first) = first {
                    prop_assert_eq!(range.start, first);
                }
            }
        }
    }
}
