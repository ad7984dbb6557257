//! Free-form YAML values: what an overlay's installer is given.

mod order;

/// A YAML value of any type.
///
/// Equality is that of canonical text: not-a-number equals itself, and a float that is written without fraction and exponent
/// equals the integer.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits with a sign.
    Int(i64),
    /// An integer above [`i64::MAX`].
    Uint(u64),
    /// A floating-point number.
    Float(f64),
    /// A point in time, in its canonical spelling (RFC 3339 with as many fractional digits as needed).
    Timestamp(String),
    /// A text.
    String(String),
    /// Bytes that are not UTF-8.
    Binary(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A mapping.
    Map(Mapping),
}

/// A mapping of YAML values, always in canonical (natural) key order, with each key once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapping {
    entries: Vec<(Value, Value)>,
}

impl Mapping {
    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entries in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The value under a textual key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.iter().find_map(|(k, value)| matches!(k, Value::String(text) if text == key).then_some(value))
    }

    /// Puts a value under a key, in place of the one that was there.
    ///
    /// Keys of different types are different keys, even 1 and 1.0. Not-a-number equals no key, not even itself, so what is
    /// put under it is lost: the Go service makes it null.
    pub fn insert(&mut self, key: Value, value: Value) {
        let at = self.entries.partition_point(|(other, _)| order::less(other, &key));
        // What orders the same need not be equal (1 and 1.0), so the equal key may be some places further on.
        let twin = self
            .entries
            .iter()
            .enumerate()
            .skip(at)
            .take_while(|(_, (other, _))| !order::less(&key, other))
            .find_map(|(index, (other, _))| same_key(other, &key).then_some(index));
        let lost = matches!(key, Value::Float(float) if float.is_nan());
        let value = if lost { Value::Null } else { value };
        match twin.and_then(|index| self.entries.get_mut(index)) {
            Some(entry) => *entry = (key, value),
            None => self.entries.insert(at, (key, value)),
        }
    }
}

fn same_key(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a == b,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b) && a == b,
    }
}

/// The integer that a float's canonical text reads back as, if it does.
fn written_as_integer(float: f64) -> Option<i64> {
    /// From here on whole floats are written with an exponent.
    const EXPONENT: f64 = 1e6;
    let minus_zero = float == 0.0 && float.is_sign_negative();
    #[expect(clippy::cast_possible_truncation, reason = "only whole numbers below a million get here")]
    (float.abs() < EXPONENT && float.fract() == 0.0 && !minus_zero).then_some(float as i64)
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) => {
                written_as_integer(*float) == Some(*int)
            }
            (Self::Timestamp(a), Self::Timestamp(b)) | (Self::String(a), Self::String(b)) => a == b,
            (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}
