//! What Talos' own installer program, and Talos when it upgrades itself, expect of an installer image.

mod facts;
mod unpacked;

use fs_err as fs;
use schematics::{Arch, Boot, Digest, TalosVersion};
use tempfile::TempDir;
use tests::keys::KeyFiles;
use tests::server::Factory;
use tests::{Failure, or_skip};

use crate::programs::Podman;
use crate::site::{Site, VERSION, create};
use facts::Facts;
use unpacked::Unpacked;

const EXTENSION: &str = "customization: {systemExtensions: {officialExtensions: [siderolabs/gvisor]}}";
const BOARD: &str =
    "overlay: {name: rpi_generic, image: siderolabs/sbc-rpi-generic, options: {configTxt: a, list: [1]}}";
const OPTIONS: &str = "configTxt: a\nlist:\n    - 1\n";

/// A factory that signs, on the pretend release of many versions.
struct Releases {
    factory: Factory,
    dir: TempDir,
    _keys: KeyFiles,
}

impl Releases {
    fn new() -> Self {
        let keys = KeyFiles::generate().unwrap();
        let file = keys.file().display().to_string();
        let own = [("keys", file.as_str()), ("external-url", "http://factory.example")];
        let factory = Factory::with_release(&own).unwrap();
        Self { factory, dir: tempfile::tempdir().unwrap(), _keys: keys }
    }

    /// An installer as podman unpacks it, and what has to be in it.
    fn installer<'a>(
        &self,
        schematic: &'a str,
        version: &str,
        arch: Arch,
        boot: Boot,
    ) -> Result<(Unpacked, Facts<'a>), Failure> {
        let id = create(&self.factory, schematic);
        let secure = if boot == Boot::Secure { "-secureboot" } else { "" };
        let image = format!("{}/installer{secure}/{id}:{version}", self.factory.address());
        let podman = Podman(tempfile::tempdir_in(self.dir.path()).unwrap().keep());
        let unpacked = Unpacked::by(&podman, &image, arch)?;
        let parsed: TalosVersion = version.parse().unwrap();
        let download = |asset: &str| {
            let answer = self.factory.get(&format!("/image/{id}/{version}/{asset}"));
            assert_eq!(answer.status, 200, "{asset}: {}", answer.text());
            Digest::of(&answer.body)
        };
        let contents = match (facts::is_unified(&parsed), boot) {
            (false, Boot::Plain) => vec![
                ("initramfs.xz", download(&format!("initramfs-{arch}.xz"))),
                ("vmlinuz", download(&format!("kernel-{arch}"))),
            ],
            (unified, _) => {
                let name = if unified { "vmlinuz.efi" } else { "vmlinuz.efi.signed" };
                vec![(name, download(&format!("metal-{arch}{secure}-uki.efi")))]
            }
        };
        let options = schematic.contains("overlay").then_some(OPTIONS);
        Ok((unpacked, Facts { version: parsed, arch, boot, options, contents }))
    }
}

#[test]
fn every_installer_has_what_talos_looks_for() {
    let checked = (|| {
        let releases = Releases::new();
        let plain =
            ["v1.3.7", "v1.5.0", "v1.9.4", "v1.10.0", "v1.13.0"].map(|version| (version, Boot::Plain));
        let secure = ["v1.5.0", "v1.9.4", "v1.10.0", "v1.13.0"].map(|version| (version, Boot::Secure));
        let boards = ["v1.7.0", "v1.13.0"].map(|version| (version, Boot::Plain));
        let customized = plain.into_iter().chain(secure).map(|installer| (EXTENSION, installer));
        let boards = boards.into_iter().map(|installer| (BOARD, installer));
        for (schematic, (version, boot)) in customized.chain(boards) {
            for arch in Arch::ALL {
                let (installer, facts) = releases.installer(schematic, version, arch, boot)?;
                let verdict = facts.check(&installer);
                assert_eq!(verdict, Ok(()), "{version} {arch} {boot:?} {schematic}");
            }
        }
        Ok(())
    })();
    or_skip(checked);
}

#[test]
fn an_installer_with_one_thing_changed_is_none() {
    let checked = (|| {
        let releases = Releases::new();
        let (good, facts) = releases.installer(BOARD, "v1.13.0", Arch::Arm64, Boot::Plain)?;
        assert_eq!(facts.check(&good), Ok(()));
        for (what, change) in facts::changes() {
            let changed = good.copy(releases.dir.path());
            let changed = change(changed);
            let verdict = facts.check(&changed).unwrap_err();
            assert!(verdict.contains(what), "{what}: {verdict}");
        }
        let (older, older_facts) = releases.installer(EXTENSION, "v1.9.4", Arch::Amd64, Boot::Plain)?;
        assert!(facts.check(&older).is_err() && older_facts.check(&good).is_err());
        // The layer of the base that has to go: what is in it hides behind the names of what was made.
        fs::write(older.root.join("usr/install/amd64/dtb"), "left over").unwrap();
        assert!(older_facts.check(&older).unwrap_err().contains("usr/install"));
        Ok(())
    })();
    or_skip(checked);
}

/// The arguments Talos gives an installer, the flags that only old hosts give among them.
const INSTALL: [&str; 11] = [
    "install",
    "--disk=/dev/sda",
    "--platform=metal",
    "--config=none",
    "--board=none",
    "--upgrade=true",
    "--force=true",
    "--zero=false",
    "--extra-kernel-arg",
    "talos.dashboard.disabled=1",
    "--extra-kernel-arg",
];

#[test]
fn the_installer_runs_as_talos_runs_it() {
    let checked = (|| {
        let site = Site::new()?;
        let board = create(
            &site.factory,
            "overlay: {name: reference-board, image: siderolabs/reference-board, options: {console: ttyS7}}",
        );
        let arch = if cfg!(target_arch = "aarch64") { Arch::Arm64 } else { Arch::Amd64 };
        let podman = Podman(site.place("podman"));
        let plain = Unpacked::by(&podman, &format!("{}/{}:{VERSION}", site.host(), site.repository()), arch)?;
        let on_board = Unpacked::by(&podman, &format!("{}/installer/{board}:{VERSION}", site.host()), arch)?;
        let (code, help) = plain.install(&["--help"], &[]);
        assert!(code == 0 && help.starts_with("usage: installer install"), "{help}");
        let all = [&INSTALL[..], &["net.ifnames=0"]].concat();
        let (code, said) = plain.install(&all, &[("INSTALLER_META_BASE64", "bWV0YQ==")]);
        assert_eq!(code, 0, "{said}");
        let uki = format!("{}  /usr/install/{arch}/vmlinuz.efi", site.uki(arch).hex());
        for line in [
            "disk: /dev/sda",
            "extra arguments: talos.dashboard.disabled=1 net.ifnames=0",
            "meta: bWV0YQ==",
            &uki,
        ] {
            assert!(said.lines().any(|said| said == line), "{line} is not in\n{said}");
        }
        let (code, said) = on_board.install(&all, &[]);
        assert!(
            code == 0 && said.contains("name: reference-board") && said.contains("console=ttyS7"),
            "{said}"
        );
        // What is not as it should be, it says itself.
        for (installer, path, code) in [
            (&plain, "usr/install/ARCH/systemd-boot.efi", 4),
            (&plain, "usr/install/ARCH/vmlinuz.efi", 4),
            (&on_board, "overlay/extra-options", 4),
        ] {
            let broken = installer.copy(site.dir.path());
            fs::remove_file(broken.root.join(path.replace("ARCH", arch.name()))).unwrap();
            assert_eq!(broken.install(&all, &[]).0, code, "without {path}");
        }
        for arguments in [&INSTALL[..], &["install", "--disk=sda"], &["upgrade"], &["install", "--nonsense"]]
        {
            assert_eq!(plain.install(arguments, &[]).0, 2, "{arguments:?}");
        }
        Ok(())
    })();
    or_skip(checked);
}
