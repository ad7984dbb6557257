//! The table of configuration keys: flags, file keys, environment variables and their documentation come from it.

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One value.
    Value,
    /// Several values: a list in the file, commas elsewhere, or the flag repeated.
    List,
}

/// One configuration key.
#[derive(Debug)]
pub struct Key {
    /// Its name: the key of the file, `--<name>` as a flag.
    pub name: &'static str,
    /// How it is written.
    pub shape: Shape,
    /// What kind of value it takes, for help texts.
    pub value: &'static str,
    /// Its value when nobody gives one; empty when there is none or it follows from others.
    pub default: &'static str,
    /// Whether its value is never printed.
    pub secret: bool,
    /// What it does, in one or two sentences.
    pub help: &'static str,
}

impl Key {
    /// The environment variable of this key.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("FACTORY_{}", self.name.replace('-', "_").to_uppercase())
    }

    /// The key with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, shape: Shape::Value, value, default, secret: false, help }
}

const fn list(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, shape: Shape::List, value, default, secret: false, help }
}

/// Every key there is.
pub static KEYS: &[Key] = &[
    key(
        "listen",
        "ADDR",
        "127.0.0.1:8080",
        "Address and port to serve on. Port 0 takes a free one; the ready line says which.",
    ),
    key(
        "data",
        "DIR",
        "./data",
        "Directory for everything the factory keeps. Only one server may use it at a time.",
    ),
    key(
        "source",
        "SOURCE",
        "registry:ghcr.io",
        "Where Talos releases come from: `oci:DIR` or `oci:FILE.tar` for an OCI layout or a bundle, or `registry:HOST[:PORT][/NAMESPACE]`. Put `http://` before the host of a registry without TLS; on loopback that is the default.",
    ),
    key(
        "source-credentials",
        "FILE",
        "",
        "A Docker configuration file with the credentials of the source registry, and of that of the schematics.",
    ),
    key(
        "registry-ca",
        "FILE",
        "",
        "A PEM file with certificate authorities that registries are trusted by, besides those of the system.",
    ),
    key(
        "schematic-repository",
        "REPOSITORY",
        "",
        "A repository that schematics are shared in, as `registry:HOST[:PORT]/NAME`: Image Factory's, or one for several factories. Schematics that are not here are read from it, and new ones are written to it before they are told of.",
    ),
    key(
        "schematic-repository-read-only",
        "BOOL",
        "false",
        "Whether schematics are only read from the repository, and new ones stay here: `true` or `false`.",
    ),
    list(
        "trust",
        "[REPOSITORY=]SIGNER",
        "talos",
        "Whose signatures make images of the source good: `talos` for those who sign Talos, `key:FILE` for a public key in PEM, `keyless:ISSUER=IDENTITY` for who can prove an identity, `unsigned` for no signature at all, or `file:FILE` for rules in a file. With `REPOSITORY=` before it, it is for the repositories at and below that name (`talos` is for `siderolabs` unless said otherwise). Everything else is refused; see [whom we believe](trust.md).",
    ),
    key(
        "trust-root",
        "FILE",
        "",
        "The authorities and logs that prove identities: a `trusted_root.json` of Sigstore's. That of the public instance, as it was when this program was made, when not given.",
    ),
    key(
        "external-url",
        "URL",
        "",
        "How clients reach this factory; it appears in URLs we hand out and in images. Follows from `listen` when not given.",
    ),
    key(
        "pxe-url",
        "URL",
        "",
        "How iPXE clients reach this factory, for instance without TLS. The same as `external-url` when not given.",
    ),
    key(
        "metrics-listen",
        "ADDR",
        "127.0.0.1:2122",
        "Address and port of the metrics listener; `off` for none.",
    ),
    list("allowed-origins", "ORIGIN", "*", "Web origins whose pages may call this factory; `*` for all."),
    key("min-version", "VERSION", "1.2.0", "The oldest Talos version that is offered."),
    list(
        "broken-versions",
        "VERSION",
        "",
        "Talos versions that are withdrawn: listed as broken, and never built.",
    ),
    key(
        "recheck-interval",
        "DURATION",
        "15m",
        "How long a list of versions from the source is used before it is read again.",
    ),
    key("body-limit", "SIZE", "64KiB", "The longest request body."),
    key(
        "max-connections",
        "NUMBER",
        "1024",
        "How many client connections are served at a time; more of them wait.",
    ),
    key(
        "max-builds",
        "NUMBER",
        "",
        "How many images are assembled at a time; more of them wait. The number of processors when not given.",
    ),
    key(
        "max-fetches",
        "NUMBER",
        "8",
        "How many objects are fetched from the source at a time; more of them wait.",
    ),
    key(
        "squashfs-level",
        "LEVEL",
        "9",
        "The zstd level, 1 to 22, at which extensions are compressed. Images made with another level have other bytes.",
    ),
    key(
        "grub-mkimage",
        "PROGRAM",
        "grub-mkimage",
        "The program that makes GRUB's core images, for ISOs that boot with GRUB. Debian has it in grub-common.",
    ),
    list(
        "grub-modules",
        "DIR",
        "/usr/lib/grub",
        "Directories with a directory of GRUB modules per platform: `i386-pc` and `x86_64-efi` for amd64, `arm64-efi` for arm64; the first that has one counts. Debian has them in grub-pc-bin and grub-efi-amd64-bin for amd64 machines, and in grub-efi-arm64-bin for arm64 machines: the other machine's package can be unpacked beside, and must be of the same version of GRUB as `grub-mkimage`.",
    ),
    key(
        "keys",
        "FILE",
        "",
        "The file that names the keys SecureBoot images are signed with; `factory keys generate` makes one. Without it there are no SecureBoot images.",
    ),
    key(
        "signing-key",
        "FILE",
        "",
        "The PEM file with the key that signs what is served, ECDSA P-256 or Ed25519; `factory keys generate --kind signing` makes one. All replicas need the same. Without it, one is made at the first start, as `keys/signing.pem` in `data`.",
    ),
    key(
        "secureboot-lockdown",
        "BOOL",
        "false",
        "Whether SecureBoot images from Talos 1.14 on boot with `lockdown=confidentiality`, as older ones always do: `true` or `false`.",
    ),
    key(
        "index-key",
        "FILE",
        "",
        "The Ed25519 key (PEM) that signs what the factory remembers, so that nobody who can write to its storage can plant an image. Not given, it is `keys/index.pem` in the data directory, made at the first start.",
    ),
    list(
        "index-trusted-keys",
        "FILE",
        "",
        "Public keys (PEM) of other replicas, or earlier keys of this one: what they signed is believed too. Anything else is made again.",
    ),
    key(
        "answer-timeout",
        "DURATION",
        "20m",
        "How long a request may take until its answer begins. A build that takes longer goes on, and the client is asked to come back.",
    ),
    key(
        "header-timeout",
        "DURATION",
        "30s",
        "How long a client may take to send the head of a request, or its body.",
    ),
    key(
        "stall-timeout",
        "DURATION",
        "5m",
        "How long a client may take nothing of an answer before its connection is closed.",
    ),
    key("shutdown-grace", "DURATION", "30s", "How long running downloads may go on after SIGTERM or SIGINT."),
    key("log-level", "FILTER", "info", "What is logged: a level, or a filter such as `info,factory=debug`."),
    key(
        "log-format",
        "FORMAT",
        "plain",
        "How it is logged: `plain` or `json`, one line per event on standard error.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_fit_everywhere() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(key.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", key.name);
            assert_eq!(KEYS.iter().position(|other| other.name == key.name), Some(at), "{}", key.name);
            assert!(key.help.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn no_variable_is_one_that_kubernetes_sets_for_a_service_called_factory() {
        for key in KEYS {
            let variable = key.variable();
            assert!(!variable.starts_with("FACTORY_PORT") && !variable.starts_with("FACTORY_SERVICE"));
        }
    }
}
