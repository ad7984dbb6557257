//! The judge is a real boot: EDK2 2022.11 with SecureBoot enforced started systemd-boot 257, that a unified kernel image,
//! and its stub two add-ons. The log is the firmware's; the values are what the kernel read from the TPM afterwards.

mod log;
mod pcrlock;

use signing::esl::{SignatureDatabase, SignatureEntry, X509};
use signing::{Certificate, HashAlgorithm};

use super::*;
use crate::format::pe::SectionName;
use crate::measure::{BankDigests, Prediction};
use log::{Logged, variable};

const LOG: &[u8] = include_bytes!("tests/addons.eventlog");
const ACTION: u32 = 0x8000_0007;
const APPLICATION: u32 = 0x8000_0003;
const TAGGED: u32 = 6;

/// What the registers held, in the banks of SHA-256, SHA-384 and SHA-512.
const VALUES: [(u32, [&str; 3]); 3] = [
    (
        4,
        [
            "e7187ba8089f38e06ac902217b01f46d2474b3409967cc64e4fee9db00912f63",
            "8e3ba7da9baa3115752ec441080a2c91725ff124273a09225815ac6d238870a70734a455cf4fbc7ddda148a573c02d5b",
            "22e2a7f5321895d2207efffdd2eb19dc241995eba71de4f313dc37f1049f6f11\
             ab731e3cf31c1decd317abff7cfeece7556d02060bdd67d2259f1e7cc07c4b20",
        ],
    ),
    (
        7,
        [
            "5e587cf820421eacbfb3d0082c9eda6f2bd0800ed18549b67ef1ed9ac42d5418",
            "6f63eb3ba9817bfeb0794421d1a9b7d03f90659b4929351e4eaefe44109fa6ecb6e30628b7e5a3c6bee7d2fd10fe6ae7",
            "a2f9b316d07b13b3aefcf1e6f2ed9567ab43ffde208ab1899ba3d2b468c663eb\
             77d731fb2e1dea62f7ac90fa191ed9a1e40c8cc67ebbc912d33d73442b7346a3",
        ],
    ),
    (
        12,
        [
            "8223fa24d27175be5b6aee4f7d4759e3dcc08e163fbdfa02e430c8e68338dcfc",
            "3315b15325b420f9adc3f84d2dd64068d01925e96cbe9b30662e7a2e33ec828135f9a057bb5b73525053f57b00152bcd",
            "7d5056b4309602102a9478f5ab3204a83224653cbd1a1a9cd2c108f461184b69\
             bf018d3c613b535f0e2f439415dcbb5472c92200e311f4cdfc56588100cfe842",
        ],
    ),
];

fn logged(pcr: u32) -> Vec<Logged> {
    log::read(LOG).into_iter().filter(|event| event.pcr == pcr).collect()
}

fn in_all_banks(event: &Logged) -> BankDigests {
    BankDigests::from_array(event.digests.clone().try_into().unwrap()).unwrap()
}

/// Expects the very events of the log, and the values the TPM had.
fn assert_predicted(prediction: &Register) {
    let real: Vec<BankDigests> = logged(prediction.pcr).iter().map(in_all_banks).collect();
    let predicted: Vec<BankDigests> = prediction.events.iter().map(|event| event.digests).collect();
    assert_eq!(predicted, real, "PCR {}", prediction.pcr);
    let (_, values) = VALUES.iter().find(|(pcr, _)| *pcr == prediction.pcr).unwrap();
    for (bank, value) in HashAlgorithm::ALL.into_iter().zip(values) {
        assert_eq!(prediction.last().get(bank).to_string(), format!("{bank}:{value}"));
    }
    assert_eq!(prediction.values.len(), 1);
    assert_eq!(prediction.values[0].digests, prediction.last());
}

fn programs() -> Vec<Program> {
    let roles = [Role::BootLoader, Role::KernelImage, Role::Addon, Role::Addon];
    let loaded: Vec<Logged> = logged(4).into_iter().filter(|event| event.kind == APPLICATION).collect();
    assert_eq!(loaded.len(), roles.len());
    let program = |(role, event): (Role, &Logged)| Program {
        role,
        path: format!("{role:?}"),
        authenticode: in_all_banks(event),
    };
    roles.into_iter().zip(&loaded).map(program).collect()
}

#[test]
fn firmware_measures_the_programs_it_loads() {
    assert_eq!(logged(4)[0].kind, ACTION);
    assert_predicted(&boot_loader_code(&programs()));
    let mut other = programs();
    other.swap(2, 3);
    assert_ne!(boot_loader_code(&other).last(), boot_loader_code(&programs()).last());
}

#[test]
fn firmware_measures_the_keys_of_secure_boot_and_the_one_that_counted() {
    let events = logged(7);
    let [_, platform_key, exchange_keys, allowed, forbidden, _, authority] = events.as_slice() else {
        panic!("{} events", events.len())
    };
    let read = |event| SignatureDatabase::from_bytes(variable(event)).unwrap();
    let variables = KeyVariables {
        platform_key: read(platform_key),
        exchange_keys: read(exchange_keys),
        allowed: read(allowed),
        forbidden: read(forbidden),
    };
    let certificate = Certificate::from_der(&variable(authority)[16..]).unwrap();
    let entry = variables.authority(std::slice::from_ref(&certificate)).unwrap();
    // The same certificate allowed all four programs.
    let register = secure_boot_policy(&variables, &[entry, entry]);
    assert_predicted(&register);
    assert!(register.assumes.iter().all(|text| !text.contains("empty")));

    let without = KeyVariables { forbidden: SignatureDatabase::default(), ..variables.clone() };
    let register_without = secure_boot_policy(&without, &[entry]);
    assert_ne!(register_without.last(), register.last());
    assert!(register_without.assumes.iter().any(|text| text.contains("empty")));
    let other = SignatureEntry { owner: signing::well_known::OWNER, data: entry.data.clone() };
    assert_ne!(secure_boot_policy(&variables, &[&other]).last(), register.last());
    let stranger = Certificate::from_der(&variables.platform_key.entries(X509).next().unwrap().data).unwrap();
    assert_eq!(variables.authority(&[stranger]), None);
}

#[test]
fn the_stub_measures_what_addons_add() {
    let microcode = logged(12).into_iter().find(|event| event.kind == TAGGED).unwrap();
    let addon = |file: &str, cmdline: &str, microcode| LoadedAddon {
        file: file.to_owned(),
        cmdline: Some(cmdline.to_owned()),
        microcode,
    };
    let global = addon("b.addon.efi", "addon.two=2", None);
    let own = addon("a.addon.efi", "addon.one=1", Some(in_all_banks(&microcode)));
    assert_predicted(&kernel_config(&[global.clone(), own.clone()]));
    assert_ne!(kernel_config(&[own, global]).last(), kernel_config(&[]).last());
    assert_eq!(kernel_config(&[]).last(), BankDigests::reset());
}

#[test]
fn the_last_addon_has_the_first_microcode() {
    let addon = |file: &str| LoadedAddon {
        file: file.to_owned(),
        cmdline: None,
        microcode: Some(BankDigests::of(file.as_bytes())),
    };
    let prediction = kernel_config(&[addon("a"), addon("b")]);
    let files: Vec<&str> = prediction.events.iter().map(|event| event.description.as_str()).collect();
    assert_eq!(files, ["b", "a"]);
}

#[test]
fn documents_are_the_same_bytes_each_time() {
    let program = Program {
        role: Role::KernelImage,
        path: "EFI/BOOT/BOOTX64.EFI".to_owned(),
        authenticode: BankDigests::of(b"image"),
    };
    let programs = vec![program];
    let predictions = vec![boot_loader_code(&programs), kernel_config(&[])];
    let document = Document::new("metal-amd64-uki.efi", programs, predictions);
    assert_eq!(document.to_json().unwrap(), document.clone().to_json().unwrap());
    insta::assert_snapshot!(document.to_json().unwrap());
}

#[test]
fn the_kernel_register_changes_with_each_phase() {
    let sections = [(".linux", b"k"), (".osrel", b"o")]
        .map(|(name, content)| (SectionName::new(name).unwrap(), BankDigests::of(content)));
    let prediction = Prediction::of(&sections);
    let register = kernel_boot(Some("main"), &prediction);
    let phases: Vec<&str> = register.values.iter().filter_map(|value| value.phase.as_deref()).collect();
    let expected = [
        "",
        "enter-initrd",
        "enter-initrd:leave-initrd",
        "enter-initrd:leave-initrd:enter-machined",
        "enter-initrd:leave-initrd:enter-machined:start-the-world",
    ];
    assert_eq!(phases, expected);
    for value in &register.values {
        assert_eq!(value.digests, event::replay(&register.events[..value.events]));
    }
    assert_eq!(register.values[3].digests, *prediction.value());
    assert_eq!(register.values[0].events, 4);
    assert_eq!(register.last(), register.values[4].digests);
}
