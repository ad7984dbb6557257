//! Points in time, in the four spellings the Go library knows.

/// The canonical spelling (RFC 3339 with the fewest fractional digits) of a point in time.
///
/// Accepted are `Y-M-D`, `Y-M-D h:m:s[.f]` with any number of blanks and without a zone, and `Y-M-DTh:m:s[.f]` (or `t`) with `Z` or an offset. The year has
/// four digits, everything else one or two. Times keep their own offset.
pub(super) fn canonical(text: &str) -> Option<String> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.four_digits()?;
    rest.byte(b'-')?;
    let month = rest.number()?;
    rest.byte(b'-')?;
    let day = rest.number()?;
    if !(1..=12).contains(&month) || day == 0 || day > days(year, month) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some(separator) = rest.next() else { return Some(format!("{date}T00:00:00Z")) };
    if separator == b' ' {
        rest.skip_spaces();
    }
    let clock = rest.clock()?;
    let zone = match separator {
        b' ' => "Z".to_owned(),
        b'T' | b't' => rest.zone()?,
        _ => return None,
    };
    rest.0.is_empty().then(|| format!("{date}T{clock}{zone}"))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip_spaces(&mut self) {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    fn byte(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn digit(&mut self) -> Option<u32> {
        let digit = self.0.first().filter(|byte| byte.is_ascii_digit())?;
        self.0 = self.0.get(1..)?;
        Some(u32::from(digit - b'0'))
    }

    fn four_digits(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |year, _| Some(year * 10 + self.digit()?))
    }

    /// One or two digits.
    fn number(&mut self) -> Option<u32> {
        let first = self.digit()?;
        Some(self.digit().map_or(first, |second| first * 10 + second))
    }

    fn two_digits(&mut self) -> Option<u32> {
        Some(self.digit()? * 10 + self.digit()?)
    }

    /// Hour, minute, second and fraction.
    fn clock(&mut self) -> Option<String> {
        let hour = self.number()?;
        self.byte(b':')?;
        let minute = self.number()?;
        self.byte(b':')?;
        let second = self.number()?;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(format!("{hour:02}:{minute:02}:{second:02}{}", self.fraction()))
    }

    /// The fraction of a second to the nanosecond, cut and not rounded, without zeros at the end.
    fn fraction(&mut self) -> String {
        const NANOSECOND_DIGITS: usize = 9;
        let [b'.' | b',', b'0'..=b'9', ..] = self.0 else { return String::new() };
        self.next();
        let mut digits = String::new();
        while let Some(digit) = self.digit() {
            if digits.len() < NANOSECOND_DIGITS {
                digits.push(char::from_digit(digit, 10).unwrap_or('0'));
            }
        }
        match digits.trim_end_matches('0') {
            "" => String::new(),
            digits => format!(".{digits}"),
        }
    }

    /// `Z` or an offset. Minutes above 59 carry, as Go counts offsets in minutes.
    fn zone(&mut self) -> Option<String> {
        let sign = match self.next()? {
            b'Z' => return Some("Z".to_owned()),
            b'+' => '+',
            b'-' => '-',
            _ => return None,
        };
        let hours = self.two_digits()?;
        self.byte(b':')?;
        let minutes = self.two_digits()?;
        if hours > 24 || minutes > 60 {
            return None;
        }
        match hours * 60 + minutes {
            0 => Some("Z".to_owned()),
            offset => Some(format!("{sign}{:02}:{:02}", offset / 60, offset % 60)),
        }
    }
}
