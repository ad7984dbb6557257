use super::*;

const GCP_NAME: &str = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

#[test]
fn places_survive_a_round_trip() {
    for text in [
        "pem:keys/secureboot.key",
        "pem:/etc/factory/a:b.key",
        "pkcs11:token=My token;object=secureboot?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/run/pin",
        "pkcs11:manufacturer=a;model=b;serial=c;slot-id=7;id=%01%FF",
        "awskms:///1234abcd-12ab-34cd-56ef-1234567890ab",
        "awskms:///alias/secureboot",
        "awskms:///arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "awskms://localhost:4566/alias/secureboot",
        "azurekms://vault.vault.azure.net/secureboot",
        "azurekms://vault.vault.azure.net/secureboot/0123456789abcdef",
        &format!("gcpkms://{GCP_NAME}"),
        "hashivault://secureboot",
        "hashivault://team/transit/secureboot",
        "signerd:///run/signer.sock",
    ] {
        let spec: SignerSpec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(spec.to_string(), text);
        assert_eq!(spec.to_string().parse(), Ok(spec));
    }
}

#[test]
fn there_are_short_and_foreign_spellings() {
    for (short, long) in [
        ("keys/a.key", "pem:keys/a.key"),
        ("/a.key", "pem:/a.key"),
        ("pkcs11:object=a;type=private?pin-source=file:/run/pin", "pkcs11:object=a?pin-source=/run/pin"),
        (
            "gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k/versions/1",
            &format!("gcpkms://{GCP_NAME}"),
        ),
    ] {
        assert_eq!(short.parse::<SignerSpec>().unwrap().to_string(), long);
    }
}

#[test]
fn what_names_no_place_is_refused_and_not_repeated() {
    for (text, said) in [
        ("", "expected `pem:FILE`"),
        ("pem:", "expected `pem:FILE`"),
        ("https://example.com/secret", "there is no signer `https:`"),
        ("awskms:alias/x", "expected `awskms://[ENDPOINT]/KEY`"),
        ("awskms://alias", "expected `awskms://"),
        ("awskms:///a?secret", "expected `awskms://"),
        ("azurekms://vault.azure.net", "expected `azurekms://"),
        ("azurekms://host/key/version/secret", "expected `azurekms://"),
        ("gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k", "expected `gcpkms://"),
        ("hashivault://", "expected `hashivault://"),
        ("hashivault://../secret", "expected `hashivault://"),
        ("signerd://localhost:1234", "only talked to over a unix socket"),
        ("signerd:tcp://localhost:1234", "only talked to over a unix socket"),
        ("pkcs11:token=a", "expected `pkcs11:"),
        ("pkcs11:object=a;object=secret", "the attribute `object` of the token: it is given twice"),
        ("pkcs11:object=a;x-vendor=secret", "`x-vendor` of the token: there is no such attribute"),
        ("pkcs11:object=a;slot-id=secret", "`slot-id` of the token: expected a number"),
        ("pkcs11:object=%zz", "expected two digits"),
        ("pkcs11:object=a;type=cert", "expected `private`"),
        ("pkcs11:object=a?pin-source=|secret", "programs are not run"),
        ("pkcs11:object=a?1234secret", "expected a value"),
    ] {
        let error = text.parse::<SignerSpec>().unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
        assert!(!error.contains("secret"), "{text}: {error}");
    }
}

#[test]
fn a_pin_is_never_shown() {
    let spec: SignerSpec = "pkcs11:token=t;object=k?pin-value=12%334".parse().unwrap();
    let SignerSpec::Pkcs11(uri) = &spec else { panic!("no token") };
    assert!(matches!(&uri.pin, Some(PinSource::Value(pin)) if pin.as_str() == "1234"));
    assert_eq!(spec.to_string(), "pkcs11:token=t;object=k");
    assert_eq!(format!("{spec:?}"), "pkcs11:token=t;object=k");
}

#[test]
fn files_are_found_from_where_they_are_named() {
    let spec: SignerSpec = "pem:a.key".parse().unwrap();
    assert_eq!(spec.relative_to(Path::new("/keys")).to_string(), "pem:/keys/a.key");
    let spec: SignerSpec = "/a.key".parse().unwrap();
    assert_eq!(spec.relative_to(Path::new("/keys")).to_string(), "pem:/a.key");
}
