mod judged;
mod signed;

use schematics::cmdline::Profile;

use super::sections::os_release;
use super::*;
use crate::format::pe::sample;
use crate::judge::{Blobs, noise, run};

/// The head of a bzImage that says it is 6.12.1-talos.
fn kernel() -> Vec<u8> {
    let mut kernel = noise(4, 30_000);
    kernel[0x1f1] = 1;
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&[0x80, 0]);
    kernel[0x280..0x290].copy_from_slice(b"6.12.1-talos #1\0");
    kernel
}

struct Inputs {
    blobs: Blobs,
    version: TalosVersion,
    profiles: Vec<Profile>,
    stub: Bytes,
    kernel: Bytes,
}

impl Inputs {
    fn new(version: &str, profiles: &[&'static str]) -> Self {
        let profile =
            |id: &&'static str| Profile { id, title: "Another start", cmdline: format!("main {id}") };
        Self {
            blobs: Blobs::default(),
            version: version.parse().unwrap(),
            profiles: profiles.iter().map(profile).collect(),
            stub: sample::stub().into(),
            kernel: kernel().into(),
        }
    }

    /// Calls with them as a recipe has them.
    fn with<T>(&self, use_them: impl FnOnce(&UkiInputs<'_>) -> T) -> T {
        use_them(&UkiInputs {
            version: &self.version,
            cmdline: "talos.platform=metal console=tty0",
            profiles: &self.profiles,
            stub: &self.blobs.put(self.stub.clone()),
            stub_head: &self.stub,
            kernel: &self.blobs.put(self.kernel.clone()),
            kernel_head: &self.kernel,
            initramfs: &self.blobs.put(noise(8, 12_345)),
            timestamp: 0,
        })
    }

    fn lay_out(&self) -> Result<VirtualImage, UkiError> {
        self.with(lay_out)
    }

    fn names(&self) -> Vec<String> {
        let bytes = self.blobs.flatten(&self.lay_out().unwrap());
        pe::sections(&bytes).unwrap().iter().skip(3).map(|section| section.name.to_string()).collect()
    }
}

#[test]
fn sections_are_in_talos_order() {
    let shared = [".osrel", ".cmdline", ".uname", ".splash", ".linux", ".initrd"];
    let main = &[".profile"][..];
    let other = &[".profile", ".cmdline"][..];
    assert_eq!(Inputs::new("v1.9.5", &[]).names(), shared);
    assert_eq!(Inputs::new("v1.10.0", &[]).names(), [&shared[..], main].concat());
    assert_eq!(Inputs::new("v1.13.0", &["reset", "b"]).names(), [&shared, main, other, other].concat());
}

#[test]
fn an_arm64_kernel_has_no_release_section() {
    let mut inputs = Inputs::new("v1.13.0", &[]);
    inputs.kernel = Bytes::from_static(b"MZ\0\0 arm64");
    assert!(!inputs.names().contains(&".uname".to_owned()));
}

#[test]
fn kernel_stub_and_initramfs_stay_extents() {
    let image = Inputs::new("v1.13.0", &["reset"]).lay_out().unwrap();
    assert_eq!(image.blobs().len(), 3);
    let inline: u64 = image
        .extents()
        .iter()
        .filter(|extent| matches!(extent.source(), crate::image::Source::Inline(_)))
        .map(crate::image::Extent::len)
        .sum();
    assert!(inline < 6000, "{inline} bytes are stored once more for every image");
}

#[test]
fn ukify_reads_it() {
    let inputs = Inputs::new("v1.13.0", &["reset"]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.efi"), inputs.blobs.flatten(&inputs.lay_out().unwrap())).unwrap();
    let Some(output) = run("ukify", &["inspect", "x.efi"], dir.path(), b"") else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let found: Vec<&str> = printed
        .lines()
        .filter_map(|line| {
            line.strip_suffix(':').filter(|_| line.starts_with('.')).or(line.trim().strip_prefix("sha256: "))
        })
        .collect();
    let of = |bytes: &[u8]| schematics::Digest::of(bytes).hex();
    let expected = [
        (".osrel", of(os_release(&inputs.version).as_bytes())),
        (".cmdline", of(b"talos.platform=metal console=tty0")),
        (".uname", of(b"6.12.1-talos")),
        (".splash", of(&splash::bitmap())),
        (".linux", of(&inputs.kernel)),
        (".initrd", of(&noise(8, 12_345))),
        (".profile", of(b"ID=main")),
        (".profile", of(b"ID=reset\nTITLE=Another start")),
        (".cmdline", of(b"main reset")),
    ];
    let expected: Vec<&str> = expected.iter().flat_map(|(name, digest)| [*name, digest.as_str()]).collect();
    // The first is the stub's own `.sbat`.
    assert_eq!(found[2..], expected);
}

#[test]
fn profiles_that_cannot_be_are_refused() {
    let refused = |version, profiles: &[&'static str]| Inputs::new(version, profiles).lay_out().unwrap_err();
    assert!(matches!(refused("v1.9.5", &["reset"]), UkiError::NoProfiles { id: "reset", .. }));
    assert!(matches!(refused("v1.10.0", &["main"]), UkiError::DuplicateProfile { id: "main" }));
    assert!(matches!(refused("v1.10.0", &["a", "a"]), UkiError::DuplicateProfile { id: "a" }));
    let mut inputs = Inputs::new("v1.13.0", &[]);
    inputs.stub = Bytes::from_static(b"no stub");
    let error = inputs.lay_out().unwrap_err();
    assert_eq!(error.blame(), Blame::Upstream);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(!error.to_string().contains(&source));
}
