//! Which digest an asset should have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schematics::Digest;
use serde_json::Value;

/// A digest that somebody stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(pub Digest);

/// Why a text states no digest of an asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpectedError {
    /// It is about other files.
    #[error("it states no digest of {asset}, but of {found}")]
    Other {
        /// The asset.
        asset: String,
        /// What it is about.
        found: String,
    },
    /// It is neither a checksum nor an attestation.
    #[error(
        "it is neither a SHA-256, nor a list of them as sha256sum writes it, nor a signed in-toto statement"
    )]
    Form,
}

impl Expected {
    /// Reads a digest in hexadecimal digits, a list as `sha256sum` writes it, or a Sigstore bundle with an in-toto statement.
    ///
    /// The signature of a bundle is not looked at: what is compared here is what it says.
    ///
    /// # Errors
    /// When the text is none of these, or says nothing about `asset`.
    pub fn read(text: &str, asset: &str) -> Result<Self, ExpectedError> {
        let text = text.trim();
        let bare = text.strip_prefix("sha256:").unwrap_or(text);
        if let Ok(digest) = Digest::from_hex(bare) {
            return Ok(Self(digest));
        }
        let stated = statement(text).or_else(|| checksums(text)).ok_or(ExpectedError::Form)?;
        let found = stated.iter().find(|(name, _)| name == asset);
        found.map(|(_, digest)| Self(*digest)).ok_or_else(|| {
            let names: Vec<&str> = stated.iter().map(|(name, _)| name.as_str()).collect();
            ExpectedError::Other { asset: asset.to_owned(), found: names.join(", ") }
        })
    }
}

/// The lines of `sha256sum`.
fn checksums(text: &str) -> Option<Vec<(String, Digest)>> {
    let line = |line: &str| {
        let (hex, name) = line.split_once([' ', '\t'])?;
        let name = name.trim_start_matches([' ', '*']);
        Some((name.to_owned(), Digest::from_hex(hex).ok()?))
    };
    text.lines().map(line).collect::<Option<Vec<_>>>().filter(|lines| !lines.is_empty())
}

/// The subjects of a statement in a bundle.
fn statement(text: &str) -> Option<Vec<(String, Digest)>> {
    let bundle: Value = serde_json::from_str(text).ok()?;
    let payload = bundle.get("dsseEnvelope")?.get("payload")?.as_str()?;
    let statement: Value = serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()?;
    let subject = |subject: &Value| {
        let digest = Digest::from_hex(subject.get("digest")?.get("sha256")?.as_str()?).ok()?;
        Some((subject.get("name")?.as_str()?.to_owned(), digest))
    };
    statement.get("subject")?.as_array()?.iter().map(subject).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_can_be_stated_in_three_ways() {
        let digest = Digest::of(b"iso");
        let hex = digest.hex();
        let statement = format!(r#"{{"subject":[{{"name":"a.iso","digest":{{"sha256":"{hex}"}}}}]}}"#);
        let bundle = format!(r#"{{"dsseEnvelope":{{"payload":"{}"}}}}"#, STANDARD.encode(statement));
        for text in [
            hex.clone(),
            digest.to_string(),
            format!("{hex}  a.iso\n"),
            format!("{}  b.iso\n{hex} *a.iso\n", Digest::of(b"b").hex()),
            bundle,
        ] {
            assert_eq!(Expected::read(&text, "a.iso"), Ok(Expected(digest)), "{text}");
        }
    }

    #[test]
    fn what_states_nothing_about_the_asset_is_refused() {
        let hex = Digest::of(b"iso").hex();
        assert_eq!(
            Expected::read(&format!("{hex}  b.iso\n"), "a.iso").unwrap_err().to_string(),
            "it states no digest of a.iso, but of b.iso"
        );
        for text in ["", "{}", "abc  a.iso", &hex[1..], r#"{"dsseEnvelope":{"payload":"e30="}}"#] {
            assert_eq!(Expected::read(text, "a.iso"), Err(ExpectedError::Form), "{text}");
        }
    }
}
