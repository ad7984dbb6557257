//! What two locks do not agree on.

use std::fmt;

use super::{Lock, LockedImage, Role};

/// Something that decides bytes and is not the same in two locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub what: String,
    /// What the lock says.
    pub locked: String,
    /// What it is here.
    pub here: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the lock says {}, here it is {}", self.what, self.locked, self.here)
    }
}

impl Lock {
    /// Everything that decides bytes and is another in `here`, most important first. Who wrote the lock is no difference.
    #[must_use]
    pub fn differences(&self, here: &Self) -> Vec<Difference> {
        let mut found = Differences::default();
        found.compare("the asset", &self.asset, &here.asset);
        found.compare("the version", &self.version, &here.version);
        found.compare("the processor", &self.arch, &here.arch);
        found.compare("the schematic", &self.schematic.id, &here.schematic.id);
        found.compare("what is made", &self.recipe.kind, &here.recipe.kind);
        found.compare("the revision of the recipe", &self.recipe.revision, &here.recipe.revision);
        found.compare("the kernel command line", &self.recipe.cmdline, &here.recipe.cmdline);
        found.sources(&self.sources, &here.sources);
        found.settings(self, here);
        found.signer(self, here);
        if found.0.is_empty() {
            found.compare("the plan", &self.plan, &here.plan);
        }
        found.0
    }
}

#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn compare<T: PartialEq + fmt::Display>(&mut self, what: &str, locked: &T, here: &T) {
        if locked != here {
            let (locked, here) = (quoted(locked), quoted(here));
            self.0.push(Difference { what: what.to_owned(), locked, here });
        }
    }

    fn sources(&mut self, locked: &[LockedImage], here: &[LockedImage]) {
        for role in [
            Role::Release,
            Role::InstallerBase,
            Role::ExtensionCatalogue,
            Role::Extension,
            Role::OverlayCatalogue,
            Role::Overlay,
        ] {
            // A tag says how an image was found, its digest which one it is.
            let of = |images: &[LockedImage]| {
                let mut text = String::new();
                for image in images.iter().filter(|image| image.role == role) {
                    let separator = if text.is_empty() { "" } else { ", " };
                    text.push_str(&format!("{separator}{}@{}", image.repository, image.digest));
                }
                text
            };
            self.compare(&format!("the image ({role})"), &of(locked), &of(here));
        }
    }

    fn settings(&mut self, locked: &Lock, here: &Lock) {
        let (locked, here) = (&locked.settings, &here.settings);
        self.compare("`external-url`", &locked.external_url, &here.external_url);
        self.compare("the epoch", &locked.epoch, &here.epoch);
        self.compare("`squashfs-level`", &locked.compression_level, &here.compression_level);
        self.compare("the compressors", &locked.compressors, &here.compressors);
        let [depmod, own] = [locked, here].map(|settings| settings.depmod.clone().unwrap_or_default());
        self.compare("depmod", &depmod, &own);
        let [grub, own] = [locked, here]
            .map(|settings| settings.grub.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        self.compare("GRUB's core images", &grub, &own);
        self.compare("`secureboot-lockdown`", &locked.lockdown, &here.lockdown);
    }

    fn signer(&mut self, locked: &Lock, here: &Lock) {
        let (Some(ours), Some(own)) = (&locked.signer, &here.signer) else {
            let named = |lock: &Lock| if lock.signer.is_some() { "somebody" } else { "nobody" };
            self.compare("who signs", &named(locked), &named(here));
            return;
        };
        self.compare("the certificate that signs", &ours.certificate, &own.certificate);
        self.compare("the key of PCR policies", &ours.pcr_key, &own.pcr_key);
        self.compare("the identity of the signer", &ours.identity, &own.identity);
    }
}

/// A value, or that there is none.
fn quoted(value: &impl fmt::Display) -> String {
    match value.to_string() {
        text if text.is_empty() => "none".to_owned(),
        text => format!("`{text}`"),
    }
}
