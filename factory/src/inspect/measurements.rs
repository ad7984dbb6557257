//! What a TPM will have measured after each kernel image of a file was started.

use builder::predict::{
    self, Document, KeyVariables, LoadedAddon, Register, boot_loader_code, kernel_boot, kernel_config,
    secure_boot_policy,
};

use super::enrolment;
use super::program::Inspected;
use super::report::ProgramKind;

/// Where firmware looks for what to start, and where the stub looks for add-ons of all images.
const REMOVABLE: &str = "efi/boot/boot";
const ADDONS: &str = "loader/addons/";

/// A document for each kernel image among `found`, or for the add-on when there is only one. None when only headers were
/// read.
pub(super) fn documents(found: &[Inspected], keys: &KeyVariables) -> Vec<Document> {
    if let [only] = found
        && only.program.kind == ProgramKind::Addon
    {
        return only.program.authenticode.map(|_| of_addon(only)).into_iter().collect();
    }
    let images = found.iter().filter(|one| one.program.kind == ProgramKind::KernelImage);
    images.filter_map(|image| of_image(image, found, keys)).collect()
}

fn of_addon(addon: &Inspected) -> Document {
    let registers = vec![kernel_config(&[loaded(addon)])];
    let programs = as_program(addon).into_iter().collect();
    Document::new(&addon.program.path, programs, registers)
}

fn of_image(image: &Inspected, found: &[Inspected], keys: &KeyVariables) -> Option<Document> {
    let path = image.program.path.to_ascii_lowercase();
    let loader = found.iter().find(|one| {
        matches!(one.program.kind, ProgramKind::BootLoader | ProgramKind::Other)
            && one.program.path.to_ascii_lowercase().starts_with(REMOVABLE)
    });
    let addons = addons(&path, found);
    let chain: Vec<&Inspected> = loader.into_iter().chain([image]).chain(addons.iter().copied()).collect();
    let programs: Vec<predict::Program> = chain.iter().map(|one| as_program(one)).collect::<Option<_>>()?;

    let mut registers = vec![boot_loader_code(&programs)];
    registers.extend(secure_boot(&chain, keys));
    let profiles = image.program.profiles.iter().zip(&image.predictions);
    registers.extend(profiles.map(|(profile, prediction)| kernel_boot(profile.id.as_deref(), prediction)));
    let addons: Vec<LoadedAddon> = addons.into_iter().map(loaded).collect();
    registers.push(kernel_config(&addons));
    Some(Document::new(&image.program.path, programs, registers))
}

/// The add-ons the stub of the image at `path` loads, in its order.
fn addons<'a>(path: &str, found: &'a [Inspected]) -> Vec<&'a Inspected> {
    let own = format!("{path}.extra.d/");
    let below = |dir: &str| {
        let dir = dir.to_owned();
        found.iter().filter(move |one| {
            let path = one.program.path.to_ascii_lowercase();
            let file = path.strip_prefix(&dir);
            one.program.kind == ProgramKind::Addon
                && file.is_some_and(|file| !file.contains('/') && file.ends_with(".addon.efi"))
        })
    };
    below(ADDONS).chain(below(&own)).collect()
}

fn as_program(one: &Inspected) -> Option<predict::Program> {
    let role = match one.program.kind {
        ProgramKind::KernelImage => predict::Role::KernelImage,
        ProgramKind::Addon => predict::Role::Addon,
        ProgramKind::BootLoader | ProgramKind::Other => predict::Role::BootLoader,
    };
    let authenticode = one.program.authenticode?;
    Some(predict::Program { role, path: one.program.path.clone(), authenticode })
}

fn loaded(addon: &Inspected) -> LoadedAddon {
    let path = &addon.program.path;
    let cmdline = addon.program.profiles.first().and_then(|profile| profile.cmdline.clone());
    let cmdline = cmdline.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let file = path.rsplit('/').next().unwrap_or(path).to_owned();
    LoadedAddon { file, cmdline, microcode: addon.microcode }
}

/// PCR 7, when the medium enrols keys that let the whole chain in.
fn secure_boot(chain: &[&Inspected], keys: &KeyVariables) -> Option<Register> {
    if !enrolment::are_complete(keys) {
        return None;
    }
    let authorities: Vec<_> = chain.iter().map(|one| keys.authority(&one.signers)).collect::<Option<_>>()?;
    Some(secure_boot_policy(keys, &authorities))
}
