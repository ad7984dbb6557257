//! Hostile and unfaithful input.

#![expect(clippy::expect_used, reason = "a test may end where what it shows is not so")]

use std::fmt::Write as _;

use schematics::decode::{DecodeError, MAX_DEPTH, MAX_ISSUES, MAX_ITEMS};
use schematics::{RoundTripError, Schematic};

fn refusal(text: &str) -> DecodeError {
    Schematic::decode(text).expect_err("it is hostile")
}

#[test]
fn aliases_cannot_make_a_small_text_large() {
    let mut text = "overlay:\n  options:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(text, "    a{level}: &a{level} [{below}]");
    }
    assert!(matches!(refusal(&text), DecodeError::TooManyAliases { .. }));
}

#[test]
fn an_anchor_cannot_contain_itself() {
    let error = refusal("overlay: {options: &a {b: *a}}");
    assert!(error.to_string().contains("anchor 'a' value contains itself"), "{error}");
}

#[test]
fn nesting_is_bounded_with_and_without_aliases() {
    let deep =
        |levels: usize| format!("overlay: {{options: {{a: {}{}}}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(Schematic::decode(deep(MAX_DEPTH - 4)).is_ok());
    assert!(matches!(refusal(&deep(MAX_DEPTH)), DecodeError::TooDeep { .. }));
    assert!(matches!(refusal(&"[".repeat(60_000)), DecodeError::TooDeep { .. }));
    assert!(matches!(refusal(&"- ".repeat(30_000)), DecodeError::TooDeep { .. }));

    let mut chain = "overlay:\n  options:\n    a0: &a0 x\n".to_owned();
    for level in 1..400 {
        let _ = writeln!(chain, "    a{level}: &a{level} [[[*a{}]]]", level - 1);
    }
    assert!(matches!(refusal(&chain), DecodeError::TooDeep { .. }));
}

#[test]
fn lists_and_issues_are_bounded() {
    let list = |items: usize| format!("customization: {{extraKernelArgs: [{}]}}", vec!["a"; items].join(","));
    assert!(Schematic::decode(list(MAX_ITEMS)).is_ok());
    assert!(refusal(&list(MAX_ITEMS + 1)).to_string().contains("expected at most"));

    let unknown: String = (0..900).map(|n| format!("k{n}: 1\n")).collect();
    let DecodeError::Issues(issues) = refusal(&unknown) else { panic!("issues were expected") };
    assert_eq!(issues.len(), MAX_ISSUES);
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    assert!(Schematic::decode(b"owner: \xff").unwrap_err().to_string().contains("L1.C8"));
    assert!(Schematic::decode(b"owner: a\n\x01").unwrap_err().to_string().contains("line 2"));
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain("owner: é".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(Schematic::decode(utf16).unwrap().owner, "é");
}

#[test]
fn what_the_canonical_text_cannot_say_is_refused_at_creation_and_keeps_its_id() {
    let with_arg = |arg: &str| {
        let mut schematic = Schematic::default();
        schematic.customization.extra_kernel_args = vec![arg.to_owned()];
        schematic
    };
    // The library writes `|4-` although a list item's text is indented by two.
    let unreadable = with_arg("  a\nb");
    assert_eq!(
        unreadable.canonical(),
        "customization:\n    extraKernelArgs:\n        - |4-\n            a\n          b\n"
    );
    assert!(matches!(unreadable.check_round_trip(), Err(RoundTripError::Unreadable(_))));

    let mut different = Schematic::default();
    different.customization.embedded_machine_configuration = "\n a".to_owned();
    let error = different.check_round_trip().unwrap_err();
    assert!(error.to_string().contains("customization.embeddedMachineConfiguration"), "{error}");

    let mut tab = Schematic::default();
    tab.customization.embedded_machine_configuration = "\ta\n".to_owned();
    assert!(tab.check_round_trip().is_err());
    assert!(with_arg("plain: text").check_round_trip().is_ok());
}
