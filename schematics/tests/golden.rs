//! Canonical texts, ids and errors as the Go service gives them.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use schematics::{DecodeError, Schematic};
use serde_json::Value;

fn vectors(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn text<'a>(vector: &'a Value, key: &str) -> Option<&'a str> {
    vector.get(key).and_then(Value::as_str)
}

/// What differs from the vectors, one line each.
fn differences(json: &str) -> Vec<String> {
    vectors(json)
        .iter()
        .filter_map(|vector| difference(vector).map(|why| format!("{vector}\n    {why}")))
        .collect()
}

fn difference(vector: &Value) -> Option<String> {
    let decoded = Schematic::decode(text(vector, "input").unwrap());
    match (decoded, text(vector, "canonical")) {
        (Err(_), None) => None,
        (Ok(schematic), None) => Some(format!("accepted: {}", schematic.canonical())),
        (Err(error), Some(_)) => Some(format!("refused: {error}")),
        (Ok(schematic), Some(canonical)) => {
            if schematic.canonical() != canonical {
                return Some(format!("canonical: {:?}", schematic.canonical()));
            }
            let id = schematic.id().to_string();
            (Some(id.as_str()) != text(vector, "id")).then(|| format!("id: {id}"))
        }
    }
}

#[test]
fn every_vector_has_the_canonical_text_and_id_of_the_go_service() {
    let differences = differences(include_str!("fixtures/schematic-vectors.json"));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Made by the Go library from random texts, options and half-broken documents.
const GENERATED: &str = include_str!("fixtures/generated-vectors.json");

#[test]
fn generated_inputs_have_the_canonical_text_and_id_of_the_go_library() {
    let differences = differences(GENERATED);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_refusal_begins_with_the_text_of_the_go_service() {
    let mut differences = Vec::new();
    let known = vectors(include_str!("fixtures/schematic-vectors.json"));
    for vector in known.into_iter().chain(vectors(GENERATED)) {
        let (Some(input), Some(expected)) = (text(&vector, "input"), text(&vector, "error")) else {
            continue;
        };
        let error = Schematic::decode(input).unwrap_err();
        // Behind the first of several issues ours says which field it was.
        let first = expected.split("; ").next().unwrap();
        if !error.to_string().starts_with(first) {
            differences.push(format!("{input:?}\n    wanted {expected}\n    got    {error}"));
        }
        assert!(error == DecodeError::Empty || error.to_string().contains("line "), "{error}");
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn an_unknown_field_is_reported_in_the_words_clients_compare() {
    let error = Schematic::decode("something:").unwrap_err();
    assert_eq!(
        error.to_string(),
        "yaml: construct errors: line 1: field something not found in type schematic.Schematic"
    );
}

#[test]
fn refusals_name_line_and_field() {
    for (input, expected) in [
        ("a: 1\nb: 2", "line 1: field a not found in type schematic.Schematic; line 2: field b not found"),
        (
            "customization:\n  meta:\n  - key: 300",
            "line 3: cannot construct !!int `300` into uint8 (field customization.meta.0.key)",
        ),
        (
            "customization:\n  bootloader: auto",
            "line 2: auto does not belong to BootloaderKind values (field customization.bootloader)",
        ),
        (
            "overlay: {options: {a: !!int x}}",
            "cannot construct !!str `x` as a !!int (line 1, field overlay.options.a)",
        ),
        ("customization:\n  meta: [\n", "field customization.meta)"),
    ] {
        let error = Schematic::decode(input).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
