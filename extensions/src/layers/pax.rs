//! Extended headers: PAX records (POSIX.1-2001) and GNU long names.

use crate::hostile::HostileError;

/// What extended headers say about the entry behind them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) selinux: Option<Vec<u8>>,
    pub(super) sparse: bool,
    /// Whether a PAX header was read, of which there may be one per entry.
    pub(super) pax: bool,
}

/// The record that carries the SELinux label.
const SELINUX: &[u8] = b"SCHILY.xattr.security.selinux";

type Malformed = &'static str;
type Record<'a> = (&'a [u8], &'a [u8]);

/// Splits records of the form `<length> <key>=<value>\n`, where the length counts the whole record.
///
/// Values may contain anything, also line breaks, so the length alone says where a record ends.
fn records(mut bytes: &[u8]) -> Result<Vec<Record<'_>>, Malformed> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or("a record has no length")?;
        let digits = bytes.get(..space).and_then(|digits| std::str::from_utf8(digits).ok());
        let length: usize = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or("the length of a record is not a number")?;
        let record = bytes.get(space + 1..length).ok_or("the length of a record is wrong")?;
        let record = record.strip_suffix(b"\n").ok_or("a record does not end with a line break")?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or("a record has no `=`")?;
        let (key, value) = record.split_at(equals);
        records.push((key, value.get(1..).unwrap_or_default()));
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(records)
}

fn number(value: &[u8]) -> Result<u64, Malformed> {
    let digits = std::str::from_utf8(value).map_err(|_| "the size is not a number")?;
    digits.parse().map_err(|_| "the size is not a number")
}

fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Malformed> {
    if field.replace(value).is_some() { Err("something is said twice") } else { Ok(()) }
}

impl Extended {
    /// Takes over the records of a header for the next entry. Unknown records say nothing to us.
    pub(super) fn local(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.pax, true) {
            return Err("there are two for one entry");
        }
        for (key, value) in records(bytes)? {
            match key {
                b"path" => once(&mut self.path, value.to_owned())?,
                b"linkpath" => once(&mut self.link, value.to_owned())?,
                b"size" => once(&mut self.size, number(value)?)?,
                SELINUX => once(&mut self.selinux, value.to_owned())?,
                _ => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
        Ok(())
    }

    /// Judges a header for all later entries. What it could say about single entries has no place in it.
    pub(super) fn global(bytes: &[u8]) -> Result<(), Malformed> {
        let single = |key: &[u8]| {
            matches!(key, b"path" | b"linkpath" | b"size" | SELINUX) || key.starts_with(b"GNU.sparse.")
        };
        if records(bytes)?.iter().any(|(key, _)| single(key)) {
            return Err("it says for all entries what only one can have");
        }
        Ok(())
    }

    /// Takes over a GNU long name.
    pub(super) fn long_name(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        once(&mut self.path, bytes.strip_suffix(b"\0").unwrap_or(bytes).to_owned())
    }

    /// Takes over a GNU long link target.
    pub(super) fn long_link(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        once(&mut self.link, bytes.strip_suffix(b"\0").unwrap_or(bytes).to_owned())
    }
}

impl HostileError {
    pub(super) fn extended(path: &[u8]) -> impl Fn(Malformed) -> Self + use<> {
        let path = super::path::shown(path);
        move |what| Self::Extended { path: path.clone(), what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_contain_line_breaks() {
        let mut extended = Extended::default();
        extended.local(b"12 path=a\nb\n35 SCHILY.xattr.user.x=1\n2 path=b\n\n").unwrap();
        assert_eq!(extended.path.as_deref(), Some(&b"a\nb"[..]));
    }

    #[test]
    fn malformed_records_are_refused() {
        for bytes in [
            &b"x"[..],
            b"5 a=b",
            b"99 a=b\n",
            b"0 a=b\n",
            b"3 a=b\n",
            b"+6 a=b\n",
            b" a=b\n",
            b"5 ab\n",
            b"10 size=-1\n",
            b"9 size=x\n",
            b"99999999999999999999999 a=b\n",
            b"9 path=a\n9 path=b\n",
        ] {
            assert!(Extended::default().local(bytes).is_err(), "{bytes:?}");
        }
        assert!(Extended::global(b"9 path=a\n").is_err());
        assert!(Extended::global(b"15 comment=abc\n").is_ok());
    }
}
