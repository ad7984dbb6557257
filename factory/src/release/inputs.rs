//! Looking at the files of a release before anything is made of them.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use extensions::manifest::{ExtensionManifest, MAX_MANIFEST};
use extensions::reference::{Repository, is_tag};
use fs_err as fs;
use schematics::{Arch, Feature, TalosVersion};

use super::{Files, ReleaseError};

/// How much of a file tells what it is: more than any DOS stub is long.
const HEAD: u64 = 64 * 1024;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const XZ: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// The files of a release, all there and of the right kind.
pub(super) struct Checked {
    pub arches: Vec<Arch>,
    pub artifacts: Vec<(Arch, Vec<PathBuf>)>,
    pub extensions: Vec<Extension>,
    pub overlays: Vec<BoardOverlay>,
}

/// An extension, and the roots of its images.
pub(super) struct Extension {
    pub name: Repository,
    /// That of the first architecture, which the others may differ from in their version.
    pub manifest: ExtensionManifest,
    pub roots: Vec<(Arch, PathBuf)>,
}

/// An overlay, and the roots of its images.
pub(super) struct BoardOverlay {
    pub name: String,
    pub repository: Repository,
    pub roots: Vec<(Arch, PathBuf)>,
}

/// The repository of the base installer.
pub(super) fn installer_repository(version: &TalosVersion) -> &'static str {
    if version.supports(Feature::UnifiedInstaller) {
        "siderolabs/installer-base"
    } else {
        "siderolabs/installer"
    }
}

/// Checks everything.
pub(super) fn check(files: &Files) -> Result<Checked, ReleaseError> {
    let arches: Vec<Arch> = files.artifacts.keys().copied().collect();
    if arches.is_empty() {
        return Err(ReleaseError::NoArtifacts);
    }
    let artifacts = files.artifacts.iter().map(|(arch, dir)| Ok((*arch, artifacts(files, *arch, dir)?)));
    let artifacts = artifacts.collect::<Result<_, ReleaseError>>()?;
    check_installer(files, &arches)?;
    if let Some(dir) = &files.talosctl {
        check_talosctl(dir)?;
    }
    let extensions = files.extensions.iter().map(|(name, dir)| extension(name, dir, &arches));
    let extensions = extensions.collect::<Result<Vec<_>, _>>()?;
    let overlays = files.overlays.iter().map(|(name, dir)| overlay(name, dir, &arches));
    let overlays = overlays.collect::<Result<Vec<_>, _>>()?;
    check_names(&extensions, &overlays)?;
    Ok(Checked { arches, artifacts, extensions, overlays })
}

/// The files of one architecture, sorted.
fn artifacts(files: &Files, arch: Arch, dir: &Path) -> Result<Vec<PathBuf>, ReleaseError> {
    directory(dir)?;
    let initramfs = dir.join("initramfs.xz");
    check_initramfs(&initramfs, &files.version)?;
    let mut found = vec![initramfs];
    let kernel = dir.join("vmlinuz");
    if files.version.supports(Feature::Uki) {
        for name in ["systemd-boot.efi", "systemd-stub.efi"] {
            let path = dir.join(name);
            check_pe(&path, arch)?;
            found.push(path);
        }
        // systemd-stub starts the kernel as a PE image.
        check_pe(&kernel, arch)?;
    } else {
        head(&kernel)?;
    }
    let packages = dir.join("talos.spdx.json");
    if packages.exists() {
        found.push(packages);
    }
    found.push(kernel);
    Ok(found)
}

fn check_installer(files: &Files, arches: &[Arch]) -> Result<(), ReleaseError> {
    if files.installer_base.is_empty() {
        return Ok(());
    }
    let given: Vec<Arch> = files.installer_base.keys().copied().collect();
    if given != arches {
        let what = "`--installer-base` must be given for the same architectures as `--artifacts`".to_owned();
        return Err(ReleaseError::Arguments { what });
    }
    for dir in files.installer_base.values() {
        directory(dir)?;
        let program = dir.join("bin/installer");
        // Links are not followed: an absolute one leads out of the image, and may lead nowhere on this machine.
        let inside = [program.clone(), dir.join("usr/bin/installer")];
        if !inside.iter().any(|path| fs::symlink_metadata(path).is_ok()) {
            return unfit(&program, "there, but it is what the base installer is run by");
        }
    }
    Ok(())
}

fn check_talosctl(dir: &Path) -> Result<(), ReleaseError> {
    let names = list(dir)?;
    for name in &names {
        let path = dir.join(name);
        let words = name.strip_prefix("talosctl-").map(|rest| rest.strip_suffix(".exe").unwrap_or(rest));
        let words: Vec<&str> = words.unwrap_or_default().split('-').collect();
        let named = words.len() == 2 && words.iter().all(|word| !word.is_empty());
        if !named || !path.is_file() {
            return unfit(&path, "a file named `talosctl-<os>-<arch>` or `talosctl-<os>-<arch>.exe`");
        }
    }
    if names.is_empty() { unfit(dir, "a directory with at least one `talosctl-<os>-<arch>`") } else { Ok(()) }
}

fn extension(name: &Repository, dir: &Path, arches: &[Arch]) -> Result<Extension, ReleaseError> {
    let roots = roots(dir, arches)?;
    let mut manifests = Vec::new();
    for (_, root) in &roots {
        let entries = list(root)?;
        if entries != ["manifest.yaml", "rootfs"] {
            return unfit(root, "the root of an extension: exactly `manifest.yaml` and `rootfs`");
        }
        directory(&root.join("rootfs"))?;
        manifests.push(manifest(&root.join("manifest.yaml"))?);
    }
    match manifests.into_iter().next() {
        Some(manifest) => Ok(Extension { name: name.clone(), manifest, roots }),
        None => Err(ReleaseError::NoArtifacts),
    }
}

fn manifest(path: &Path) -> Result<ExtensionManifest, ReleaseError> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_MANIFEST + 1).read_to_end(&mut bytes));
    read.map_err(|source| ReleaseError::Unreadable { path: path.to_owned(), source })?;
    let manifest = ExtensionManifest::read(&bytes)
        .map_err(|source| ReleaseError::Manifest { path: path.to_owned(), source })?;
    if is_tag(&manifest.version) {
        return Ok(manifest);
    }
    Err(ReleaseError::Version { path: path.to_owned(), version: manifest.version })
}

fn overlay(name: &str, dir: &Path, arches: &[Arch]) -> Result<BoardOverlay, ReleaseError> {
    let repository = super::fixed(&format!("siderolabs/{name}"))?;
    if name.contains('/') {
        return unfit(Path::new(name), "the name of an overlay: one word, as in `rpi_generic`");
    }
    let roots = roots(dir, arches)?;
    for (_, root) in &roots {
        let program = root.join("installers").join(name);
        if !program.is_file() {
            return unfit(&program, "there, but it is the program of the overlay");
        }
    }
    Ok(BoardOverlay { name: name.to_owned(), repository, roots })
}

/// Refuses two images of one name.
fn check_names(extensions: &[Extension], overlays: &[BoardOverlay]) -> Result<(), ReleaseError> {
    let own = ["imager", "installer-base", "installer", "extensions", "overlays", "talosctl-all"];
    let mut taken: BTreeSet<String> = own.iter().map(|name| format!("siderolabs/{name}")).collect();
    let names = extensions.iter().map(|extension| &extension.name);
    for name in names.chain(overlays.iter().map(|overlay| &overlay.repository)) {
        if !taken.insert(name.to_string()) {
            return Err(ReleaseError::Arguments { what: format!("there would be two images named {name}") });
        }
    }
    Ok(())
}

/// `dir/<arch>` for each architecture.
fn roots(dir: &Path, arches: &[Arch]) -> Result<Vec<(Arch, PathBuf)>, ReleaseError> {
    let roots: Vec<_> = arches.iter().map(|arch| (*arch, dir.join(arch.name()))).collect();
    roots.iter().try_for_each(|(_, root)| directory(root))?;
    Ok(roots)
}

fn check_initramfs(path: &Path, version: &TalosVersion) -> Result<(), ReleaseError> {
    let head = head(path)?;
    let (magic, expected): (&[u8], _) = if version.supports(Feature::Zstd) {
        (&ZSTD, "compressed with zstd, as Talos does it since 1.8")
    } else {
        (&XZ, "compressed with xz, as Talos did it before 1.8")
    };
    if head.starts_with(magic) { Ok(()) } else { unfit(path, expected) }
}

/// Makes sure that a file is a PE image for the architecture (Microsoft's "PE Format").
fn check_pe(path: &Path, arch: Arch) -> Result<(), ReleaseError> {
    let wanted: u16 = match arch {
        Arch::Amd64 => 0x8664,
        Arch::Arm64 => 0xaa64,
    };
    if machine(&head(path)?) == Some(wanted) {
        Ok(())
    } else {
        unfit(path, &format!("a PE image (an EFI program) for {arch}"))
    }
}

/// The machine type in the headers of a PE image.
fn machine(head: &[u8]) -> Option<u16> {
    let at = |at: usize, len: usize| head.get(at..)?.get(..len);
    if at(0, 2)? != b"MZ" {
        return None;
    }
    let pe = usize::try_from(u32::from_le_bytes(at(0x3c, 4)?.try_into().ok()?)).ok()?;
    let header = at(pe, 6)?;
    let machine = u16::from_le_bytes(header.get(4..)?.try_into().ok()?);
    header.starts_with(b"PE\0\0").then_some(machine)
}

fn head(path: &Path) -> Result<Vec<u8>, ReleaseError> {
    let failed = |source| ReleaseError::Unreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return unfit(path, "a file");
    }
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

fn directory(path: &Path) -> Result<(), ReleaseError> {
    let failed = |source| ReleaseError::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.is_dir() { Ok(()) } else { unfit(path, "a directory") }
}

/// The names in a directory, sorted.
fn list(dir: &Path) -> Result<Vec<String>, ReleaseError> {
    directory(dir)?;
    let failed = |source| ReleaseError::Unreadable { path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn unfit<T>(path: &Path, expected: &str) -> Result<T, ReleaseError> {
    Err(ReleaseError::Unfit { path: path.to_owned(), expected: expected.to_owned() })
}
