use super::*;
use crate::rsa::tests::{block_on, key};

/// The value of a PCR after these sections, as systemd's stub measures them, and the phases of Talos' boot.
fn value(bank: HashAlgorithm, sections: &[(&str, &str)]) -> MessageDigest {
    let mut pcr = vec![0; bank.digest_len()];
    let mut extend = |measured: &str| {
        pcr = bank.hash(&[&pcr, bank.hash(measured.as_bytes()).as_bytes()].concat()).as_bytes().to_vec();
    };
    for (name, content) in sections {
        extend(&format!("{name}\0"));
        extend(content);
    }
    ["enter-initrd", "leave-initrd", "enter-machined"].into_iter().for_each(extend);
    MessageDigest::from_bytes(bank, &pcr).unwrap()
}

fn signatures() -> PcrSignatures {
    let values = HashAlgorithm::ALL.map(|bank| value(bank, &[(".linux", "x")]));
    block_on(PcrSignatures::sign(&key(0), &values)).unwrap()
}

#[test]
fn policies_are_those_of_other_implementations() {
    // Computed independently, with the TPM's own formula.
    let boot = [(".linux", "bbbb\n"), (".initrd", "aaaa\n"), (".dtb", "cccc\n")];
    assert_eq!(
        policy(&value(HashAlgorithm::Sha256, &boot)).to_string(),
        "sha256:a1c9d366451c82969238eb82a5282f84b6a3d499e540430ecf792083155225dd"
    );
    let names = [
        ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
        ".pcrpkey", ".profile", ".dtbauto", ".hwids",
    ];
    let sections = names.map(|name| (name, name));
    let known = [
        "c0c4f61f8ac39267a7638cde8029b82a0ccd378b2acbfdffb77ee1f0f9d464ec",
        "e8f6311e36f9ee038df65255ae7c471d1d1f91ce742b98a152be72337f6c937d",
        "207a8217158f9cc521dca50358a593dc61ed9308ef27da9df4ef64d634309160",
    ];
    for (bank, known) in HashAlgorithm::ALL.into_iter().zip(known) {
        let policy = policy(&value(bank, &sections));
        assert_eq!((policy.algorithm(), policy.hex().as_str()), (HashAlgorithm::Sha256, known));
    }
}

#[test]
fn the_json_has_one_form() {
    let (signatures, fingerprint) = (signatures(), fingerprint(key(0).public_key()).hex());
    let entries: Vec<String> = signatures
        .as_slice()
        .iter()
        .map(|signature| {
            use base64::Engine as _;
            let encoded = base64::engine::general_purpose::STANDARD.encode(&signature.signature);
            format!(
                "\"{}\":[{{\"pcrs\":[11],\"pkfp\":\"{fingerprint}\",\"pol\":\"{}\",\"sig\":\"{encoded}\"}}]",
                signature.bank,
                signature.policy.hex(),
            )
        })
        .collect();
    assert_eq!(signatures.to_json(), format!("{{{}}}", entries.join(",")));
    assert_eq!(signatures.to_json(), super::tests::signatures().to_json());
}

#[test]
fn what_is_written_is_read() {
    let signatures = signatures();
    let json = signatures.to_json();
    assert_eq!(PcrSignatures::from_json(json.as_bytes()).unwrap(), signatures);
    assert_eq!(PcrSignatures::from_json(format!("{json}\0\0").as_bytes()).unwrap(), signatures);
    let with_sha1 = json.replacen('{', "{\"sha1\":[],", 1);
    assert_eq!(PcrSignatures::from_json(with_sha1.as_bytes()).unwrap(), signatures);
    let other_register = json.replacen("[11]", "[12]", 1);
    assert_eq!(
        PcrSignatures::from_json(other_register.as_bytes()).unwrap().as_slice(),
        &signatures.as_slice()[1..]
    );
}

#[test]
fn damaged_signatures_are_refused() {
    let json = signatures().to_json();
    let bad = |text: &str| PcrSignatures::from_json(text.as_bytes()).unwrap_err();
    assert!(matches!(bad(""), SignaturesError::Json(_)));
    assert!(matches!(bad(&json[..json.len() - 1]), SignaturesError::Json(_)));
    assert!(matches!(bad(&json.replacen('{', "\0{", 1)), SignaturesError::Json(_)));
    assert!(matches!(bad(&" ".repeat(2 << 20)), SignaturesError::TooLong { .. }));
    let cut = json.replacen("\"pol\":\"", "\"pol\":\"0", 1);
    assert!(matches!(bad(&cut), SignaturesError::Field { field: "pol", bank: HashAlgorithm::Sha256, .. }));
    let cut = json.replacen("\"pkfp\":\"", "\"pkfp\":\"z", 1);
    assert!(matches!(bad(&cut), SignaturesError::Field { field: "pkfp", .. }));
    let cut = json.replacen("\"sig\":\"", "\"sig\":\"*", 1);
    assert!(matches!(bad(&cut), SignaturesError::Field { field: "sig", .. }));
    let entry = r#"{"pcrs":[11],"pkfp":"","pol":"","sig":""}"#;
    let many = format!("{{\"sha384\":[{}]}}", vec![entry; MAX_SIGNATURES + 1].join(","));
    assert!(matches!(bad(&many), SignaturesError::TooMany { bank: HashAlgorithm::Sha384, .. }));
}

#[test]
fn a_signature_covers_one_value_in_one_bank_by_one_key() {
    let signatures = signatures();
    for (index, signature) in signatures.as_slice().iter().enumerate() {
        signature.verify(key(0).public_key()).unwrap();
        assert!(signature.verify(key(1).public_key()).is_err());
        for (other, bank) in HashAlgorithm::ALL.into_iter().enumerate() {
            assert_eq!(signature.covers(&value(bank, &[(".linux", "x")])), index == other);
            assert!(!signature.covers(&value(bank, &[(".linux", "y")])));
        }
        let mut forged = signature.clone();
        forged.policy = policy(&value(signature.bank, &[(".linux", "y")]));
        assert!(forged.verify(key(0).public_key()).is_err());
    }
}
