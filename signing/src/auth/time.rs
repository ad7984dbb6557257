//! Times of updates.

use std::fmt;

/// The time of an update (UEFI 2.10 §8.3.1), in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EfiTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl EfiTime {
    /// The time of all updates made here: 2024-01-01T00:00:00Z.
    ///
    /// Outputs know no clock, and firmware compares times with one another only: an update has to be later than the one
    /// before it, and a machine whose keys were cleared has none before it. The date lies in the past of every machine
    /// that starts this, since some firmware refuses times ahead of its own clock, and is not so early that a clock that was reset
    /// would be later, or that a year before the first firmware of its kind would look like damage. It is never
    /// raised: that would change bytes of images that were made already.
    pub const FIXED: Self = Self { year: 2024, month: 1, day: 1, hour: 0, minute: 0, second: 0 };

    /// As firmware reads it. Nanoseconds, time zone and daylight saving are zero, as it demands of updates.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let [low, high] = self.year.to_le_bytes();
        [low, high, self.month, self.day, self.hour, self.minute, self.second, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    /// Reads a time. `None` when it is no date, or a field that must be zero is not.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let [low, high, month, day, hour, minute, second, unused @ ..] = bytes;
        let year = u16::from_le_bytes([low, high]);
        let valid = (1900..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60
            && unused == [0; 9];
        valid.then_some(Self { year, month, day, hour, minute, second })
    }
}

fn days(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// As in RFC 3339.
impl fmt::Display for EfiTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        let fixed = EfiTime::FIXED.to_bytes();
        assert_eq!(fixed, *b"\xe8\x07\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(EfiTime::from_bytes(fixed), Some(EfiTime::FIXED));
        assert_eq!(EfiTime::FIXED.to_string(), "2024-01-01T00:00:00Z");
        let changed = |changes: &[(usize, u8)]| {
            let mut bytes = fixed;
            changes.iter().for_each(|(at, value)| bytes[*at] = *value);
            EfiTime::from_bytes(bytes).map(|time| time.to_string())
        };
        assert_eq!(changed(&[(2, 2), (3, 29)]).unwrap(), "2024-02-29T00:00:00Z");
        let refused: [&[(usize, u8)]; 9] = [
            &[(1, 0)],
            &[(2, 0)],
            &[(2, 13)],
            &[(3, 0)],
            &[(2, 4), (3, 31)],
            &[(0, 0xe7), (2, 2), (3, 29)],
            &[(4, 24)],
            &[(8, 1)],
            &[(12, 60)],
        ];
        refused.iter().for_each(|changes| assert_eq!(changed(changes), None));
    }
}
