//! PKCS#11 URIs, RFC 7512.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::SignerSpecError;

/// A key in a token. What is not given is not looked at; it must then be the only one of its kind.
///
/// Understood are the path attributes `token`, `manufacturer`, `model`, `serial`, `slot-id`, `object`, `id` and
/// `type=private`, and the query attributes `module-path`, `pin-value` and `pin-source`. Others are refused, since a key
/// found without looking at them could be another one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TokenUri {
    /// The label of the token.
    pub token: Option<String>,
    /// Who made the token.
    pub manufacturer: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// The number of its slot.
    pub slot: Option<u64>,
    /// The label of the key.
    pub object: Option<String>,
    /// The id of the key.
    pub id: Option<Vec<u8>>,
    /// The module that talks to the token.
    pub module: Option<PathBuf>,
    /// Where its PIN is.
    pub pin: Option<PinSource>,
}

/// Where the PIN of a token is. Never printed.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "a log line must not be able to leak a PIN")]
pub enum PinSource {
    /// This is it.
    Value(Zeroizing<String>),
    /// In the first line of a file.
    File(PathBuf),
}

impl FromStr for TokenUri {
    type Err = SignerSpecError;

    /// Reads what stands after `pkcs11:`.
    fn from_str(text: &str) -> Result<Self, SignerSpecError> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let mut uri = Self::default();
        let attributes = path.split(';').chain(query.split('&')).filter(|attribute| !attribute.is_empty());
        for attribute in attributes {
            let (name, value) =
                attribute.split_once('=').ok_or_else(|| wrong(attribute, "expected a value"))?;
            uri.set(name, &decoded(name, value)?)?;
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(SignerSpecError::Form {
                expected: "pkcs11:token=…;object=… or pkcs11:token=…;id=…"
            });
        }
        Ok(uri)
    }
}

fn wrong(name: &str, problem: &'static str) -> SignerSpecError {
    // What has no value could be a PIN in the wrong place.
    let name = name.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '-').collect();
    SignerSpecError::Attribute { name, problem }
}

fn decoded(name: &str, value: &str) -> Result<Zeroizing<Vec<u8>>, SignerSpecError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                hex(rest.next(), rest.next()).ok_or_else(|| wrong(name, "expected two digits after `%`"))?
            }
            other => other,
        };
        bytes.push(decoded);
    }
    Ok(bytes)
}

fn hex(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

impl TokenUri {
    fn set(&mut self, name: &str, value: &[u8]) -> Result<(), SignerSpecError> {
        let text = || std::str::from_utf8(value).map_err(|_| wrong(name, "expected UTF-8"));
        match name {
            "token" => once(name, &mut self.token, text()?.to_owned()),
            "manufacturer" => once(name, &mut self.manufacturer, text()?.to_owned()),
            "model" => once(name, &mut self.model, text()?.to_owned()),
            "serial" => once(name, &mut self.serial, text()?.to_owned()),
            "object" => once(name, &mut self.object, text()?.to_owned()),
            "id" => once(name, &mut self.id, value.to_vec()),
            "slot-id" => {
                let slot = text()?.parse().map_err(|_| wrong(name, "expected a number"))?;
                once(name, &mut self.slot, slot)
            }
            "type" if value == b"private" => Ok(()),
            "type" => Err(wrong(name, "expected `private`")),
            "module-path" => once(name, &mut self.module, text()?.into()),
            "pin-value" => once(name, &mut self.pin, PinSource::Value(Zeroizing::new(text()?.to_owned()))),
            "pin-source" => {
                let path = text()?;
                let path = path.strip_prefix("file://").or(path.strip_prefix("file:")).unwrap_or(path);
                if path.starts_with('|') {
                    return Err(wrong(name, "programs are not run for a PIN; expected a file"));
                }
                once(name, &mut self.pin, PinSource::File(path.into()))
            }
            _ => Err(wrong(name, "there is no such attribute")),
        }
    }
}

fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), SignerSpecError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(wrong(name, "it is given twice")),
    }
}

/// All attributes but the PIN itself.
impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.slot.map(|slot| slot.to_string());
        let texts = [
            ("token", &self.token),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
            ("slot-id", &slot),
            ("object", &self.object),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?.as_bytes())));
        let id = self.id.as_deref().map(|id| ("id", id));
        attributes(f, "", ';', texts.chain(id))?;
        let module = self.module.as_deref().map(|path| ("module-path", path.as_os_str().as_encoded_bytes()));
        let pin = match &self.pin {
            Some(PinSource::File(path)) => Some(("pin-source", path.as_os_str().as_encoded_bytes())),
            Some(PinSource::Value(_)) | None => None,
        };
        attributes(f, "?", '&', module.into_iter().chain(pin))
    }
}

impl fmt::Debug for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn attributes<'a>(
    f: &mut fmt::Formatter<'_>,
    before: &str,
    between: char,
    attributes: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> fmt::Result {
    for (at, (name, value)) in attributes.enumerate() {
        match at {
            0 => f.write_str(before)?,
            _ => write!(f, "{between}")?,
        }
        write!(f, "{name}=")?;
        for byte in value {
            match byte {
                b if b.is_ascii_alphanumeric() || b"-._~/ :".contains(b) => write!(f, "{}", char::from(*b))?,
                b => write!(f, "%{b:02X}")?,
            }
        }
    }
    Ok(())
}
