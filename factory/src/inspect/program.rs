//! Reading an EFI program.

use builder::format::pe::{self, Headers, PeError, SectionHeader};
use builder::image::{Source, VirtualImage};
use builder::measure::{BankDigests, Prediction};
use builder::store::Blob;
use schematics::Digest;

use super::part::Part;
use super::profiles::{self, Owned};
use super::report::{Program, ProgramKind, Section};
use super::tally::{self, Wanted};
use super::{Depth, InspectError, signatures};

/// The longest section that is read as text.
const MAX_TEXT: u64 = 1 << 20;

/// What was read of a program: for people, and for predictions.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) program: Program,
    /// The certificates that its valid signatures lead to.
    pub(super) signers: Vec<signing::Certificate>,
    /// What PCR 11 will hold, profile after profile as in the program.
    pub(super) predictions: Vec<Prediction>,
    /// The digests of its microcode, when it is an add-on that has some.
    pub(super) microcode: Option<BankDigests>,
}

/// Where the content of a section is in the file, and the zeros it has behind that in memory.
fn content(section: &SectionHeader) -> Wanted {
    let range = section.content();
    let zeros = u64::from(section.virtual_size) - (range.end - range.start);
    Wanted { ranges: vec![range], zeros }
}

/// Reads the program `part` is.
///
/// # Errors
/// When it is no PE32+ image, cannot be read, or has a section that is not in the file.
pub(super) async fn read(part: &Part, path: &str, depth: Depth) -> Result<Inspected, InspectError> {
    let program_error = |source| InspectError::Program { path: path.to_owned(), source };
    let head = part.head(pe::HEAD).await?;
    let headers = Headers::read(&head).map_err(program_error)?;
    let sections = owned_sections(part, &headers).await?;
    let found = match depth {
        Depth::Headers => None,
        Depth::Contents => Some(hash(part, path, &head, &sections).await?),
    };
    let mut program = describe(part, path, &headers, &sections);
    let mut inspected_signers = Vec::new();
    if let Some(table) = pe::certificates(&head, part.len()).map_err(program_error)? {
        let table = part.read(table.start, table.end - table.start).await?;
        let (reports, signers) =
            signatures::of_program(path, &table, found.as_ref().map(|found| &found.program))?;
        program.signatures = reports;
        inspected_signers = signers;
    }
    let mut predictions = Vec::new();
    if let Some(found) = &found {
        for (section, digests) in program.sections.iter_mut().zip(&found.files) {
            section.sha256 =
                Some(digests.as_array().first().map(signing::MessageDigest::hex).unwrap_or_default());
        }
        predictions = profiles::predictions(&sections, &found.memory);
        program.authenticode = Some(found.program);
    }
    signatures::of_policies(&mut program, &sections, &predictions);
    let ucode = sections.iter().position(|section| section.name == ".ucode");
    let microcode = ucode.and_then(|place| found.as_ref()?.memory.get(place).copied());
    Ok(Inspected { program, signers: inspected_signers, predictions, microcode })
}

/// The sections, whose profile each belongs to, and the text of those that have any.
async fn owned_sections(part: &Part, headers: &Headers) -> Result<Vec<Owned>, InspectError> {
    let mut sections = Vec::new();
    let mut profile = None;
    for header in &headers.sections {
        let name = header.name.to_string();
        if name == ".profile" {
            profile = Some(profile.map_or(0, |index: usize| index + 1));
        }
        let place = header.content();
        let readable = profiles::TEXTS.contains(&name.as_str()) && place.end - place.start <= MAX_TEXT;
        let text = if readable { Some(part.read(place.start, place.end - place.start).await?) } else { None };
        sections.push(Owned { name, header: *header, profile, text });
    }
    Ok(sections)
}

/// The digests of a program.
struct Found {
    /// Of each section as it is in the file.
    files: Vec<BankDigests>,
    /// Of each section as it is in memory, which is what is measured.
    memory: Vec<BankDigests>,
    /// Authenticode's.
    program: BankDigests,
}

async fn hash(part: &Part, path: &str, head: &[u8], sections: &[Owned]) -> Result<Found, InspectError> {
    let mut wanted: Vec<Wanted> = sections.iter().map(|section| content(&section.header)).collect();
    let in_file = wanted.clone().into_iter().map(|one| Wanted { zeros: 0, ..one });
    wanted.extend(in_file.collect::<Vec<_>>());
    let failed = |source| InspectError::Program { path: path.to_owned(), source };
    wanted.push(authenticode(part.len(), head).map_err(failed)?);
    if let Some(cut) = wanted.iter().flat_map(|one| &one.ranges).find(|range| range.end > part.len()) {
        return Err(InspectError::Cut { at: cut.start, wanted: cut.end - cut.start, len: part.len() });
    }
    let mut digests = tally::digests(part, &wanted).await?;
    let program = digests.pop().unwrap_or_else(BankDigests::reset);
    let files = digests.split_off(sections.len());
    Ok(Found { files, memory: digests, program })
}

/// What of a file of `len` bytes that begins with `head` its Authenticode digest is about.
fn authenticode(len: u64, head: &[u8]) -> Result<Wanted, PeError> {
    // The name does not matter: only where the stretches are is asked.
    let whole = VirtualImage::from_blob(Blob { digest: Digest::from_bytes([0; 32]), size: len });
    let signed = pe::signed_bytes(&whole, head)?;
    let mut wanted = Wanted::default();
    for extent in signed.extents() {
        match extent.source() {
            Source::Blob { offset, .. } => wanted.ranges.push(*offset..offset + extent.len()),
            Source::Zeros | Source::Inline(_) | Source::Counter { .. } => wanted.zeros += extent.len(),
        }
    }
    Ok(wanted)
}

fn describe(part: &Part, path: &str, headers: &Headers, sections: &[Owned]) -> Program {
    let text = |name: &str| sections.iter().find(|section| section.name == name).and_then(Owned::as_text);
    let profiles = profiles::profiles(sections);
    let of_profile = |index: usize| profiles.get(index).and_then(|profile| profile.id.clone());
    let report = |section: &Owned| Section {
        name: section.name.clone(),
        size: section.header.content().end - section.header.content().start,
        sha256: None,
        profile: section.profile.and_then(of_profile),
    };
    let built_from = text(".sdmagic").and_then(|text| {
        let inner = text.split("LoaderInfo: ").nth(1)?;
        Some(inner.split(" ####").next()?.to_owned())
    });
    Program {
        path: path.to_owned(),
        size: part.len(),
        kind: kind(sections, built_from.as_deref()),
        machine: machine(headers.machine),
        sections: sections.iter().map(report).collect(),
        os_release: text(".osrel"),
        kernel_release: text(".uname"),
        sbat: text(".sbat").iter().flat_map(|text| text.lines().map(str::to_owned)).collect(),
        authenticode: None,
        signatures: Vec::new(),
        pcr_key: text(".pcrpkey").and_then(|pem| signatures::pcr_key(&pem)),
        built_from,
        profiles,
    }
}

fn kind(sections: &[Owned], built_from: Option<&str>) -> ProgramKind {
    let has = |name: &str| sections.iter().any(|section| section.name == name);
    if has(".linux") {
        return ProgramKind::KernelImage;
    }
    if [".cmdline", ".ucode", ".initrd", ".dtb", ".dtbauto"].into_iter().any(has) {
        return ProgramKind::Addon;
    }
    match built_from {
        Some(text) if text.starts_with("systemd-boot") => ProgramKind::BootLoader,
        _ => ProgramKind::Other,
    }
}

fn machine(number: u16) -> String {
    match number {
        0x8664 => "x86_64".to_owned(),
        0xaa64 => "aarch64".to_owned(),
        other => format!("{other:#06x}"),
    }
}
