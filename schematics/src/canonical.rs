//! The canonical text of a schematic: what the Go YAML library version 4 (release candidate 6) writes for it.
//!
//! Ids are digests of this text, so each of its habits is part of the contract: four blanks of indentation, lists
//! indented under their key, no line folding, and its own rules for when a scalar is quoted and how.

mod float;
mod scalar;
mod writer;

use crate::meta::MetaValue;
use crate::schematic::{Bootloader, Customization, Overlay, Schematic};
use crate::value::{Mapping, Value};
use scalar::Scalar;
pub(crate) use scalar::old_bool;
use writer::Writer;

/// The canonical text of `schematic`.
pub(crate) fn text(schematic: &Schematic) -> String {
    let mut writer = Writer::default();
    let tree = document(schematic);
    node(&mut writer, &tree, Place::Root);
    writer.finish()
}

/// The text of a mapping on its own.
pub(crate) fn mapping_text(mapping_: &Mapping) -> String {
    let mut writer = Writer::default();
    node(&mut writer, &mapping(mapping_), Place::Root);
    writer.finish()
}

/// What is written: collections of scalars, in order.
enum Node<'a> {
    Scalar(Scalar<'a>),
    List(Vec<Node<'a>>),
    Map(Vec<(Scalar<'a>, Node<'a>)>),
}

/// Where a node stands, which decides its indentation.
#[derive(Clone, Copy)]
enum Place {
    Root,
    /// An item of a list whose dashes are in this column.
    Item(usize),
    /// A value in a mapping whose keys are in this column.
    Value(usize),
}

impl Place {
    /// Blanks in one step of indentation.
    const STEP: usize = 4;

    /// The column of what is inside a node that stands here.
    const fn inside(self) -> usize {
        match self {
            Self::Root => 0,
            Self::Item(column) => column + 2,
            Self::Value(column) => (column / Self::STEP + 1) * Self::STEP,
        }
    }
}

fn node(writer: &mut Writer, node_: &Node<'_>, place: Place) {
    match node_ {
        Node::Scalar(scalar) => scalar.write(writer, place.inside()),
        Node::List(items) if items.is_empty() => writer.indicator("[]", true),
        Node::Map(entries) if entries.is_empty() => writer.indicator("{}", true),
        Node::List(items) => {
            let column = place.inside();
            for item in items {
                writer.indent(column);
                writer.block_indicator("-");
                node(writer, item, Place::Item(column));
            }
        }
        Node::Map(entries) => {
            let column = place.inside();
            for (key, value) in entries {
                writer.indent(column);
                self::key(writer, key, column);
                node(writer, value, Place::Value(column));
            }
        }
    }
}

/// A key and its colon: short ones in front of the value, others on a line of their own behind a question mark.
fn key(writer: &mut Writer, key: &Scalar<'_>, column: usize) {
    if key.is_simple_key() {
        key.write_as_key(writer);
        writer.indicator(":", false);
    } else {
        writer.block_indicator("?");
        key.write(writer, Place::Value(column).inside());
        writer.indent(column);
        writer.block_indicator(":");
    }
}

/// The fields of a mapping of known fields.
type Fields<'a> = Vec<(Scalar<'a>, Node<'a>)>;

fn field<'a>(fields: &mut Fields<'a>, name: &'static str, value: Node<'a>) {
    fields.push((Scalar::plain(name), value));
}

/// Adds a mapping unless it has no fields.
fn non_empty<'a>(fields: &mut Fields<'a>, name: &'static str, inner: Fields<'a>) {
    if !inner.is_empty() {
        field(fields, name, Node::Map(inner));
    }
}

/// Adds a text unless it is empty.
fn string<'a>(fields: &mut Fields<'a>, name: &'static str, text: &'a str) {
    if !text.is_empty() {
        field(fields, name, Node::Scalar(Scalar::string(text)));
    }
}

/// Adds a list unless it is empty.
fn list<'a, T>(
    fields: &mut Fields<'a>,
    name: &'static str,
    items: &'a [T],
    item: impl Fn(&'a T) -> Node<'a>,
) {
    if !items.is_empty() {
        field(fields, name, Node::List(items.iter().map(item).collect()));
    }
}

fn document(schematic: &Schematic) -> Node<'_> {
    let mut fields = Fields::new();
    string(&mut fields, "owner", &schematic.owner);
    if !schematic.overlay.is_empty() {
        field(&mut fields, "overlay", overlay(&schematic.overlay));
    }
    field(&mut fields, "customization", customization(&schematic.customization));
    Node::Map(fields)
}

fn overlay(overlay: &Overlay) -> Node<'_> {
    let mut fields = Fields::new();
    field(&mut fields, "image", Node::Scalar(Scalar::string(&overlay.image)));
    field(&mut fields, "name", Node::Scalar(Scalar::string(&overlay.name)));
    if !overlay.options.is_empty() {
        field(&mut fields, "options", mapping(&overlay.options));
    }
    Node::Map(fields)
}

fn customization(customization: &Customization) -> Node<'_> {
    let mut fields = Fields::new();
    string(&mut fields, "embeddedMachineConfiguration", &customization.embedded_machine_configuration);
    list(&mut fields, "extraKernelArgs", &customization.extra_kernel_args, |text| text_node(text));
    list(&mut fields, "meta", &customization.meta, meta);
    let mut extensions = Fields::new();
    list(
        &mut extensions,
        "officialExtensions",
        &customization.system_extensions.official_extensions,
        |text| text_node(text),
    );
    non_empty(&mut fields, "systemExtensions", extensions);
    if customization.bootloader != Bootloader::None {
        field(&mut fields, "bootloader", Node::Scalar(Scalar::plain(customization.bootloader.as_str())));
    }
    let mut secureboot = Fields::new();
    string(&mut secureboot, "enrollKeys", &customization.secureboot.enroll_keys);
    if customization.secureboot.include_well_known_certificates {
        field(&mut secureboot, "includeWellKnownCertificates", Node::Scalar(Scalar::plain("true")));
    }
    non_empty(&mut fields, "secureboot", secureboot);
    let mut disk = Fields::new();
    if customization.disk_image.sector_size != 0 {
        let size = customization.disk_image.sector_size.to_string();
        field(&mut disk, "sectorSize", Node::Scalar(Scalar::number(size)));
    }
    non_empty(&mut fields, "diskImage", disk);
    Node::Map(fields)
}

fn text_node(text: &str) -> Node<'_> {
    Node::Scalar(Scalar::string(text))
}

fn meta(value: &MetaValue) -> Node<'_> {
    let mut fields = Fields::new();
    field(&mut fields, "key", Node::Scalar(Scalar::number(value.key.to_string())));
    field(&mut fields, "value", Node::Scalar(Scalar::string(&value.value)));
    Node::Map(fields)
}

fn mapping(mapping: &Mapping) -> Node<'_> {
    Node::Map(mapping.iter().map(|(key, value)| (scalar_of(key), value_node(value))).collect())
}

fn value_node(value: &Value) -> Node<'_> {
    match value {
        Value::List(items) => Node::List(items.iter().map(value_node).collect()),
        Value::Map(inner) => mapping(inner),
        scalar => Node::Scalar(scalar_of(scalar)),
    }
}

fn scalar_of(value: &Value) -> Scalar<'_> {
    match value {
        Value::Bool(true) => Scalar::plain("true"),
        Value::Bool(false) => Scalar::plain("false"),
        Value::Int(int) => Scalar::number(int.to_string()),
        Value::Uint(uint) => Scalar::number(uint.to_string()),
        Value::Float(float) => Scalar::number(float::text(*float)),
        Value::Timestamp(text) => Scalar::timestamp(text),
        Value::String(text) => Scalar::string(text),
        Value::Binary(bytes) => Scalar::binary(bytes),
        // Collections are no keys: decoding refuses them.
        Value::Null | Value::List(_) | Value::Map(_) => Scalar::plain("null"),
    }
}
