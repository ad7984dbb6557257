mod fixture;
mod hostile;
mod judges;
mod media;
mod servers;

use builder::predict::{self, Document, KeyVariables, Register, Role};
use signing::HashAlgorithm;

use super::report::{FileKind, Program, ProgramKind, Report};
use super::*;
use fixture::{Fixture, predict as predicted, shared};

async fn look(location: &str) -> Report {
    inspect(location, Depth::Contents).await.unwrap()
}

fn register(document: &Document, pcr: u32) -> &Register {
    document.predictions().iter().find(|register| register.pcr == pcr).unwrap()
}

fn one(report: &Report) -> &Program {
    let [program] = report.programs.as_slice() else { panic!("{} programs", report.programs.len()) };
    program
}

#[tokio::test]
async fn a_kernel_image_tells_what_is_in_it_and_who_signed_it() {
    let fixture = Fixture::new().await;
    let path = fixture.save("x.efi", &fixture.bytes(&fixture.uki).await);
    let report = look(&path).await;
    assert_eq!((report.kind, report.size), (FileKind::Program, fixture.uki.len()));
    let program = one(&report);
    assert_eq!((program.kind, program.machine.as_str()), (ProgramKind::KernelImage, "x86_64"));
    assert_eq!(program.os_release.as_deref(), Some("ID=talos\nVERSION_ID=v1\n"));
    assert_eq!(program.kernel_release.as_deref(), Some("6.12.1-talos"));
    assert!(program.sbat[0].starts_with("sbat,1,"));
    for (name, content) in shared() {
        let section = program.sections.iter().find(|section| section.name == name).unwrap();
        assert_eq!(section.size, content.len() as u64);
        assert_eq!(section.sha256, Some(schematics::Digest::of(&content).hex()));
    }
    assert_eq!(program.authenticode, Some(fixture.authenticode(&fixture.uki).await));
    let [signature] = program.signatures.as_slice() else { panic!("{:?}", program.signatures) };
    assert_eq!((signature.valid, &signature.problem), (Some(true), &None));
    assert_eq!(signature.signer.subject, "CN=factory test");
    assert_eq!(signature.signer.fingerprint, fixture.certificate.digest().hex());
    let text = text(&report);
    for line in ["kernel-image for x86_64", "signature (valid): CN=factory test", "profile reset (Reset it)"]
    {
        assert!(text.contains(line), "{text}");
    }
}

#[tokio::test]
async fn each_profile_has_its_command_line_its_signatures_and_its_values() {
    let fixture = Fixture::new().await;
    let path = fixture.save("x.efi", &fixture.bytes(&fixture.uki).await);
    let report = look(&path).await;
    let program = one(&report);
    let lines: Vec<_> = program.profiles.iter().map(|profile| profile.cmdline.as_deref().unwrap()).collect();
    assert_eq!(lines, ["console=ttyS0", "console=ttyS0 reset"]);
    for profile in &program.profiles {
        let banks: Vec<&str> = profile.pcr_signatures.iter().map(|signature| signature.bank).collect();
        assert_eq!(banks, ["sha256", "sha384", "sha512"]);
        for signature in &profile.pcr_signatures {
            assert!(signature.valid);
            assert_eq!(signature.phase.as_deref(), Some("enter-initrd:leave-initrd:enter-machined"));
            assert_eq!(signature.key, program.pcr_key.as_ref().unwrap().fingerprint);
        }
    }
    let own = [
        (".profile", b"ID=reset\nTITLE=Reset it".to_vec()),
        (".cmdline", b"console=ttyS0 reset".to_vec()),
        (".pcrpkey", signing::Signer::public_key(&fixture.key).to_pem().into_bytes()),
    ];
    let prediction = predicted(&fixture.store, &[&own[..], &shared()].concat()).await;
    let document = &report.measurements[0];
    let reset = document.predictions().iter().find(|register| register.profile.as_deref() == Some("reset"));
    assert_eq!(*reset.unwrap(), predict::kernel_boot(Some("reset"), &prediction));
}

#[tokio::test]
async fn one_changed_byte_shows() {
    let fixture = Fixture::new().await;
    let mut bytes = fixture.bytes(&fixture.uki).await;
    let before = look(&fixture.save("good.efi", &bytes)).await;
    let place = bytes.windows(13).position(|window| window == b"console=ttyS0").unwrap();
    bytes[place] ^= 1;
    let report = look(&fixture.save("changed.efi", &bytes)).await;
    let (program, good) = (one(&report), one(&before));
    assert_eq!(program.signatures[0].valid, Some(false));
    assert!(program.signatures[0].problem.as_ref().unwrap().contains("another program was signed"));
    assert_ne!(program.authenticode, good.authenticode);
    assert_eq!(program.profiles[0].pcr_signatures[0].phase, None);
    // The other profile has a command line of its own, which was not changed.
    assert!(program.profiles[1].pcr_signatures[0].phase.is_some());
    assert!(text(&report).contains("NOT VALID: another program was signed"));
}

#[tokio::test]
async fn headers_alone_have_no_digests_and_believe_nothing() {
    let fixture = Fixture::new().await;
    let path = fixture.save("x.efi", &fixture.bytes(&fixture.uki).await);
    let report = inspect(&path, Depth::Headers).await.unwrap();
    let program = one(&report);
    assert!(program.authenticode.is_none() && report.measurements.is_empty());
    assert!(program.sections.iter().all(|section| section.sha256.is_none()));
    assert_eq!(program.signatures[0].valid, None);
    assert_eq!(program.profiles[0].cmdline.as_deref(), Some("console=ttyS0"));
    assert!(text(&report).contains("signature (not checked)"));
}

#[tokio::test]
async fn a_medium_tells_what_a_boot_of_it_measures() {
    let fixture = Fixture::new().await;
    let report = look(&fixture.save("esp.img", &fixture.file_system().await)).await;
    assert_eq!(report.kind, FileKind::FileSystem);
    assert_eq!(report.programs.len(), 4);
    let [document] = report.measurements.as_slice() else { panic!("{}", report.measurements.len()) };

    let chain = [
        (Role::BootLoader, "EFI/BOOT/BOOTX64.EFI", &fixture.boot_loader),
        (Role::KernelImage, "EFI/Linux/Talos-v1.efi", &fixture.uki),
        (Role::Addon, "loader/addons/all.addon.efi", &fixture.addon),
        (Role::Addon, "EFI/Linux/Talos-v1.efi.extra.d/own.addon.efi", &fixture.addon),
    ];
    let mut programs = Vec::new();
    for (role, path, image) in chain {
        let authenticode = fixture.authenticode(image).await;
        programs.push(predict::Program { role, path: path.to_owned(), authenticode });
    }
    assert_eq!(*register(document, 4), predict::boot_loader_code(&programs));

    let variables = KeyVariables::enrolled(&fixture.enrolment).unwrap();
    let authority = variables.authority(std::slice::from_ref(&fixture.certificate)).unwrap();
    let expected = predict::secure_boot_policy(&variables, &[authority]);
    assert_eq!(*register(document, 7), expected);

    let addon = |file: &str| builder::recipe::addon::loaded(&fixture::addon_inputs(), file, None).unwrap();
    let expected = predict::kernel_config(&[addon("all.addon.efi"), addon("own.addon.efi")]);
    assert_eq!(*register(document, 12), expected);
}

#[tokio::test]
async fn an_iso_of_ours_is_read_through_its_boot_catalogue() {
    let fixture = Fixture::new().await;
    let report = look(&fixture.save("x.iso", &fixture.iso().await)).await;
    assert_eq!(report.kind, FileKind::Iso);
    let paths: Vec<&str> = report.programs.iter().map(|program| program.path.as_str()).collect();
    assert_eq!(paths, ["EFI/BOOT/BOOTX64.EFI", "EFI/Linux/Talos-v1.13.0.efi"]);
    assert_eq!(report.programs[0].kind, ProgramKind::BootLoader);
    assert_eq!(report.programs[0].built_from.as_deref(), Some("systemd-boot 257"));
    let variables = &report.enrolment.as_ref().unwrap().variables;
    let names: Vec<&str> = variables.iter().map(|variable| variable.name).collect();
    assert_eq!(names, ["PK", "KEK", "db"]);
    assert_eq!(variables[0].certificates[0].fingerprint, fixture.certificate.digest().hex());
    let document = &report.measurements[0];
    assert_eq!(register(document, 4).events.len(), 4);
    assert_eq!(register(document, 7).events.len(), 7);
    assert_eq!(register(document, 12).events.len(), 0);
}

#[tokio::test]
async fn keys_that_do_not_let_the_image_in_predict_no_policy() {
    let (fixture, other) = (Fixture::new().await, Fixture::new().await);
    let stranger = Fixture { uki: other.uki.clone(), ..fixture };
    let report = look(&stranger.save("x.iso", &stranger.iso().await)).await;
    assert!(report.enrolment.is_some());
    assert!(report.measurements[0].predictions().iter().all(|register| register.pcr != 7));
}

#[tokio::test]
async fn an_addon_alone_tells_what_it_adds() {
    let fixture = Fixture::new().await;
    let report = look(&fixture.save("a.addon.efi", &fixture.bytes(&fixture.addon).await)).await;
    assert_eq!(one(&report).kind, ProgramKind::Addon);
    let expected = builder::recipe::addon::loaded(&fixture::addon_inputs(), "a.addon.efi", None).unwrap();
    assert_eq!(*register(&report.measurements[0], 12), predict::kernel_config(&[expected]));
    let sha256 = register(&report.measurements[0], 12).last();
    assert!(text(&report).contains(&sha256.get(HashAlgorithm::Sha256).hex()));
}

#[tokio::test]
async fn text_of_strangers_does_not_reach_a_terminal_as_it_is() {
    let fixture = Fixture::new().await;
    let mut bytes = fixture.bytes(&fixture.uki).await;
    let place = bytes.windows(13).position(|window| window == b"console=ttyS0").unwrap();
    bytes[place..place + 4].copy_from_slice(b"\x1b[2J");
    let report = look(&fixture.save("x.efi", &bytes)).await;
    assert!(one(&report).profiles[0].cmdline.as_ref().unwrap().contains('\u{1b}'));
    let text = text(&report);
    assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}[2J"), "{text}");
}
