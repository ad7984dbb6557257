//! The SecureBoot variables a medium enrols: files that systemd-boot writes into the firmware.

use builder::predict::KeyVariables;
use signing::Certificate;
use signing::auth::Update;
use signing::esl::{SignatureDatabase, X509};

use super::InspectError;
use super::fat::File;
use super::report::{Enrolment, Variable};
use super::signatures::certificate;

/// Where systemd-boot looks for the keys Talos enrols.
const DIR: &str = "loader/keys/auto/";
/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Reads the files for the three variables; those there are none for stay empty. Nobody checks who signed them: a machine in
/// setup mode does not either.
pub(super) async fn variables(files: &[File]) -> Result<KeyVariables, InspectError> {
    let mut variables = KeyVariables::default();
    for (name, database) in named(&mut variables) {
        let path = format!("{DIR}{name}.auth");
        let Some(file) = files.iter().find(|file| file.path.eq_ignore_ascii_case(&path)) else { continue };
        if file.content.len() > MAX_FILE {
            return Err(InspectError::Damaged { what: "file with SecureBoot keys" });
        }
        let bytes = file.content.read(0, file.content.len()).await?;
        let update = Update::from_bytes(&bytes).map_err(|source| InspectError::Keys { path, source })?;
        database.clone_from(update.content());
    }
    Ok(variables)
}

fn named(variables: &mut KeyVariables) -> [(&'static str, &mut SignatureDatabase); 3] {
    let KeyVariables { platform_key, exchange_keys, allowed, .. } = variables;
    [("PK", platform_key), ("KEK", exchange_keys), ("db", allowed)]
}

/// Whether there is everything it takes to enforce SecureBoot.
pub(super) fn are_complete(variables: &KeyVariables) -> bool {
    named(&mut variables.clone()).iter().all(|(_, database)| !database.lists().is_empty())
}

/// What is told of them; nothing when there are none.
pub(super) fn report(variables: &KeyVariables) -> Option<Enrolment> {
    let certificates = |database: &SignatureDatabase| {
        let found = database.entries(X509).filter_map(|entry| Certificate::from_der(&entry.data).ok());
        found.map(|found| certificate(&found)).collect()
    };
    let variables: Vec<Variable> = named(&mut variables.clone())
        .into_iter()
        .filter(|(_, database)| !database.lists().is_empty())
        .map(|(name, database)| Variable { name, certificates: certificates(database) })
        .collect();
    (!variables.is_empty()).then_some(Enrolment { variables })
}
