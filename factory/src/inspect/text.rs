//! What an inspection finds, for people.

use std::fmt::Write as _;

use builder::predict::Document;

use super::report::{Certificate, Profile, Program, Report, Signature};

/// The report as text, a few lines for each program.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = format!("{}: {}, {} bytes\n", shown(&report.location), name(&report.kind), report.size);
    for program in &report.programs {
        let _ = write!(out, "\n{}", of_program(program));
    }
    if let Some(enrolment) = &report.enrolment {
        out.push_str("\nenrols\n");
        for variable in &enrolment.variables {
            for found in &variable.certificates {
                let _ = writeln!(out, "  {:4} {}", variable.name, of_certificate(found));
            }
        }
    }
    for document in &report.measurements {
        let _ = write!(out, "\n{}", of_measurements(document));
    }
    out
}

/// What a value is called in JSON.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

/// Text of a stranger for a terminal: what would move the cursor or change colours is spelled out.
fn shown(text: &str) -> String {
    let escape = |character: char| -> String {
        if character.is_control() { character.escape_unicode().collect() } else { character.into() }
    };
    text.chars().map(escape).collect()
}

fn of_program(program: &Program) -> String {
    let built = program.built_from.as_ref().map(|text| format!(", {}", shown(text))).unwrap_or_default();
    let mut out = format!(
        "{}\n  {} for {}{built}, {} bytes\n",
        shown(&program.path),
        name(&program.kind),
        program.machine,
        program.size
    );
    for section in &program.sections {
        let digest = section.sha256.as_deref().unwrap_or("");
        let profile =
            section.profile.as_ref().map(|id| format!(" (profile {})", shown(id))).unwrap_or_default();
        let _ = writeln!(out, "  {:9}{:>10}  {digest}{profile}", shown(&section.name), section.size);
    }
    for (label, value) in [("os-release", &program.os_release), ("kernel release", &program.kernel_release)] {
        for line in value.iter().flat_map(|text| text.lines()) {
            let _ = writeln!(out, "  {label}: {}", shown(line));
        }
    }
    for line in &program.sbat {
        let _ = writeln!(out, "  sbat: {}", shown(line));
    }
    if let Some(digests) = &program.authenticode {
        let _ = writeln!(out, "  authenticode: {}", digests.get(signing::HashAlgorithm::Sha256).hex());
    }
    if program.signatures.is_empty() {
        out.push_str("  not signed\n");
    }
    program.signatures.iter().for_each(|signature| out.push_str(&of_signature(signature)));
    if let Some(key) = &program.pcr_key {
        let _ = writeln!(out, "  PCR key: {}", key.fingerprint);
    }
    // Without the digests of the contents nothing was predicted to compare with.
    let compared = program.authenticode.is_some();
    program.profiles.iter().for_each(|profile| out.push_str(&of_profile(profile, compared)));
    out
}

fn of_signature(signature: &Signature) -> String {
    let verdict = match (signature.valid, &signature.problem) {
        (Some(true), _) => "valid".to_owned(),
        (Some(false), problem) => format!("NOT VALID: {}", shown(problem.as_deref().unwrap_or_default())),
        (None, _) => "not checked".to_owned(),
    };
    let mut out = format!("  signature ({verdict}): {}\n", of_certificate(&signature.signer));
    for other in &signature.chain {
        let _ = writeln!(out, "    with certificate: {}", of_certificate(other));
    }
    out
}

fn of_certificate(found: &Certificate) -> String {
    format!(
        "{} by {}, {} to {}, SHA-256 {}",
        shown(&found.subject),
        shown(&found.issuer),
        found.not_before,
        found.not_after,
        found.fingerprint
    )
}

fn of_profile(profile: &Profile, compared: bool) -> String {
    let mut out = String::new();
    if let Some(id) = &profile.id {
        let title = profile.title.as_ref().map(|title| format!(" ({})", shown(title))).unwrap_or_default();
        let _ = writeln!(out, "  profile {}{title}", shown(id));
    }
    if let Some(cmdline) = &profile.cmdline {
        let _ = writeln!(out, "    command line: {}", shown(cmdline));
    }
    if let Some(problem) = &profile.pcr_problem {
        let _ = writeln!(out, "    PCR signatures that cannot be read: {}", shown(problem));
    }
    for signature in &profile.pcr_signatures {
        let made = if signature.valid { "valid" } else { "NOT VALID" };
        let fits = match signature.phase.as_deref() {
            Some("") => "fits before the first phase".to_owned(),
            Some(phase) => format!("fits after {phase}"),
            None if compared => "fits no predicted value".to_owned(),
            None => "not compared".to_owned(),
        };
        let _ =
            writeln!(out, "    PCR 11 signature, {}: {made}, {fits}, key {}", signature.bank, signature.key);
    }
    out
}

fn of_measurements(document: &Document) -> String {
    let mut out = format!("measurements after {} was started\n", shown(document.asset()));
    for register in document.predictions() {
        let profile =
            register.profile.as_ref().map(|id| format!(", profile {}", shown(id))).unwrap_or_default();
        let _ = writeln!(out, "  PCR {}{profile}", register.pcr);
        for value in &register.values {
            let when = match value.phase.as_deref() {
                Some("") => " (stub)".to_owned(),
                Some(phase) => format!(" ({phase})"),
                None => String::new(),
            };
            let _ =
                writeln!(out, "    sha256 {}{when}", value.digests.get(signing::HashAlgorithm::Sha256).hex());
        }
    }
    out
}
