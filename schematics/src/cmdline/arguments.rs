//! The ordered multimap behind a kernel command line.

use std::fmt;

/// Kernel arguments: an ordered list of keys, each with its values in order.
///
/// A key stays where it first appeared and all its values print beside each other, so `a=1 b a=2` prints as
/// `a=1 a=2 b`. An empty value prints as the bare key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelArgs {
    keys: Vec<(String, Vec<String>)>,
}

impl KernelArgs {
    /// Reads a list of arguments; each may hold several, separated by white space.
    #[must_use]
    pub fn parse<S: AsRef<str>>(arguments: &[S]) -> Self {
        let mut parsed = Self::default();
        for word in arguments.iter().flat_map(|argument| argument.as_ref().split_whitespace()) {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            parsed.append(key, value);
        }
        parsed
    }

    /// Adds a value to a key, or a new key at the end.
    pub fn append(&mut self, key: &str, value: &str) {
        match self.values_mut(key) {
            Some(values) => values.push(value.to_owned()),
            None => self.keys.push((key.to_owned(), vec![value.to_owned()])),
        }
    }

    /// Replaces all values of a key where it stands, or adds it at the end.
    pub fn set(&mut self, key: &str, new: &[String]) {
        match self.values_mut(key) {
            Some(values) => values.splice(.., new.iter().cloned()).for_each(drop),
            None => self.keys.push((key.to_owned(), new.to_vec())),
        }
    }

    /// Sets every key of `other`.
    pub fn set_all(&mut self, other: &Self) {
        other.keys.iter().for_each(|(key, values)| self.set(key, values));
    }

    /// Appends every value of `other`; keys in `overwritten` are set instead.
    pub fn append_all(&mut self, other: &Self, overwritten: &[&str]) {
        for (key, values) in &other.keys {
            if overwritten.contains(&key.as_str()) {
                self.set(key, values);
            } else {
                values.iter().for_each(|value| self.append(key, value));
            }
        }
    }

    /// Like [`KernelArgs::append_all`], but a key that begins with `-` removes: `-key` the key with all its values,
    /// `-key=value` that value. The first value decides which of the two is meant.
    pub fn edit(&mut self, other: &Self, overwritten: &[&str]) {
        for (key, values) in &other.keys {
            match key.strip_prefix('-').filter(|name| !name.is_empty()) {
                Some(name) if values.first().is_none_or(String::is_empty) => {
                    self.keys.retain(|(k, _)| k != name)
                }
                Some(name) => self.remove_values(name, values),
                None => self.append_all(&Self { keys: vec![(key.clone(), values.clone())] }, overwritten),
            }
        }
    }

    fn remove_values(&mut self, key: &str, unwanted: &[String]) {
        if let Some(values) = self.values_mut(key) {
            values.retain(|value| !unwanted.contains(value));
        }
        self.keys.retain(|(_, values)| !values.is_empty());
    }

    fn values_mut(&mut self, key: &str) -> Option<&mut Vec<String>> {
        self.keys.iter_mut().find(|(known, _)| known == key).map(|(_, values)| values)
    }
}

impl fmt::Display for KernelArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.keys.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
        for (index, (key, value)) in words.enumerate() {
            f.write_str(if index == 0 { "" } else { " " })?;
            f.write_str(key)?;
            if !value.is_empty() {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}
