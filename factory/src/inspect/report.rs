//! What an inspection finds, as data.

use builder::measure::BankDigests;
use builder::predict::Document;
use serde::Serialize;

/// The version of the report's shape. Fields may be added under the same number; what a field means never changes.
pub const SCHEMA: u32 = 1;

/// What is in a file.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The file or URL.
    pub location: String,
    /// How many bytes it has.
    pub size: u64,
    /// What it is.
    pub kind: FileKind,
    /// The EFI programs in it.
    pub programs: Vec<Program>,
    /// The SecureBoot variables it enrols, when it is a medium that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<Enrolment>,
    /// What a TPM will have measured after it was started, for each kernel image in it.
    pub measurements: Vec<Document>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// An EFI program.
    Program,
    /// An ISO 9660 volume.
    Iso,
    /// A disk with partitions.
    Disk,
    /// A FAT file system.
    FileSystem,
}

/// What an EFI program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramKind {
    /// A unified kernel image.
    KernelImage,
    /// An add-on of one.
    Addon,
    /// systemd-boot.
    BootLoader,
    /// Anything else.
    Other,
}

/// An EFI program. What needs its content is not there when only headers were read.
#[derive(Debug, Clone, Serialize)]
pub struct Program {
    /// Its path on the medium, or the name of the file.
    pub path: String,
    /// How many bytes it has.
    pub size: u64,
    /// What it is for.
    pub kind: ProgramKind,
    /// For which machine: `x86_64`, `aarch64`, or the number in its header.
    pub machine: String,
    /// What systemd's programs say of themselves, such as `systemd-boot 257`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_from: Option<String>,
    /// Its sections, in the order of their headers.
    pub sections: Vec<Section>,
    /// The text of `.osrel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_release: Option<String>,
    /// The text of `.uname`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_release: Option<String>,
    /// The lines of `.sbat`.
    pub sbat: Vec<String>,
    /// Its profiles. An image without any has one without a name.
    pub profiles: Vec<Profile>,
    /// Its Authenticode digests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticode: Option<BankDigests>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
    /// The key in `.pcrpkey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcr_key: Option<PcrKey>,
}

/// A section of a program.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// How many bytes its content has.
    pub size: u64,
    /// The SHA-256 of its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The profile it belongs to, when not to all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// One way to start a unified kernel image.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Profile {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What menus show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The kernel arguments it starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    /// Why its signed policies cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcr_problem: Option<String>,
    /// The signed policies over PCR 11 that come with it.
    pub pcr_signatures: Vec<PcrSignature>,
}

/// A signature of a program.
#[derive(Debug, Clone, Serialize)]
pub struct Signature {
    /// Whose certificate it is made with.
    pub signer: Certificate,
    /// The other certificates that come with it.
    pub chain: Vec<Certificate>,
    /// Whether it was made with the key of that certificate over this very program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// An X.509 certificate.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// Since when it is valid, in UTC.
    pub not_before: String,
    /// Until when, in UTC.
    pub not_after: String,
    /// The SHA-256 of its DER.
    pub fingerprint: String,
}

/// The key whose signatures of PCR 11 policies count.
#[derive(Debug, Clone, Serialize)]
pub struct PcrKey {
    /// How signatures name it: the SHA-256 of its PKCS#1 form.
    pub fingerprint: String,
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub id: String,
}

/// A signed policy over PCR 11.
#[derive(Debug, Clone, Serialize)]
pub struct PcrSignature {
    /// The bank it is about.
    pub bank: &'static str,
    /// The key it names.
    pub key: String,
    /// Whether the key in `.pcrpkey` made it.
    pub valid: bool,
    /// After which phases of the start PCR 11 has the value it lets in; nothing when it never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

/// The SecureBoot variables a medium enrols.
#[derive(Debug, Clone, Serialize)]
pub struct Enrolment {
    /// For each variable the certificates in it: `PK`, `KEK`, `db`.
    pub variables: Vec<Variable>,
}

/// A SecureBoot variable.
#[derive(Debug, Clone, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The certificates in it. Other entries are left out.
    pub certificates: Vec<Certificate>,
}
