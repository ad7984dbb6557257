use signing::{HashAlgorithm, pcr};

use super::*;
use crate::judge::passes;

fn sections(contents: &[(&str, &str)]) -> Vec<(SectionName, BankDigests)> {
    let section = |(name, content): &(&str, &str)| {
        (SectionName::new(name).unwrap(), BankDigests::of(content.as_bytes()))
    };
    contents.iter().map(section).collect()
}

#[test]
fn values_are_those_of_other_implementations() {
    // Computed independently: all sections, each with its own name as content.
    let prediction = Prediction::of(&sections(&SECTIONS.map(|name| (name, name))));
    let known = [
        "c0c4f61f8ac39267a7638cde8029b82a0ccd378b2acbfdffb77ee1f0f9d464ec",
        "e8f6311e36f9ee038df65255ae7c471d1d1f91ce742b98a152be72337f6c937d",
        "207a8217158f9cc521dca50358a593dc61ed9308ef27da9df4ef64d634309160",
    ];
    for (bank, known) in HashAlgorithm::ALL.into_iter().zip(known) {
        assert_eq!(pcr::policy(prediction.value().get(bank)).hex(), known);
    }
}

#[test]
fn the_order_given_does_not_count_and_the_signatures_are_not_measured() {
    let expected = Prediction::of(&sections(&[(".linux", "k"), (".osrel", "o"), (".sbat", "s")]));
    let given =
        sections(&[(".sbat", "s"), (".pcrsig", "{}"), (".linux", "k"), (".osrel", "o"), (".osrel", "p")]);
    assert_eq!(Prediction::of(&given), expected);
    let changed = sections(&[(".sbat", "s"), (".linux", "k"), (".osrel", "p")]);
    assert_ne!(Prediction::of(&changed).value(), expected.value());
}

#[test]
fn events_replay_to_the_values() {
    let prediction = Prediction::of(&sections(&[(".initrd", "i"), (".linux", "k")]));
    let order: Vec<Measured> = prediction.events().iter().map(|event| event.measured).collect();
    let expected = [
        Measured::SectionName(".linux"),
        Measured::SectionContent(".linux"),
        Measured::SectionName(".initrd"),
        Measured::SectionContent(".initrd"),
        Measured::Phase(Phase::EnterInitrd),
        Measured::Phase(Phase::LeaveInitrd),
        Measured::Phase(Phase::EnterMachined),
    ];
    assert_eq!(order, expected);
    assert_eq!(prediction.events()[0].digests, BankDigests::of(b".linux\0"));
    assert_eq!(prediction.events()[6].digests, BankDigests::of(b"enter-machined"));
    for bank in HashAlgorithm::ALL {
        let mut value = vec![0; bank.digest_len()];
        for event in prediction.events() {
            value = bank.hash(&[&value, event.digests.get(bank).as_bytes()].concat()).as_bytes().to_vec();
            assert_eq!(event.value.get(bank).as_bytes(), value);
        }
        assert_eq!(prediction.value().get(bank).as_bytes(), value);
    }
}

#[test]
fn the_systemd_of_debian_bookworm_predicts_the_same() {
    // It knows fewer sections than the one the recipes are judged by, but is the one of another release.
    let contents: [(&str, &[u8]); 6] = [
        (".linux", b"kernel"),
        (".osrel", b"ID=talos\n"),
        (".cmdline", b"console=tty0"),
        (".initrd", b"initramfs"),
        (".splash", b"BM"),
        (".pcrpkey", b"-----BEGIN PUBLIC KEY-----\n"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let calculate = || {
        let files = contents.map(|(name, _)| format!("--{0}={0}", &name[1..]));
        let fixed = [
            "calculate",
            "--json=short",
            "--phase=enter-initrd:leave-initrd:enter-machined",
            "--bank=sha384",
        ];
        let arguments: Vec<&str> = fixed.into_iter().chain(files.iter().map(String::as_str)).collect();
        passes("/lib/systemd/systemd-measure", &arguments, dir, b"")
            .map(|text| String::from_utf8(text).unwrap())
    };
    for (name, content) in contents {
        fs_err::write(dir.join(&name[1..]), content).unwrap();
    }
    let section =
        |(name, content): (&str, &[u8])| (SectionName::new(name).unwrap(), BankDigests::of(content));
    let expected = Prediction::of(&contents.map(section)).value().get(HashAlgorithm::Sha384).hex();
    let Some(found) = calculate() else { return };
    assert!(found.contains(&expected), "{found} does not say {expected}");
    fs_err::write(dir.join("osrel"), "ID=other\n").unwrap();
    assert!(!calculate().unwrap().contains(&expected));
}
