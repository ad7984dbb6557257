use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

fn nasty() -> ExtensionManifest {
    ExtensionManifest {
        name: "yes".into(),
        version: "1.10".into(),
        author: "Image Factory (https://factory.example/?a=b&c={d}#e)".into(),
        description: " two\nlines: \"and\" 'more' \\ \t- # é 😀 \u{feff}\u{85}\u{2028}\u{1}\r\n\n".into(),
        talos_versions: ">= 1.0.0".into(),
        extra_info: "customization:\n    meta:\n        - key: 10\n          value: |-\n            a\n\n            b\n"
            .into(),
    }
}

#[test]
fn a_manifest_of_the_wild_is_read() {
    let manifest = ExtensionManifest::read(
        b"version: v1alpha1\nmetadata:\n  name: gvisor\n  version: 20240408.0\n  author: Sidero Labs\n  \
          description: |\n    first line\n    second\n  compatibility:\n    talos:\n      version: \">= v1.5.0\"\nmore: 1\n",
    )
    .unwrap();
    let expected = ExtensionManifest {
        name: "gvisor".into(),
        version: "20240408.0".into(),
        author: "Sidero Labs".into(),
        description: "first line\nsecond\n".into(),
        talos_versions: ">= v1.5.0".into(),
        extra_info: String::new(),
    };
    assert_eq!(manifest, expected);
    let sparse =
        ExtensionManifest::read(b"version: v1alpha1\nmetadata:\n  name: a\n  compatibility:\n").unwrap();
    assert_eq!(sparse, ExtensionManifest { name: "a".into(), ..ExtensionManifest::default() });
}

#[test]
fn manifests_that_are_none_are_refused() {
    let mut large = b"version: v1alpha1\nmetadata:\n  name: a\n".to_vec();
    large.resize(usize::try_from(MAX_MANIFEST).unwrap(), b'\n');
    assert!(ExtensionManifest::read(&large).is_ok());
    large.push(b'\n');
    for bad in [
        &b""[..],
        b"version: v1\n",
        b"metadata: {}\n",
        b"- version: v1alpha1\n",
        b"version: v1alpha1\nversion: v1alpha1\n",
        b"version: v1alpha1\nmetadata: x\n",
        b"version: v1alpha1\nmetadata:\n  name: []\n",
        b"version: v1alpha1\nmetadata:\n  compatibility:\n    talos: 1\n",
        b"version: v1alpha1\nmetadata: {name: \xff}\n",
        b"version: v1alpha1\nmetadata: &a {name: *a}\n",
        b"a: [\n",
        &large,
    ] {
        assert!(ExtensionManifest::read(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
    }
    assert!(matches!(ExtensionManifest::read(&large), Err(ManifestError::TooLarge { .. })));
}

#[test]
fn a_written_manifest_reads_back() {
    let manifest = nasty();
    assert_eq!(ExtensionManifest::read(manifest.to_yaml().as_bytes()).unwrap(), manifest);
}

#[test]
fn extensions_yaml_lists_the_layers_in_order() {
    let first = ExtensionManifest { name: "a".into(), version: "1".into(), ..ExtensionManifest::default() };
    let text = extensions_yaml([("0.sqsh", &first), ("modules.dep.sqsh", &first)]);
    let layer = "      metadata:\n          name: \"a\"\n          version: \"1\"\n          author: \"\"\n          \
                 description: \"\"\n          compatibility:\n              talos:\n                  version: \"\"\n";
    assert_eq!(
        text,
        format!("layers:\n    - image: \"0.sqsh\"\n{layer}    - image: \"modules.dep.sqsh\"\n{layer}")
    );
}

/// PyYAML reads what we write as the same values.
#[test]
fn another_reader_sees_the_same_values() {
    let script = "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin.buffer.read())))";
    let Ok(mut child) =
        Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        println!("skipped: python3 is missing");
        return;
    };
    let manifest = nasty();
    let text = extensions_yaml([("10.sqsh", &manifest)]);
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        println!("skipped: PyYAML is missing");
        return;
    }
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let metadata = serde_json::json!({
        "name": manifest.name, "version": manifest.version, "author": manifest.author,
        "description": manifest.description, "extraInfo": manifest.extra_info,
        "compatibility": {"talos": {"version": manifest.talos_versions}},
    });
    assert_eq!(read, serde_json::json!({"layers": [{"image": "10.sqsh", "metadata": metadata}]}));
}

#[test]
fn an_incompatible_extension_is_the_callers_to_mend() {
    let manifest = ExtensionManifest { name: "drbd".into(), version: "9.2".into(), ..nasty() };
    assert_eq!(manifest.check_compatible(&"v1.13.0".parse().unwrap()), Ok(()));
    let picky = ExtensionManifest { talos_versions: ">= v1.3.0 <1.5.0".into(), ..manifest };
    assert_eq!(picky.check_compatible(&"v1.4.0-rc.1".parse().unwrap()), Ok(()));
    let error = picky.check_compatible(&"v1.5.0-alpha.0".parse().unwrap()).unwrap_err();
    assert_eq!(error.blame(), Blame::Caller);
    assert_eq!(
        error.to_string(),
        "extension `drbd` 9.2 needs Talos `>= v1.3.0 <1.5.0`, but the image is of v1.5.0-alpha.0"
    );
    let broken = ExtensionManifest { talos_versions: "latest".into(), ..picky };
    assert!(matches!(
        broken.check_compatible(&"v1.5.0".parse().unwrap()),
        Err(CompatibilityError::Constraint { .. })
    ));
}
