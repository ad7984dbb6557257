//! iPXE scripts.

use schematics::{AssetName, Boot, Target, TalosVersion, SchematicId};

/// The script that boots this target. Its text is a contract: people compare it.
///
/// With SecureBoot the kernel is the signed UKI, which brings its own initramfs.
fn script(base: &str, id: SchematicId, version: &TalosVersion, boots: (Target, &str)) -> String {
    let (target, cmdline) = boots;
    let at = format!("{base}/image/{id}/{version}");
    match target.boot {
        Boot::Plain => {
            let (kernel, initramfs) = (AssetName::Kernel(target.arch), AssetName::Initramfs(target.arch));
            format!("#!ipxe\n\nimgfree\nkernel {at}/{kernel} {cmdline}\ninitrd {at}/{initramfs}\nboot\n")
        }
        Boot::Secure => format!("#!ipxe\n\nimgfree\nkernel {at}/{} {cmdline}\nboot\n", AssetName::Uki(target)),
    }
}
