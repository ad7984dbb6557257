//! The facts, and images in which one of them is not so.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use fs_err as fs;
use schematics::{Arch, Boot, Digest, Feature, TalosVersion};
use serde_json::{Value, json};

use super::unpacked::Unpacked;

/// What is expected of an installer.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) version: TalosVersion,
    pub(super) arch: Arch,
    pub(super) boot: Boot,
    /// The options of its overlay, when it has one.
    pub(super) options: Option<&'a str>,
    /// Files whose bytes are known.
    pub(super) contents: Vec<(&'static str, Digest)>,
}

/// Whether installers of a version have one program for kernel and initramfs, also where nothing is signed.
pub(super) fn is_unified(version: &TalosVersion) -> bool {
    version.supports(Feature::UnifiedInstaller)
}

type Verdict = Result<(), String>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Verdict {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?}, not {expected:?}")) }
}

impl Facts<'_> {
    /// Whether everything is so.
    pub(super) fn check(&self, installer: &Unpacked) -> Verdict {
        self.configuration(&installer.image)?;
        program(&installer.root.join("bin/installer"))?;
        self.assets(&installer.root)?;
        self.overlay(&installer.root)
    }

    fn configuration(&self, image: &Value) -> Verdict {
        same("the architecture", &image["Architecture"], &json!(self.arch.name()))?;
        same("the system", &image["Os"], &json!("linux"))?;
        let config = &image["Config"];
        same("the entry point", &config["Entrypoint"], &json!(["/bin/installer"]))?;
        same("the command", &config["Cmd"], &Value::Null)?;
        let directory = config["WorkingDir"].as_str().unwrap_or("/").trim_start_matches('/').to_owned();
        same("the working directory", &directory, &String::new())?;
        same("the user", &config["User"].as_str().unwrap_or_default(), &"")?;
        same("the label", &config["Labels"]["alpha.talos.dev/version"], &json!(self.version.to_string()))?;
        let environment = config["Env"].as_array().cloned().unwrap_or_default();
        for wanted in [format!("TARGETARCH={}", self.arch), format!("VERSION={}", self.version)] {
            if !environment.contains(&json!(wanted)) {
                return Err(format!("the environment has no {wanted}: {environment:?}"));
            }
        }
        // Of a base with two layers only the first counts: the second has the artifacts of the release itself.
        let layers = image["RootFS"]["Layers"].as_array().map(Vec::len);
        same("the number of layers", &layers, &Some(2 + usize::from(self.options.is_some())))
    }

    /// The directory of the architecture and nothing else, with these files, readable by their owner's privilege alone.
    fn assets(&self, root: &Path) -> Verdict {
        let names = match (is_unified(&self.version), self.boot) {
            (true, _) => ["systemd-boot.efi", "vmlinuz.efi"],
            (false, Boot::Secure) => ["systemd-boot.efi", "vmlinuz.efi.signed"],
            (false, Boot::Plain) => ["initramfs.xz", "vmlinuz"],
        };
        let install = root.join("usr/install");
        same("usr/install", &listed(&install), &vec![self.arch.name().to_owned()])?;
        let dir = install.join(self.arch.name());
        same("usr/install of the architecture", &listed(&dir), &names.map(str::to_owned).to_vec())?;
        for name in names {
            let meta = fs::symlink_metadata(dir.join(name)).map_err(|error| error.to_string())?;
            same(&format!("the mode of {name}"), &(meta.permissions().mode() & 0o7777), &0)?;
            same(&format!("the owner of {name}"), &(meta.uid(), meta.gid()), &(0, 0))?;
            same(&format!("{name} with something in it"), &(meta.is_file() && meta.len() > 0), &true)?;
        }
        for (name, expected) in &self.contents {
            let found = fs::read(dir.join(name)).map_err(|error| error.to_string())?;
            same(&format!("the content of {name}"), &Digest::of(&found), expected)?;
        }
        Ok(())
    }

    fn overlay(&self, root: &Path) -> Verdict {
        let overlay = root.join("overlay");
        let Some(options) = self.options else {
            // That there is one makes Talos' installer look for the rest.
            return same("an overlay nobody asked for", &overlay.exists(), &false);
        };
        let parts = ["artifacts", "extra-options", "installers"].map(str::to_owned).to_vec();
        same("the overlay", &listed(&overlay), &parts)?;
        same("the overlay's installers", &listed(&overlay.join("installers")), &vec!["default".to_owned()])?;
        program(&overlay.join("installers/default"))?;
        let told = fs::read_to_string(overlay.join("extra-options")).map_err(|error| error.to_string())?;
        same("the overlay's options", &told.as_str(), &options)?;
        same("the overlay without artifacts", &listed(&overlay.join("artifacts")).is_empty(), &false)
    }
}

/// The names in a directory, sorted; none when there is no such directory.
fn listed(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Something that can be run by everybody, of root.
fn program(path: &Path) -> Verdict {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    same(&format!("{} to run", path.display()), &(meta.permissions().mode() & 0o111), &0o111)?;
    same(&format!("the owner of {}", path.display()), &(meta.uid(), meta.gid()), &(0, 0))
}

/// A change of an installer with an overlay for arm64, and a word of the verdict about it.
pub(super) type Change = (&'static str, fn(Unpacked) -> Unpacked);

/// One for every fact.
pub(super) fn changes() -> Vec<Change> {
    vec![
        ("the architecture", |installer| set(installer, "/Architecture", json!("amd64"))),
        ("the system", |installer| set(installer, "/Os", json!("windows"))),
        ("the entry point", |installer| set(installer, "/Config/Entrypoint", json!(["/bin/imager"]))),
        ("the command", |installer| set(installer, "/Config/Cmd", json!(["install"]))),
        ("the working directory", |installer| set(installer, "/Config/WorkingDir", json!("/tmp"))),
        ("the user", |installer| set(installer, "/Config/User", json!("1000"))),
        ("the label", |installer| set(installer, "/Config/Labels", json!({}))),
        ("TARGETARCH=arm64", |installer| set(installer, "/Config/Env", json!(["VERSION=v1.13.0"]))),
        ("VERSION=v1.13.0", |installer| set(installer, "/Config/Env", json!(["TARGETARCH=arm64"]))),
        ("the number of layers", |installer| set(installer, "/RootFS/Layers", json!([1, 2, 3, 4]))),
        ("bin/installer to run", |installer| mode(installer, "usr/bin/installer", 0o644)),
        ("No such file", |installer| gone(installer, "usr/bin/installer")),
        ("usr/install", |installer| moved(installer, "usr/install/arm64", "usr/install/aarch64")),
        ("usr/install", |installer| {
            moved(installer, "usr/install/arm64/vmlinuz.efi", "usr/install/arm64/vmlinuz.efi.signed")
        }),
        ("usr/install", |installer| gone(installer, "usr/install/arm64/systemd-boot.efi")),
        ("usr/install", |installer| written(installer, "usr/install/arm64/initramfs.xz")),
        ("the mode of", |installer| mode(installer, "usr/install/arm64/vmlinuz.efi", 0o644)),
        ("the owner of", |installer| owned(installer, "usr/install/arm64/systemd-boot.efi")),
        ("the content of", |installer| written(installer, "usr/install/arm64/vmlinuz.efi")),
        ("the overlay", |installer| gone(installer, "overlay/extra-options")),
        ("the overlay's options", |installer| written(installer, "overlay/extra-options")),
        ("the overlay's installers", |installer| {
            moved(installer, "overlay/installers/default", "overlay/installers/rpi_generic")
        }),
        ("default to run", |installer| mode(installer, "overlay/installers/default", 0o644)),
        ("the overlay", |installer| moved(installer, "overlay/artifacts", "overlay/profiles")),
    ]
}

fn set(mut installer: Unpacked, pointer: &str, value: Value) -> Unpacked {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    installer.image.pointer_mut(parent).unwrap()[name] = value;
    installer
}

fn mode(installer: Unpacked, path: &str, mode: u32) -> Unpacked {
    fs::set_permissions(installer.root.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    installer
}

fn owned(installer: Unpacked, path: &str) -> Unpacked {
    std::os::unix::fs::chown(installer.root.join(path), Some(1000), Some(1000)).unwrap();
    installer
}

fn gone(installer: Unpacked, path: &str) -> Unpacked {
    fs::remove_file(installer.root.join(path)).unwrap();
    installer
}

fn moved(installer: Unpacked, from: &str, to: &str) -> Unpacked {
    fs::rename(installer.root.join(from), installer.root.join(to)).unwrap();
    installer
}

/// Other bytes, in a file that keeps its mode when it is there.
fn written(installer: Unpacked, path: &str) -> Unpacked {
    fs::write(installer.root.join(path), "other").unwrap();
    installer
}
