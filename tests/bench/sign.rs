//! What SecureBoot adds: a new image of about 100 MB, measured and signed, against the tools that do it for one file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::chain::{shell, tool};
use crate::server::{Asset, Server};
use crate::usage::{Cost, of_children};
use crate::{EXTENSIONS, Figure, RUNS, VERSION, median, storage};

/// How long the initramfs of the measured release is made, so that images have about 100 MB.
const INITRAMFS: u64 = 85_000_000;
/// How many schematics in a row storage is measured over.
const SCHEMATICS: u32 = 1000;
const BUDGET: f64 = 0.400;

/// A release with a large initramfs, keys, and a factory that signs with them.
struct Site {
    dir: tempfile::TempDir,
    server: Server,
}

/// The one `make setup-test` fetches: bookworm's cannot sign without a TPM.
const MEASURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/systemd-measure");

/// Prints the figures.
pub fn print(factory: &Path, inputs: &Path) {
    let site = Site::new(factory, inputs);
    let path = Asset::SecureUki.path();
    site.server.warm(path);
    let runs: Vec<_> = (0..RUNS).map(|_| site.server.measure(path)).collect();
    let ours = |pick: fn(&crate::server::Timing) -> f64| median(runs.iter().map(pick).collect());
    let tools: Vec<Cost> = (0..RUNS).map(|_| site.tools()).collect();
    let theirs = |pick: fn(&Cost) -> f64| median(tools.iter().map(pick).collect());
    for (what, ours, theirs, budget) in [
        ("CPU", ours(|t| t.head_cpu), theirs(|c| c.cpu), Some(BUDGET)),
        ("wall", ours(|t| t.head_wall), theirs(|c| c.wall), None),
    ] {
        let what = format!("new schematic, signed 100 MB uki: HEAD, {what}");
        let reference = Some(("systemd-measure, sbsign", theirs));
        Figure { what: &what, unit: "s", ours, reference, budget }.print();
    }
    storage::print(&site.server, &[Asset::SecureUki.path(), "metal-amd64-secureboot.iso"], SCHEMATICS);
}

impl Site {
    fn new(factory: &Path, inputs: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = dir.path().join("files");
        std::fs::create_dir(&files).unwrap();
        let from = inputs.join("releases").join(VERSION).join("amd64");
        // One more member that the kernel would unpack like the others.
        let script = format!(
            "cp '{0}'/* . && head -c $(({INITRAMFS} - $(stat -c %s initramfs.xz))) /dev/urandom > noise \
             && echo noise | cpio --quiet -o -H newc | zstd -q -1 >> initramfs.xz && rm noise",
            from.display()
        );
        shell(&script, &files);
        let (layout, keys) = (dir.path().join("layout"), dir.path().join("keys"));
        let (output, artifacts) = (format!("oci:{}", layout.display()), format!("amd64={}", files.display()));
        let mut arguments = vec!["release", VERSION, "--output", &output, "--artifacts", &artifacts];
        let extensions = EXTENSIONS.map(|name| {
            let short = name.trim_start_matches("siderolabs/");
            format!("{name}={}", inputs.join("extensions").join(short).display())
        });
        extensions.iter().for_each(|extension| arguments.extend(["--extension", extension]));
        run(factory, &arguments);
        run(factory, &["keys", "generate", "--output", &keys.display().to_string()]);
        let server =
            Server::start_with(factory, &layout, &["--keys", &keys.join("keys.yaml").display().to_string()]);
        Self { dir, server }
    }

    /// The same for one command line: PCR signatures for the image's sections, and an Authenticode signature.
    fn tools(&self) -> Cost {
        let (files, keys) = (self.dir.path().join("files"), self.dir.path().join("keys"));
        let unsigned = unsigned(&files);
        let (key, certificate) = (keys.join("secureboot.key"), keys.join("secureboot.crt"));
        let pcr = keys.join("pcr.key");
        of_children(|| {
            let script = format!(
                "openssl pkey -in '{0}' -pubout -out pcr.pub && '{MEASURE}' sign --linux=vmlinuz \
                 --initrd=initramfs.xz --cmdline=cmdline --private-key='{0}' --public-key=pcr.pub --bank=sha256 \
                 --bank=sha384 --bank=sha512 --phase=enter-initrd:leave-initrd:enter-machined > pcrsig.json",
                pcr.display()
            );
            shell(&script, &files);
            let paths = [&key, &certificate, &unsigned].map(|path| path.display().to_string());
            tool(
                "sbsign",
                &["--key", &paths[0], "--cert", &paths[1], "--output", "signed.efi", &paths[2]],
                &files,
            );
        })
    }
}

/// An unsigned image of the same content, made once: making it is not what is measured.
fn unsigned(files: &Path) -> PathBuf {
    let path = files.join("unsigned.efi");
    if !path.exists() {
        shell(
            "echo -n talos.platform=metal > cmdline && objcopy --add-section .linux=vmlinuz \
             --change-section-vma .linux=0x150000000 --add-section .initrd=initramfs.xz \
             --change-section-vma .initrd=0x160000000 systemd-stub.efi unsigned.efi",
            files,
        );
    }
    path
}

fn run(program: &Path, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}
