use std::path::PathBuf;

use super::keys::Key;
use super::load::load_from;
use super::raw::{Origin, Raw};
use super::*;

fn loaded(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &[&str])],
) -> Result<Config, ConfigErrors> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("factory.yaml");
    fs_err::write(&path, file).unwrap();
    let variable =
        |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let set_flags = |raw: &mut Raw| {
        for (name, texts) in flags {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            raw.set(Key::find(name).unwrap(), texts, Origin::Flag(format!("--{name}")));
        }
    };
    load_from(Some(path), variable, set_flags)
}

#[test]
fn the_defaults_serve_on_this_machine_alone() {
    let config = load_from(None, |_| None, |_| ()).unwrap();
    assert!(config.listen.ip().is_loopback());
    assert_eq!(config.external_url, "http://127.0.0.1:8080");
    assert_eq!(config.pxe_url, config.external_url);
    assert_eq!(config.limits.body, 65_536);
    assert_eq!(config.data, PathBuf::from("./data"));
    assert_eq!(config.allowed_origins, Origins::Any);
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let file = "listen: 127.0.0.1:1\ndata: /from/file\nmax-builds: 3\n";
    let config = loaded(
        file,
        &[("FACTORY_LISTEN", "127.0.0.1:2"), ("FACTORY_DATA", "/from/env")],
        &[("listen", &["127.0.0.1:3"])],
    );
    let config = config.unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.data, PathBuf::from("/from/env"));
    assert_eq!(config.limits.builds.get(), 3);
}

#[test]
fn lists_are_written_with_commas_or_as_lists() {
    for file in ["broken-versions: [v1.2.3, 1.13.1]\n", "broken-versions: 1.2.3, 1.13.1\n"] {
        let versions = loaded(file, &[], &[]).unwrap().broken_versions;
        assert_eq!(versions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["v1.2.3", "v1.13.1"]);
    }
    let config =
        loaded("", &[("FACTORY_ALLOWED_ORIGINS", "https://a.example,https://b.example")], &[]).unwrap();
    assert!(matches!(config.allowed_origins, Origins::Only(origins) if origins.len() == 2));
}

#[test]
fn all_problems_are_reported_at_once_with_key_and_origin() {
    let file = "listn: 1\nexternalUrl: http://x\nbody-limit: lots\ndata: [a, b]\nlog-level: null\n";
    let environment = [("FACTORY_RECHECK_INTERVAL", "often"), ("FACTORY_LISTEN", "here")];
    let errors = loaded(file, &environment, &[("broken-versions", &["1.2.3", "newest"])]).unwrap_err();
    let text = errors.to_string();
    for part in [
        "`listn` from",
        "there is no such key",
        "did you mean `external-url`?",
        "`body-limit` from",
        "factory.yaml: `lots`: expected a number of bytes",
        "`data` from",
        "not a list",
        "`log-level`",
        "`recheck-interval` from FACTORY_RECHECK_INTERVAL: `often`: expected a duration",
        "`listen` from FACTORY_LISTEN: `here`: expected an IP address",
        "`broken-versions` from --broken-versions: `newest`: expected a Talos version",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    assert_eq!(errors.problems.len(), 8, "{text}");
}

#[test]
fn what_is_no_mapping_is_refused_as_a_whole() {
    for file in ["- a\n", "text\n", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "{", "\u{0}"] {
        let errors = loaded(file, &[], &[]).unwrap_err();
        assert!(errors.to_string().contains("factory.yaml: not a YAML mapping"), "{file:?}: {errors}");
    }
    assert!(loaded("", &[], &[]).is_ok());
    assert!(loaded("# nothing\n", &[], &[]).is_ok());
}

#[test]
fn a_file_that_is_not_there_is_a_problem() {
    let errors = load_from(Some(PathBuf::from("/no/such/file")), |_| None, |_| ()).unwrap_err();
    assert!(errors.to_string().contains("/no/such/file"), "{errors}");
}

#[test]
fn what_is_shown_can_be_loaded_again_and_says_who_said_it() {
    let shown = loaded("max-builds: 3\n", &[("FACTORY_LOG_LEVEL", "debug")], &[]).unwrap().show();
    assert!(shown.contains("log-level: \"debug\" # from FACTORY_LOG_LEVEL\n"), "{shown}");
    assert!(shown.contains("pxe-url: \"http://127.0.0.1:8080\" # follows from other keys\n"), "{shown}");
    let again = loaded(&shown, &[], &[]).unwrap();
    assert_eq!(again.limits.builds.get(), 3);
    assert_eq!(again.logging.filter, "debug");
}

#[test]
fn the_reference_page_is_the_one_in_docs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let written = fs_err::read_to_string(path).unwrap_or_default();
    assert!(
        written == reference(),
        "docs/configuration.md is out of date: run `factory show-config --reference > factory/docs/configuration.md`"
    );
}
