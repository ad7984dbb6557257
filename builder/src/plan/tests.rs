use std::collections::HashSet;

use schematics::cmdline::Profile;
use schematics::{Arch, Digest, MeasurementFormat};

use super::{Chain, Enrolment, Inputs, Installer, Kind, Origin, Plan, Report, Signed};
use crate::recipe::iso::Enroll;

type Change = Box<dyn Fn(&mut Plan)>;

fn plan() -> Plan {
    Plan {
        kind: Kind::Uki,
        version: "v1.13.0".parse().unwrap(),
        arch: Arch::Amd64,
        report: None,
        chain: Chain::Plain,
        inputs: Inputs {
            release: Some(Digest::of(b"release")),
            extensions: vec![Digest::of(b"a"), Digest::of(b"b")],
            overlay: None,
            grub: Vec::new(),
            installer: None,
        },
        origin: Some(Origin {
            schematic: Digest::of(b"s"),
            author: "Image Factory".to_owned(),
            embedded: None,
        }),
        cmdline: "a b".to_owned(),
        profiles: vec![Profile { id: "reset", title: "Reset", cmdline: "a b c".to_owned() }],
        tools: "zstd 9".to_owned(),
    }
}

fn report(asset: &str, format: MeasurementFormat) -> Option<Report> {
    Some(Report { asset: asset.to_owned(), format })
}

fn signed(by: &[u8], enrolment: Option<(Enroll, bool)>) -> Chain {
    let enrolment = enrolment.map(|(mode, well_known)| Enrolment { mode, well_known });
    Chain::Secure(Signed { by: Digest::of(by), enrolment })
}

fn installer(base: &[u8], name: &str) -> Option<Installer> {
    Some(Installer { base: Digest::of(base), name: name.to_owned() })
}

#[test]
fn changing_any_field_changes_the_name() {
    let changes: Vec<Change> = vec![
        Box::new(|_| {}),
        Box::new(|p| p.kind = Kind::UefiIso),
        Box::new(|p| p.report = report("b", MeasurementFormat::Json)),
        Box::new(|p| p.version = "v1.13.1".parse().unwrap()),
        Box::new(|p| p.arch = Arch::Arm64),
        Box::new(|p| p.report = report("a", MeasurementFormat::Json)),
        Box::new(|p| p.report = report("a", MeasurementFormat::Pcrlock)),
        Box::new(|p| p.report = report("a", MeasurementFormat::JsonSignature)),
        Box::new(|p| p.inputs.release = None),
        Box::new(|p| p.inputs.extensions.reverse()),
        Box::new(|p| p.inputs.extensions.truncate(1)),
        Box::new(|p| p.inputs.overlay = Some(Digest::of(b"o"))),
        Box::new(|p| p.inputs.grub.push(Digest::of(b"g"))),
        Box::new(|p| p.inputs.installer = installer(b"i", "installer/x:v1.13.0")),
        Box::new(|p| p.inputs.installer = installer(b"j", "installer/x:v1.13.0")),
        Box::new(|p| p.inputs.installer = installer(b"i", "aws-installer/x:v1.13.0")),
        Box::new(|p| p.origin = None),
        Box::new(|p| p.origin.as_mut().unwrap().schematic = Digest::of(b"t")),
        Box::new(|p| p.origin.as_mut().unwrap().author.push('x')),
        Box::new(|p| p.origin.as_mut().unwrap().embedded = Some(Digest::of(b"e"))),
        Box::new(|p| p.cmdline.push('x')),
        Box::new(|p| p.profiles.clear()),
        Box::new(|p| p.profiles[0].id = "other"),
        Box::new(|p| p.profiles[0].title = "Other"),
        Box::new(|p| p.profiles[0].cmdline.push('x')),
        Box::new(|p| p.tools = "zstd 10".to_owned()),
        Box::new(|p| p.chain = signed(b"k", None)),
        Box::new(|p| p.chain = signed(b"l", None)),
        Box::new(|p| p.chain = signed(b"k", Some((Enroll::Force, false)))),
        Box::new(|p| p.chain = signed(b"k", Some((Enroll::Force, true)))),
        Box::new(|p| p.chain = signed(b"k", Some((Enroll::Off, true)))),
    ];
    let mut names = HashSet::new();
    for change in &changes {
        let mut changed = plan();
        change(&mut changed);
        assert!(names.insert(changed.id()), "{changed:?}");
    }
}

#[test]
fn fields_do_not_run_into_each_other() {
    let (mut left, mut right) = (plan(), plan());
    left.cmdline = "ab".to_owned();
    left.tools = "c".to_owned();
    right.cmdline = "a".to_owned();
    right.tools = "bc".to_owned();
    assert_ne!(left.id(), right.id());
    let shared = Digest::of(b"x");
    left = plan();
    right = plan();
    left.inputs.overlay = Some(shared);
    right.inputs.grub = vec![shared];
    assert_ne!(left.id(), right.id());
}

#[test]
fn the_name_of_a_plan_is_for_ever() {
    assert_eq!(plan().id().0.hex(), "3ab54c80a49646fd9b1948e93d3b1a9c9613bc6ee265042bce2659112117899d");
}
