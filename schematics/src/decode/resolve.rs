//! What an unquoted scalar stands for: YAML 1.2's core schema with the additions of the Go library.

mod number;
mod timestamp;

/// The type of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    String,
    /// `<<`.
    Merge,
}

/// A scalar with its type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// The canonical spelling of a point in time.
    Timestamp(String),
    /// Anything else: the text is the value.
    String,
    Merge,
}

impl Resolved {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) | Self::Uint(_) => Kind::Int,
            Self::Float(_) => Kind::Float,
            Self::Timestamp(_) => Kind::Timestamp,
            Self::String => Kind::String,
            Self::Merge => Kind::Merge,
        }
    }
}

impl Kind {
    /// The tag, in its short form.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool => "!!bool",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::String => "!!str",
            Self::Merge => "!!merge",
        }
    }
}

/// The type of an unquoted scalar without a tag.
pub(crate) fn kind_of(text: &str) -> Kind {
    plain(text).kind()
}

/// What an unquoted scalar without a tag stands for.
pub(super) fn plain(text: &str) -> Resolved {
    untimed(text, true)
}

/// What a scalar with one of the tags of the core schema stands for.
///
/// Points in time are looked for only where the tag asks for one, so `!!int 2001-01-01` is no integer.
pub(super) fn tagged(text: &str, wants_timestamp: bool) -> Resolved {
    untimed(text, wants_timestamp)
}

fn untimed(text: &str, timestamps: bool) -> Resolved {
    if let Some(word) = word(text) {
        return word;
    }
    match text.as_bytes().first() {
        Some(b'.') => number::leading_point(text).map_or(Resolved::String, Resolved::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let time = if timestamps { timestamp::canonical(text) } else { None };
            time.map(Resolved::Timestamp).or_else(|| number::number(text)).unwrap_or(Resolved::String)
        }
        _ => Resolved::String,
    }
}

fn word(text: &str) -> Option<Resolved> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "true" | "True" | "TRUE" => Resolved::Bool(true),
        "false" | "False" | "FALSE" => Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        "-0" | "-0.0" => Resolved::Float(-0.0),
        "<<" => Resolved::Merge,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_types_the_go_library_gives_them() {
        for (text, expected) in [
            ("010", Resolved::Int(8)),
            ("0o17", Resolved::Int(15)),
            ("0B11", Resolved::Int(3)),
            ("0x_1", Resolved::Int(1)),
            ("-0x10", Resolved::Int(-16)),
            ("1_000", Resolved::Int(1000)),
            ("08", Resolved::Float(8.0)),
            ("18446744073709551615", Resolved::Uint(u64::MAX)),
            ("+18446744073709551615", Resolved::Float(18_446_744_073_709_551_615.0)),
            (".1_0", Resolved::Float(0.1)),
            (".1__0", Resolved::String),
            (".e5", Resolved::String),
            ("1.e5", Resolved::Float(100_000.0)),
            ("1e400", Resolved::String),
            ("0x", Resolved::String),
            ("1:30", Resolved::String),
            ("yes", Resolved::String),
            ("2001-1-2", Resolved::Timestamp("2001-01-02T00:00:00Z".to_owned())),
            ("2001-2-30", Resolved::String),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}
