//! What systemd's own tools say to our measurements and signatures.

use std::path::Path;

use signing::{HashAlgorithm, MessageDigest, PcrSignatures, Signer as _};

use super::Inputs;
use super::signed::{Sections, Signed, pcrsig, predict, profiles};
use crate::judge::passes;
use crate::measure::{BankDigests, Measured, Phase, SECTIONS};

const LEFT: Measured = Measured::Phase(Phase::LeaveInitrd);
/// The phases systemd's tools are told.
const PHASES: &str = "enter-initrd:leave-initrd:enter-machined";

/// Writes sections into files, and gives the options that name them to systemd-measure.
fn options(sections: &[(String, Vec<u8>)], dir: &Path) -> Vec<String> {
    let mut options = Vec::new();
    for (name, content) in sections {
        let option = name.trim_start_matches('.');
        if SECTIONS.contains(&name.as_str()) {
            std::fs::write(dir.join(option), content).unwrap();
            options.push(format!("--{option}={option}"));
        }
    }
    options.extend(HashAlgorithm::ALL.map(|bank| format!("--bank={bank}")));
    options
}

fn systemd(command: &str, options: &[String], phases: &str, dir: &Path) -> Option<String> {
    let phases = format!("--phase={phases}");
    let mut arguments = vec![command, "--json=short", &phases];
    arguments.extend(options.iter().map(String::as_str));
    Some(String::from_utf8(passes("systemd-measure", &arguments, dir, b"")?).unwrap())
}

/// As systemd-measure prints it.
fn calculated(phases: &str, value: &BankDigests) -> String {
    let bank = |digest: &MessageDigest| {
        let (bank, hash) = (digest.algorithm(), digest.hex());
        format!("\"{bank}\":[{{\"phase\":\"{phases}\",\"pcr\":11,\"hash\":\"{hash}\"}}]")
    };
    format!("{{{}}}\n", value.as_array().map(|digest| bank(&digest)).join(","))
}

#[test]
fn systemd_measure_predicts_and_signs_the_same() {
    let signed = Signed::new(Inputs::new("v1.13.0", &["reset"]));
    for (sections, measured) in signed.profiles().iter().zip(&signed.measured) {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let mut options = options(sections, dir);
        let Some(found) = systemd("calculate", &options, PHASES, dir) else { return };
        assert_eq!(found, calculated(PHASES, measured.prediction.value()));
        let events = measured.prediction.events();
        for (count, event) in (1..).zip(&events[events.len() - Phase::ALL.len()..]) {
            let phases = Phase::ALL[..count].iter().map(|phase| phase.name()).collect::<Vec<_>>().join(":");
            assert_eq!(
                systemd("calculate", &options, &phases, dir).unwrap(),
                calculated(&phases, &event.value)
            );
        }

        std::fs::write(dir.join("key.pem"), signed.key.to_pem().unwrap().as_bytes()).unwrap();
        options.extend(["--private-key=key.pem", "--public-key=pcrpkey"].map(str::to_owned));
        let theirs = systemd("sign", &options, PHASES, dir).unwrap();
        assert_eq!(theirs.trim_end().as_bytes(), pcrsig(sections));

        std::fs::write(dir.join("cmdline"), "something else").unwrap();
        let theirs = systemd("sign", &options, PHASES, dir).unwrap();
        let theirs = PcrSignatures::from_json(theirs.trim_end().as_bytes()).unwrap();
        assert!(!theirs.as_slice()[0].covers(measured.prediction.value().get(HashAlgorithm::Sha256)));
    }
}

/// ukify knows no `enter-machined`; what it signs ends one phase earlier.
const UKIFY_PHASES: &str = "enter-initrd:leave-initrd";

/// Builds an image of ours again with ukify, and gives its bytes.
fn ukify(signed: &Signed, dir: &Path) -> Option<Vec<u8>> {
    let put = |name: &str, content: &[u8]| std::fs::write(dir.join(name), content).unwrap();
    let build = |arguments: &[&str]| {
        let arguments = [&["build"], arguments].concat();
        passes("ukify", &arguments, dir, b"").map(drop)
    };
    put("stub.efi", &signed.inputs.stub);
    put("key.pem", signed.key.to_pem().unwrap().as_bytes());
    let [main, reset] = &signed.profiles()[..] else { panic!("two profiles") };
    options(reset, dir);
    // A profile is joined from an image of its own, in which nothing may be in front of `.profile`.
    let name = signed.inputs.stub.windows(5).position(|bytes| bytes == b".sbat").unwrap();
    let mut bare = signed.inputs.stub.to_vec();
    bare[name..name + 5].copy_from_slice(b".none");
    put("bare.efi", &bare);
    build(&["--stub=bare.efi", "--profile=@profile", "--cmdline=@cmdline", "--output=reset.efi"])?;
    options(main, dir);
    let phases = format!("--phases={UKIFY_PHASES}");
    build(&[
        "--stub=stub.efi",
        "--linux=linux",
        "--initrd=initrd",
        "--cmdline=@cmdline",
        "--os-release=@osrel",
        "--splash=splash",
        "--uname=6.12.1-talos",
        "--profile=@profile",
        "--join-profile=reset.efi",
        "--pcrpkey=pcrpkey",
        "--pcr-private-key=key.pem",
        "--pcr-public-key=pcrpkey",
        "--pcr-banks=sha256,sha384,sha512",
        &phases,
        "--output=uki.efi",
    ])?;
    Some(std::fs::read(dir.join("uki.efi")).unwrap())
}

#[test]
fn ukify_signs_what_we_predict() {
    let mut inputs = Inputs::new("v1.13.0", &["reset"]);
    let mut stub = inputs.stub.to_vec();
    stub[0xa00..0xc00].fill(0);
    stub[0xa00..0xa21].copy_from_slice(b"sbat,1,SBAT Version,sbat,1,https\n");
    inputs.stub = stub.into();
    let signed = Signed::new(inputs);
    let dir = tempfile::tempdir().unwrap();
    let Some(theirs) = ukify(&signed, dir.path()) else { return };
    let theirs = profiles(&theirs);
    let values: Vec<BankDigests> = theirs
        .iter()
        .map(|sections| {
            let prediction = predict(sections);
            let event = prediction.events().iter().find(|event| event.measured == LEFT).unwrap();
            event.value
        })
        .collect();
    for (number, (sections, ours)) in theirs.iter().zip(signed.profiles()).enumerate() {
        let signatures = PcrSignatures::from_json(pcrsig(sections)).unwrap();
        for (bank, signature) in HashAlgorithm::ALL.into_iter().zip(signatures.as_slice()) {
            signature.verify(signed.key.public_key()).unwrap();
            for (other, value) in values.iter().enumerate() {
                assert_eq!(signature.covers(value.get(bank)), number == other);
            }
        }
        // What goes into the measurement is the same in both, but for `.sbat`, to which ukify adds lines of its own.
        let measured = |sections: &Sections| -> Sections {
            let counts = |name: &str| SECTIONS.contains(&name) && name != ".sbat";
            let mut found: Sections = sections.iter().filter(|(name, _)| counts(name)).cloned().collect();
            found.sort();
            found
        };
        assert_eq!(measured(sections), measured(&ours));
    }
}
