//! The extensions of a release: a plain one with a labelled program, one with microcode, one with a kernel module.

use schematics::Arch;
use tar::{Builder, EntryType, Header};

use super::{Era, KERNEL_RELEASE, elf, sbom};
use crate::server::Anything;

/// The program of `gvisor`, with a label.
pub const RUNSC: &str = "usr/local/bin/runsc";
/// A file of `gvisor` that only root may read.
pub const SETTINGS: &str = "usr/local/etc/gvisor.conf";
/// The label of the program.
pub const GVISOR_LABEL: &str = "system_u:object_r:runsc_exec_t:s0";
/// The microcode of `amd-ucode`.
pub const MICROCODE: &[u8] = b"microcode for processors of AMD";
/// The module of `nvidia-open-gpu-kernel-modules`, below the directory of modules.
pub const MODULE: &str = "extras/nvidia.ko";

/// A file: path, mode, label, content.
type Entry = (String, u32, Option<&'static str>, Vec<u8>);

/// The one layer of an extension's image, as a tar archive.
pub(super) fn layer(name: &str, era: Era, arch: Arch) -> Result<Vec<u8>, Anything> {
    let short = name.rsplit('/').next().unwrap_or(name);
    let mut archive = Builder::new(Vec::new());
    append(&mut archive, &("manifest.yaml".to_owned(), 0o644, None, manifest(short).into_bytes()))?;
    for (path, mode, label, content) in files(short, era, arch) {
        append(&mut archive, &(format!("rootfs/{path}"), mode, label, content))?;
    }
    Ok(archive.into_inner()?)
}

fn manifest(short: &str) -> String {
    format!(
        "version: v1alpha1\nmetadata:\n  name: {short}\n  version: 20250505.0\n  author: The author of {short}\n  \
         description: |\n    Does {short}.\n  compatibility:\n    talos:\n      version: \">= v1.0.0\"\n"
    )
}

fn files(short: &str, era: Era, arch: Arch) -> Vec<Entry> {
    let lib = era.lib();
    match short {
        "gvisor" => gvisor(era, arch),
        "amd-ucode" => {
            let path = format!("{lib}/firmware/amd-ucode/microcode_amd_fam19h.bin");
            vec![(path, 0o644, None, MICROCODE.to_vec())]
        }
        _ => {
            let path = format!("{lib}/modules/{KERNEL_RELEASE}/{MODULE}");
            vec![(path, 0o644, None, elf::module(&["license=MIT", "alias=pci:v000010DEd*"]))]
        }
    }
}

fn gvisor(era: Era, arch: Arch) -> Vec<Entry> {
    let program = format!("runsc for {arch} ").repeat(9000).into_bytes();
    let mut files = vec![
        (RUNSC.to_owned(), 0o755, Some(GVISOR_LABEL), program),
        (SETTINGS.to_owned(), 0o600, None, b"[runsc]\n".to_vec()),
    ];
    if era.sbom {
        let told = sbom::document("gvisor", &["golang.org/x/sys"]);
        files.push(("usr/local/share/spdx/gvisor.spdx.json".to_owned(), 0o644, None, told));
    }
    files
}

fn append(archive: &mut Builder<Vec<u8>>, (path, mode, label, content): &Entry) -> Result<(), Anything> {
    if let Some(label) = label {
        archive.append_pax_extensions([("SCHILY.xattr.security.selinux", label.as_bytes())])?;
    }
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(content.len() as u64);
    header.set_mode(*mode);
    archive.append_data(&mut header, path, content.as_slice())?;
    Ok(())
}
