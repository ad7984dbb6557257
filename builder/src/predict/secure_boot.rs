//! PCR 7: what may be started, and who allowed it.

use signing::Certificate;
use signing::auth::{AuthError, Update, Variable};
use signing::enrolment::Enrolment;
use signing::esl::{SignatureDatabase, SignatureEntry, X509};

use super::boot::SEPARATOR;
use super::event::{Event, EventType, Register};

/// The register of SecureBoot's state.
const PCR: u32 = 7;
/// `EFI_GLOBAL_VARIABLE`, 8be4df61-93ca-11d2-aa0d-00e098032b8c, as it lies in memory.
const GLOBAL: [u8; 16] =
    [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c];
/// `EFI_IMAGE_SECURITY_DATABASE`, d719b2cb-3d3a-4596-a3bc-dad00e67656f, as it lies in memory.
const DATABASE: [u8; 16] =
    [0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f];

/// The variables of a machine that enforces SecureBoot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyVariables {
    /// `PK`.
    pub platform_key: SignatureDatabase,
    /// `KEK`.
    pub exchange_keys: SignatureDatabase,
    /// `db`.
    pub allowed: SignatureDatabase,
    /// `dbx`; without lists for a machine that has none, which is measured the same way.
    pub forbidden: SignatureDatabase,
}

impl KeyVariables {
    /// What a machine has after it enrolled these updates, and nothing else.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn enrolled(enrolment: &Enrolment) -> Result<Self, AuthError> {
        let read = |variable| Ok(Update::from_bytes(enrolment.auth(variable))?.content().clone());
        Ok(Self {
            platform_key: read(Variable::Pk)?,
            exchange_keys: read(Variable::Kek)?,
            allowed: read(Variable::Db)?,
            forbidden: SignatureDatabase::default(),
        })
    }

    /// The entry of `db` that lets in what has a valid signature with these certificates: the first that is one of them, or
    /// issued one.
    #[must_use]
    pub fn authority(&self, certificates: &[Certificate]) -> Option<&SignatureEntry> {
        self.allowed.entries(X509).find(|entry| {
            let Ok(allowed) = Certificate::from_der(&entry.data) else { return false };
            certificates.iter().any(|one| *one == allowed || one.is_issued_by(&allowed))
        })
    }
}

/// What PCR 7 holds on a machine that enforces SecureBoot with exactly these variables, once programs were started that
/// `authorities` allowed.
///
/// An authority is the entry of `db` with the certificate a signature leads to. Each counts once, where it is first used,
/// however many programs it allows.
#[must_use]
pub fn secure_boot_policy(variables: &KeyVariables, authorities: &[&SignatureEntry]) -> Register {
    let config = |vendor, name: &str, data: &[u8]| {
        Event::of(EventType::Variable, name, &variable_data(vendor, name, data))
    };
    let mut events = vec![
        config(&GLOBAL, "SecureBoot", &[1]),
        config(&GLOBAL, "PK", &variables.platform_key.to_bytes()),
        config(&GLOBAL, "KEK", &variables.exchange_keys.to_bytes()),
        config(&DATABASE, "db", &variables.allowed.to_bytes()),
        config(&DATABASE, "dbx", &variables.forbidden.to_bytes()),
        Event::of(EventType::Separator, "separator", &SEPARATOR),
    ];
    let mut seen: Vec<&SignatureEntry> = Vec::new();
    for authority in authorities {
        if !seen.contains(authority) {
            seen.push(authority);
            // `EFI_SIGNATURE_DATA`: the owner, and what is owned.
            let entry = [&authority.owner.to_bytes_le()[..], &authority.data].concat();
            let data = variable_data(&DATABASE, "db", &entry);
            events.push(Event::of(EventType::Authority, "db", &data));
        }
    }
    let assumes = [
        "SecureBoot is enforced, since before this start",
        "PK, KEK and db hold exactly what this asset enrols",
        if variables.forbidden.lists().is_empty() {
            "dbx is empty or absent"
        } else {
            "dbx holds exactly what was given for this prediction"
        },
        "no option ROM and no driver was loaded that needed another entry of db",
    ];
    Register::at_once(PCR, &assumes, events)
}

/// `UEFI_VARIABLE_DATA` of the TCG PC Client Platform Firmware Profile: whose variable, the lengths of its name (in
/// characters) and its content, the name in UTF-16 without a NUL, the content.
fn variable_data(vendor: &[u8; 16], name: &str, data: &[u8]) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let mut bytes = vendor.to_vec();
    bytes.extend((units.len() as u64).to_le_bytes());
    bytes.extend((data.len() as u64).to_le_bytes());
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(data);
    bytes
}
