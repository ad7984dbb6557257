//! What holds for every schematic and every text.

use proptest::prelude::*;
use schematics::meta::MetaValue;
use schematics::schematic::{Customization, DiskImage, Overlay, SecureBoot, SystemExtensions};
use schematics::value::{Mapping, Value};
use schematics::{Bootloader, Schematic};

/// Texts of what matters to the emitter and the scanner.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "true",
        "no",
        "~",
        "1",
        "0x1f",
        "1e3",
        "12:30",
        "2001-01-01",
        "-",
        "--- ",
        "...",
        ": ",
        " #",
        "#",
        "?",
        " ",
        "\t",
        "\n",
        "\n\n",
        "\r",
        "'",
        "\"",
        "\\",
        "%",
        "@",
        "[",
        "}",
        ",",
        "&",
        "*",
        "!",
        "|",
        ">",
        "<<",
        "é",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{1f600}",
        "\0",
        "\u{7f}",
        "\u{a0}",
        "long enough for a key of its own line ",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        any::<String>(),
        "[ -~\n]{0,40}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (i64::MAX as u64 + 1..).prop_map(Value::Uint),
        any::<f64>().prop_map(Value::Float),
        Just(Value::Timestamp("2001-12-14T21:59:43.1-05:00".to_owned())),
        text().prop_map(Value::String),
        prop::collection::vec(128_u8.., 1..200).prop_map(Value::Binary),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            mapping(inner).prop_map(Value::Map),
        ]
    })
}

fn mapping(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Mapping> {
    prop::collection::vec((text(), value), 0..4).prop_map(|entries| {
        let mut mapping = Mapping::default();
        for (key, value) in entries {
            mapping.insert(Value::String(key), value);
        }
        mapping
    })
}

fn bootloader() -> impl Strategy<Value = Bootloader> {
    prop::sample::select(vec![Bootloader::None, Bootloader::DualBoot, Bootloader::SdBoot, Bootloader::Grub])
}

fn customization() -> impl Strategy<Value = Customization> {
    let list = || prop::collection::vec(text(), 0..4);
    let meta = (any::<u8>(), text()).prop_map(|(key, value)| MetaValue { key, value });
    let secureboot = (text(), any::<bool>()).prop_map(|(enroll_keys, include_well_known_certificates)| {
        SecureBoot { enroll_keys, include_well_known_certificates }
    });
    (text(), list(), prop::collection::vec(meta, 0..4), list(), (bootloader(), secureboot, any::<u64>()))
        .prop_map(|(embedded, args, meta, extensions, (bootloader, secureboot, sector_size))| Customization {
            embedded_machine_configuration: embedded,
            extra_kernel_args: args,
            meta,
            system_extensions: SystemExtensions { official_extensions: extensions },
            bootloader,
            secureboot,
            disk_image: DiskImage { sector_size },
        })
}

fn schematic() -> impl Strategy<Value = Schematic> {
    let overlay = (text(), text(), mapping(value())).prop_map(|(image, name, options)| Overlay {
        image,
        name,
        options,
    });
    (text(), overlay, customization()).prop_map(|(owner, overlay, customization)| Schematic {
        owner,
        overlay,
        customization,
    })
}

/// YAML that is nearly right.
fn yaml() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "customization",
        "overlay",
        "options",
        "meta",
        "key",
        "value",
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "? ",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!!int ",
        "!",
        "|",
        ">",
        "|2-",
        "'",
        "\"",
        "\\",
        "#",
        "---\n",
        "...",
        "%TAG ! x\n",
        "1",
        "null",
        "\t",
        "\r",
        "\u{2028}",
        "\u{feff}",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_schematic_that_passes_the_check_is_read_back_as_itself(schematic in schematic()) {
        if schematic.check_round_trip().is_ok() {
            let again = Schematic::decode(schematic.canonical()).unwrap();
            prop_assert_eq!(&again, &schematic);
            prop_assert_eq!(again.canonical(), schematic.canonical());
            prop_assert_eq!(again.id(), schematic.id());
        }
    }

    #[test]
    fn one_line_texts_always_pass_the_check(argument in "[^\n\r\u{85}\u{2028}\u{2029}]{0,40}") {
        let mut schematic = Schematic::default();
        schematic.customization.extra_kernel_args = vec![argument];
        prop_assert!(schematic.check_round_trip().is_ok(), "{}", schematic.canonical());
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Schematic::decode(bytes);
    }

    #[test]
    fn any_yaml_is_decoded_or_refused_with_its_line(yaml in yaml()) {
        if let Err(error) = Schematic::decode(&yaml) {
            let text = error.to_string();
            prop_assert!(text == "EOF" || text.contains("line "), "{}", text);
        }
    }
}
