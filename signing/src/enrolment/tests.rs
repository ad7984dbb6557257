use std::path::Path;

use super::*;
use crate::certificate::tests::certificate;
use crate::judge::passes;
use crate::rsa::tests::{block_on, key};
use crate::well_known::WELL_KNOWN;

fn enrolment(others: &[WellKnown]) -> Enrolment {
    block_on(Enrolment::sign(&key(0), &certificate(&key(0)), others)).unwrap()
}

fn files(enrolment: &Enrolment) -> OwnFiles {
    let file = |variable| Some(enrolment.auth(variable).to_vec());
    OwnFiles { pk: file(Variable::Pk), kek: file(Variable::Kek), db: file(Variable::Db) }
}

fn lengths(enrolment: &Enrolment, variable: Variable) -> Vec<usize> {
    let update = Update::from_bytes(enrolment.auth(variable)).unwrap();
    update.verify(variable).unwrap();
    update.content().entries(X509).skip(1).map(|entry| entry.data.len()).collect()
}

#[test]
fn our_certificate_is_in_all_three_and_others_where_they_belong() {
    let (plain, full) = (enrolment(&[]), enrolment(&WELL_KNOWN));
    let certificate = certificate(&key(0));
    for variable in Variable::ALL {
        let update = Update::from_bytes(full.auth(variable)).unwrap();
        let first = update.content().entries(X509).next().unwrap().clone();
        assert_eq!((first.owner, first.data.as_slice()), (owner(&certificate), certificate.to_der()));
        let others = update.content().entries(X509).skip(1);
        assert!(others.into_iter().all(|entry| entry.owner == well_known::OWNER));
        assert!(lengths(&plain, variable).is_empty());
    }
    assert!(lengths(&full, Variable::Pk).is_empty());
    assert_eq!(lengths(&full, Variable::Kek), [1516, 1462]);
    assert_eq!(lengths(&full, Variable::Db), [1556, 1459, 1448]);
    assert_eq!(full, enrolment(&WELL_KNOWN));
}

#[test]
fn the_owner_is_a_uuid_of_the_certificate() {
    // Python: hashlib.sha256(uuid.NAMESPACE_X500.bytes + pem), first 16 bytes, version 4, variant of RFC 4122.
    let known = Certificate::from_der(WELL_KNOWN[0].der).unwrap();
    assert_eq!(owner(&known).to_string(), "858c2538-e859-45af-ba28-761f60ba0c01");
    assert_ne!(owner(&known), owner(&certificate(&key(0))));
}

#[test]
fn files_are_taken_as_they_are_all_or_none() {
    let made = enrolment(&WELL_KNOWN);
    assert_eq!(Enrolment::from_files(OwnFiles::default()).unwrap(), None);
    assert_eq!(Enrolment::from_files(files(&made)).unwrap().unwrap(), made);
    let refused = |change: fn(&mut OwnFiles)| {
        let mut files = files(&made);
        change(&mut files);
        Enrolment::from_files(files).unwrap_err()
    };
    let missing = |change| match refused(change) {
        EnrolmentError::Incomplete { missing } => missing,
        other => panic!("{other}"),
    };
    assert_eq!(missing(|files| files.pk = None), Variable::Pk);
    assert_eq!(missing(|files| files.kek = None), Variable::Kek);
    assert_eq!(missing(|files| files.db = None), Variable::Db);
    assert_eq!(
        missing(|files| *files = OwnFiles { kek: files.kek.take(), ..OwnFiles::default() }),
        Variable::Pk
    );
}

#[test]
fn files_firmware_would_refuse_are_refused() {
    let made = enrolment(&[]);
    let refused = |change: fn(&mut OwnFiles)| {
        let mut files = files(&made);
        change(&mut files);
        Enrolment::from_files(files).unwrap_err()
    };
    let other = refused(|files| files.db.clone_from(&files.kek));
    assert!(matches!(other, EnrolmentError::Signature { variable: Variable::Db, .. }), "{other}");
    let changed = refused(|files| *files.pk.as_mut().unwrap().last_mut().unwrap() ^= 1);
    assert!(matches!(changed, EnrolmentError::Signature { variable: Variable::Pk, .. }), "{changed}");
    let list = refused(|files| files.kek.as_mut().unwrap().drain(..40).for_each(drop));
    assert!(matches!(list, EnrolmentError::File { variable: Variable::Kek, .. }), "{list}");
    let (key, nothing) = (key(0), SignatureDatabase::default());
    let empty = block_on(auth::sign_update(&key, &certificate(&key), Variable::Db, &nothing)).unwrap();
    let files = OwnFiles { db: Some(empty), ..files(&made) };
    let error = Enrolment::from_files(files).unwrap_err();
    assert!(matches!(error, EnrolmentError::Empty { variable: Variable::Db }), "{error}");
    for error in [other, changed, list] {
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(!error.to_string().contains(&source));
    }
}

fn put(dir: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(dir.join(name), bytes).unwrap();
}

#[test]
fn efitools_makes_the_same_lists() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, certificate) = (dir.path(), certificate(&key(0)));
    let mut expected = Vec::new();
    let ours = (owner(&certificate), certificate.to_pem());
    let others = WELL_KNOWN.iter().filter(|known| known.variable == Variable::Db);
    let others = others.map(|known| (well_known::OWNER, Certificate::from_der(known.der).unwrap().to_pem()));
    for (owner, pem) in std::iter::once(ours).chain(others) {
        put(dir, "cert.pem", pem.as_bytes());
        let made = passes("cert-to-efi-sig-list", &["-g", &owner.to_string(), "cert.pem", "esl"], dir);
        if made.is_none() {
            return;
        }
        expected.extend(std::fs::read(dir.join("esl")).unwrap());
    }
    let db = database(&certificate, &WELL_KNOWN, Variable::Db).to_bytes();
    assert_eq!(db, expected);
    put(dir, "db.esl", &db);
    passes("sig-list-to-certs", &["db.esl", "out"], dir).unwrap();
    assert_eq!(std::fs::read(dir.join("out-0.der")).unwrap(), certificate.to_der());
    assert_eq!(std::fs::read(dir.join("out-3.der")).unwrap(), WELL_KNOWN[4].der);
}

#[test]
fn virt_firmware_makes_and_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, certificate) = (dir.path(), certificate(&key(0)));
    put(dir, "ours.pem", certificate.to_pem().as_bytes());
    let owner = owner(&certificate).to_string();
    let microsoft = well_known::OWNER.to_string();
    let mut arguments = vec!["--add-cert", &owner, "ours.pem"];
    for known in WELL_KNOWN.iter().filter(|known| known.variable == Variable::Kek) {
        put(dir, known.name, Certificate::from_der(known.der).unwrap().to_pem().as_bytes());
        arguments.extend(["--add-cert", &microsoft, known.name]);
    }
    arguments.extend(["-o", "kek.esl"]);
    if passes("virt-fw-sigdb", &arguments, dir).is_none() {
        return;
    }
    let kek = database(&certificate, &WELL_KNOWN, Variable::Kek).to_bytes();
    assert_eq!(std::fs::read(dir.join("kek.esl")).unwrap(), kek);

    let enrolment = enrolment(&WELL_KNOWN);
    for variable in Variable::ALL {
        put(dir, &format!("{variable}.auth"), enrolment.auth(variable));
    }
    // It reads `.auth` files as updates of dbx, whatever they are about; what they hold is a database like any other.
    let printed = passes("virt-fw-vars", &["--set-dbx", "db.auth", "--print", "--verbose"], dir).unwrap();
    for expected in
        ["2024-01-01", "factory test", "Microsoft Corporation UEFI CA 2011", "Microsoft UEFI CA 2023"]
    {
        assert!(printed.contains(expected), "{printed}");
    }
}
