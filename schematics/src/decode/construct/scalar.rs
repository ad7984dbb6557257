//! Scalars: from text and tag to a typed value, and from there into a target.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Builder, Done, Refused, Target};
use crate::decode::error::{DecodeError, shown};
use crate::decode::node::Node;
use crate::decode::resolve::{self, Resolved};

/// Base 64 as Go reads it: padded, and lenient about the bits nobody needs.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// A scalar that is not null, with its type.
pub(in crate::decode) enum Found<'a> {
    /// A value of the core schema, and its spelling.
    Core(Resolved, &'a str),
    /// Bytes that were written in base 64.
    Binary(Vec<u8>),
    /// A text under a tag that nobody knows.
    Tagged(&'a str),
}

impl Found<'_> {
    /// The tag in errors.
    fn tag<'n>(&self, node: &'n Node) -> &'n str {
        match self {
            Self::Core(resolved, _) => resolved.kind().tag(),
            Self::Binary(_) => "!!binary",
            Self::Tagged(_) => node.tag.as_deref().unwrap_or_default(),
        }
    }
}

impl Builder<'_> {
    pub(super) fn scalar(&mut self, node: &Node, text: &str, target: &mut dyn Target) -> Done {
        let found = self.find(node, text)?;
        if matches!(found, Found::Core(Resolved::Null, _)) {
            return Ok(target.null());
        }
        match target.scalar(&found) {
            Ok(()) => return Ok(true),
            Err(Refused::Silently) => {}
            Err(Refused::Value(problem)) => self.issue(node, problem, false),
            Err(Refused::WrongType) => self.wrong_type(node, found.tag(node), target.type_name()),
        }
        Ok(false)
    }

    fn find<'t>(&self, node: &Node, text: &'t str) -> Result<Found<'t>, DecodeError> {
        if node.is_indicated_string() {
            return Ok(Found::Core(Resolved::String, text));
        }
        match node.tag.as_deref() {
            None => Ok(Found::Core(resolve::plain(text), text)),
            Some("!!merge") => Ok(Found::Core(Resolved::Merge, text)),
            Some("!!binary") => self.binary(node, text),
            Some(tag @ ("!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp")) => {
                self.tagged(node, tag, text)
            }
            Some(_) => Ok(Found::Tagged(text)),
        }
    }

    fn binary<'t>(&self, node: &Node, text: &str) -> Result<Found<'t>, DecodeError> {
        let unbroken: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        match BASE64.decode(unbroken) {
            Ok(bytes) => Ok(Found::Binary(bytes)),
            Err(_) => Err(self.fail(node, "!!binary value contains invalid base64 data".to_owned())),
        }
    }

    /// A scalar whose tag says what it must be.
    #[expect(clippy::cast_precision_loss, reason = "a float was asked for, and this is the nearest one")]
    fn tagged<'t>(&self, node: &Node, tag: &str, text: &'t str) -> Result<Found<'t>, DecodeError> {
        let resolved = match (tag, resolve::tagged(text, tag == "!!timestamp")) {
            ("!!float", Resolved::Int(int)) => Resolved::Float(int as f64),
            (_, resolved) => resolved,
        };
        let kind = resolved.kind().tag();
        if kind != tag {
            return Err(self.fail(node, format!("cannot construct {kind} `{}` as a {tag}", shown(text))));
        }
        Ok(Found::Core(resolved, text))
    }
}
