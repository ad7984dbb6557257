use std::path::Path;
use std::sync::OnceLock;

use signing::certificate::{Terms, self_signed};
use signing::well_known::WELL_KNOWN;
use signing::{KeyId, RsaKey, RsaPublicKey, SignError};

use super::*;
use crate::format::pe::sample::stub;
use crate::format::pe::{Section, SectionName, append_sections};
use crate::image::Source;
use crate::judge::{Blobs, block_on_io as block_on, noise, passes, run};

/// The keys of the tests: two of 2048 bits and one of 4096, made once per run.
fn key(which: usize) -> RsaKey {
    static KEYS: OnceLock<[String; 3]> = OnceLock::new();
    let make = |bits| RsaKey::generate(bits).unwrap().to_pem().unwrap().to_string();
    RsaKey::from_pem(&KEYS.get_or_init(|| [make(2048), make(2048), make(4096)])[which]).unwrap()
}

fn certificate(which: usize) -> Certificate {
    let terms =
        Terms { common_name: "owner", not_before: 1_700_000_000, not_after: 4_000_000_000, authority: false };
    block_on(self_signed(&key(which), &terms)).unwrap()
}

/// Programs to sign: a stub whose length is no multiple of 8, a kernel image of blobs, and what the reference release has
/// of systemd.
fn programs(blobs: &Blobs) -> Vec<(String, VirtualImage)> {
    let odd = [stub(), vec![1; 3]].concat();
    let sections = [
        Section { name: SectionName::new(".linux").unwrap(), content: blobs.put(noise(1, 300_001)) },
        Section { name: SectionName::new(".cmdline").unwrap(), content: VirtualImage::from_bytes("quiet") },
    ];
    let kernel = append_sections(&VirtualImage::from_bytes(stub()), &stub(), &sections, 0).unwrap();
    let mut programs = vec![("odd".to_owned(), VirtualImage::from_bytes(odd)), ("kernel".to_owned(), kernel)];
    for arch in ["amd64", "arm64"] {
        for name in ["systemd-boot", "systemd-stub"] {
            let path = format!("../target/reference/inputs/releases/v1.13.0/{arch}/{name}.efi");
            match fs_err::read(&path) {
                Ok(bytes) => programs.push((format!("{name}-{arch}"), blobs.put(bytes))),
                Err(_) => println!("skipped: {path} is not made"),
            }
        }
    }
    programs
}

fn sign(program: &VirtualImage, which: usize, blobs: &Blobs) -> VirtualImage {
    block_on(sign_program(program, &key(which), &certificate(which), &blobs.0)).unwrap()
}

/// Whether a tool believes `file`, signed by the owner of `trusted`; `None` when it is not installed.
fn believes(tool: &str, file: &str, trusted: &str, dir: &Path) -> Option<bool> {
    let arguments = match tool {
        "sbverify" => vec!["--cert", trusted, file],
        _ => vec!["verify", "-CAfile", trusted, "-in", file],
    };
    let output = run(tool, &arguments, dir, b"")?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(
        output.status.success()
            && !told.contains("MISMATCH")
            && !told.contains("Signature verification: failed"),
    )
}

const TOOLS: [&str; 2] = ["sbverify", "osslsigncode"];

#[test]
fn the_tools_believe_what_we_sign() {
    let (blobs, dir) = (Blobs::default(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    for which in 0..3 {
        fs_err::write(dir.join(format!("{which}.pem")), certificate(which).to_pem()).unwrap();
    }
    for (name, program) in programs(&blobs) {
        blobs.write(&program, &dir.join("unsigned"));
        for which in [0, 2] {
            let signed = sign(&program, which, &blobs);
            blobs.write(&signed, &dir.join("signed"));
            assert!(block_on(verify_program(&signed, &certificate(which), &blobs.0)).is_ok(), "{name}");
            for tool in TOOLS {
                let Some(own) = believes(tool, "signed", &format!("{which}.pem"), dir) else { continue };
                assert!(own, "{tool} refuses {name}");
                assert_eq!(believes(tool, "signed", "1.pem", dir), Some(false), "{tool} {name}");
                assert_eq!(believes(tool, "unsigned", "1.pem", dir), Some(false), "{tool} {name}");
            }
        }
    }
}

#[test]
fn the_tools_sign_the_same_digest() {
    let (blobs, dir) = (Blobs::default(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    fs_err::write(dir.join("key"), key(0).to_pem().unwrap().as_bytes()).unwrap();
    fs_err::write(dir.join("certificate"), certificate(0).to_pem()).unwrap();
    for (name, program) in programs(&blobs) {
        blobs.write(&program, &dir.join("unsigned"));
        let digest = block_on(authenticode_digest(&program, HashAlgorithm::Sha256, &blobs.0)).unwrap();
        // pesign does not pad what it hashes when it is only asked for the hash.
        if name != "odd"
            && let Some(told) = passes("pesign", &["-h", "-i", "unsigned"], dir, b"")
        {
            let told = String::from_utf8(told).unwrap();
            assert!(told.contains(digest.to_string().trim_start_matches("sha256:")), "{name}: {told}");
        }
        let _ = fs_err::remove_file(dir.join("signed"));
        let sbsign = ["--key", "key", "--cert", "certificate", "--output", "signed", "unsigned"];
        let sign = [
            "sign",
            "-h",
            "sha256",
            "-key",
            "key",
            "-certs",
            "certificate",
            "-in",
            "unsigned",
            "-out",
            "signed",
        ];
        for (tool, arguments) in [("sbsign", &sbsign[..]), ("osslsigncode", &sign[..])] {
            if passes(tool, arguments, dir, b"").is_none() {
                continue;
            }
            let theirs = VirtualImage::from_bytes(fs_err::read(dir.join("signed")).unwrap());
            let found = block_on(signatures(&theirs, &blobs.0)).unwrap();
            assert_eq!(found.iter().map(Signature::digest).collect::<Vec<_>>(), [&digest], "{tool} {name}");
            assert_eq!(found[0].signer(), &certificate(0), "{tool} {name}");
            // Signed images have the digest they had before.
            let again = block_on(authenticode_digest(&theirs, HashAlgorithm::Sha256, &blobs.0)).unwrap();
            assert_eq!(again, digest, "{tool} {name}");
            assert!(block_on(verify_program(&theirs, &certificate(0), &blobs.0)).is_ok(), "{tool} {name}");
            fs_err::remove_file(dir.join("signed")).unwrap();
        }
    }
}

#[test]
fn one_changed_byte_is_refused() {
    let (blobs, dir) = (Blobs::default(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    fs_err::write(dir.join("owner.pem"), certificate(0).to_pem()).unwrap();
    for (name, program) in programs(&blobs) {
        let signed = blobs.flatten(&sign(&program, 0, &blobs));
        let table = usize::try_from(program.len().next_multiple_of(8)).unwrap();
        let headers = pe::Headers::read(&signed).unwrap();
        let data = usize::try_from(headers.sections[0].content().start).unwrap();
        let places = [
            ("header", 0x30),
            ("section header", data - 0x40),
            ("data", data + 9),
            ("last byte", table - 1),
            ("signed digest", table + 8 + 130),
            ("signature", signed.len() - 30),
        ];
        for (place, at) in places {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            fs_err::write(dir.join("changed"), &changed).unwrap();
            let ours =
                block_on(verify_program(&VirtualImage::from_bytes(changed), &certificate(0), &blobs.0));
            assert!(ours.is_err(), "{name}: {place}");
            for tool in TOOLS {
                let theirs = believes(tool, "changed", "owner.pem", dir);
                assert_ne!(theirs, Some(true), "{tool} {name}: {place}");
            }
        }
    }
}

#[test]
fn pesign_shows_who_signed() {
    let (blobs, dir) = (Blobs::default(), tempfile::tempdir().unwrap());
    for (name, program) in programs(&blobs) {
        blobs.write(&sign(&program, 0, &blobs), &dir.path().join("signed"));
        let Some(told) = passes("pesign", &["-S", "-i", "signed"], dir.path(), b"") else { return };
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains("The signer's common name is owner"), "{name}: {told}");
        assert!(told.contains("No signer email") && !told.contains("Signing time:"), "{name}: {told}");
    }
}

#[test]
fn signing_leaves_the_kernel_where_it_is() {
    let blobs = Blobs::default();
    let (_, program) = programs(&blobs).swap_remove(1);
    let signed = sign(&program, 0, &blobs);
    assert_eq!(sign(&program, 0, &blobs), signed);
    assert_ne!(sign(&program, 1, &blobs), signed);
    assert_eq!(signed.blobs(), program.blobs());
    let kernel = |image: &VirtualImage| {
        image.extents().iter().find(|extent| matches!(extent.source(), Source::Blob { .. })).cloned()
    };
    assert_eq!(kernel(&signed), kernel(&program));
    let inline = |image: &VirtualImage| image.extents().len();
    assert!(inline(&signed) <= inline(&program) + 1, "{signed:?}");
    assert_eq!(signed.len() % 8, 0);
}

#[test]
fn what_cannot_be_signed_is_refused_with_its_reason() {
    let blobs = Blobs::default();
    let (_, program) = programs(&blobs).swap_remove(1);
    let signed = sign(&program, 0, &blobs);
    let refused = |program: &VirtualImage, which: usize, other: usize| {
        block_on(sign_program(program, &key(which), &certificate(other), &blobs.0)).unwrap_err()
    };
    let twice = refused(&signed, 0, 0);
    assert!(matches!(twice, SignProgramError::Program(ProgramError::Pe(PeError::SignedImage))), "{twice}");
    let mixed = refused(&program, 0, 1);
    let certificate_error = Pkcs7Error::Certificate { subject: String::new(), certified: id(1), key: id(0) };
    assert!(
        matches!(&mixed, SignProgramError::Signature { source, .. }
            if std::mem::discriminant(source) == std::mem::discriminant(&certificate_error)),
        "{mixed}"
    );
    let text = refused(&VirtualImage::from_bytes("no program"), 0, 0);
    assert_eq!(text.blame(), Blame::Upstream);
    let lost = Blobs::default();
    let error = block_on(sign_program(&program, &key(0), &certificate(0), &lost.0)).unwrap_err();
    assert!(
        matches!(error, SignProgramError::Program(ProgramError::Store(StoreError::Missing { .. }))),
        "{error}"
    );
    let unsigned = block_on(verify_program(&program, &certificate(0), &blobs.0)).unwrap_err();
    assert!(matches!(unsigned, VerifyProgramError::Unsigned), "{unsigned}");
    let stranger = block_on(verify_program(&signed, &certificate(1), &blobs.0)).unwrap_err();
    let refusal = |first: &SignatureError| matches!(first, SignatureError::Untrusted { .. });
    assert!(matches!(&stranger, VerifyProgramError::Refused { first } if refusal(first)), "{stranger}");
}

fn id(which: usize) -> KeyId {
    key(which).id()
}

/// A signer that is away.
struct Away(RsaPublicKey);

#[async_trait::async_trait]
impl Signer for Away {
    fn public_key(&self) -> &RsaPublicKey {
        &self.0
    }

    async fn sign(&self, _: &MessageDigest) -> Result<Vec<u8>, SignError> {
        Err(SignError::Throttled { signer: "away".to_owned(), source: "later".into() })
    }
}

#[test]
fn a_signer_that_is_away_says_so() {
    let blobs = Blobs::default();
    let (_, program) = programs(&blobs).swap_remove(1);
    let signer = Away(key(0).public_key().clone());
    let error = block_on(sign_program(&program, &signer, &certificate(0), &blobs.0)).unwrap_err();
    assert_eq!(error.blame(), Blame::Busy, "{error}");
}

#[test]
fn what_microsoft_signed_is_believed_with_its_certificates_alone() {
    let path = "../target/tools/shim.efi.signed";
    let Ok(bytes) = fs_err::read(path) else {
        println!("skipped: {path} is not there");
        return;
    };
    let blobs = Blobs::default();
    let shim = VirtualImage::from_bytes(bytes.clone());
    // The signers are certified by certificates that are with the signatures, too.
    let theirs: Vec<Certificate> =
        WELL_KNOWN.iter().map(|known| Certificate::from_der(known.der).unwrap()).collect();
    let found = block_on(signatures(&shim, &blobs.0)).unwrap();
    let verify = |shim: &VirtualImage, trusted: &Certificate| {
        block_on(verify_program(shim, trusted, &blobs.0)).is_ok()
    };
    assert!(found.iter().all(|signature| theirs.iter().any(|one| signature.certificates().contains(one))));
    assert!(theirs.iter().any(|one| verify(&shim, one)) && !verify(&shim, &certificate(0)));
    let mut changed = bytes;
    changed[0x2000] ^= 1;
    let changed = VirtualImage::from_bytes(changed);
    assert!(!theirs.iter().any(|one| verify(&changed, one)));
    let twice = block_on(sign_program(&shim, &key(0), &certificate(0), &blobs.0)).unwrap_err();
    assert!(matches!(twice, SignProgramError::Program(ProgramError::Pe(PeError::SignedImage))), "{twice}");
}
