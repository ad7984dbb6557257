//! Calendar dates, for the formats that store them so.

/// A moment in UTC as a calendar and a clock show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

const DAY: u32 = 86_400;
const MONTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Civil {
    /// The moment `epoch` seconds after the beginning of 1970.
    pub(crate) fn from_epoch(epoch: u32) -> Self {
        let mut days = epoch / DAY;
        let mut year = 1970;
        while days >= days_of_year(year) {
            days -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        for (index, length) in MONTHS.into_iter().enumerate() {
            let length = if index == 1 && is_leap(year) { 29 } else { length };
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        let clock = epoch % DAY;
        Self {
            year,
            month,
            day: small(days + 1),
            hour: small(clock / 3600),
            minute: small(clock / 60 % 60),
            second: small(clock % 60),
        }
    }
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of_year(year: u16) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

/// A day or a part of a clock, which are all below 60.
const fn small(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_agree_with_a_calendar() {
        let cases = [
            (0, (1970, 1, 1, 0, 0, 0)),
            (951_782_399, (2000, 2, 28, 23, 59, 59)),
            (951_782_400, (2000, 2, 29, 0, 0, 0)),
            (951_868_800, (2000, 3, 1, 0, 0, 0)),
            (1_767_225_599, (2025, 12, 31, 23, 59, 59)),
            (u32::MAX, (2106, 2, 7, 6, 28, 15)),
        ];
        for (epoch, (year, month, day, hour, minute, second)) in cases {
            assert_eq!(Civil::from_epoch(epoch), Civil { year, month, day, hour, minute, second }, "{epoch}");
        }
    }
}
