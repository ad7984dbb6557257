//! Signed images of the raw inputs, made with ukify, systemd-measure and sbsign.

use std::{
    fs,
    path::{Path, PathBuf},
};

use schematics::Arch;
use serde_json::Value;
use tests::{Failure, pair::KeyPair, reference::Inputs, tool};

/// The version of the release the images carry.
const VERSION: &str = "v1.13.0";
/// The phases Talos signs for, as systemd-measure wants them: the value of PCR 11 after all three.
const PHASES: &str = "enter-initrd:leave-initrd:enter-machined";
/// The program of add-ons and profiles, which does nothing.
const ADDON_STUB: &str = "addonx64.efi.stub";
/// What every command line begins with.
const CMDLINE: &str = "console=tty0 panic=-1 no_timer_check";
/// The profile every image has.
const MAIN: &str = "ID=main";
/// The profile an image may have besides, and the last word of its command line.
pub(crate) const SECOND: &str = "second";
const SECOND_ID: &str = "ID=second";

/// What an image is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe<'a> {
    pub(crate) arch: Arch,
    /// A word of the command line that tells images apart.
    pub(crate) word: &'a str,
    /// Who signs for the firmware.
    pub(crate) secure: Option<&'a KeyPair>,
    /// Whose public key is in the image, and who signs the policies of PCR 11.
    pub(crate) pcr: Option<&'a KeyPair>,
    /// Whether there is a second profile. ukify packs no signatures for it, so the stub hands out those of the first.
    pub(crate) second: bool,
}

impl<'a> Recipe<'a> {
    /// An image for amd64 that nobody signs.
    pub(crate) const fn unsigned(word: &'a str) -> Self {
        Self { arch: Arch::Amd64, word, secure: None, pcr: None, second: false }
    }
}

/// One profile of an image.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Its policy signatures, if any.
    pub(crate) signatures: Option<PathBuf>,
    /// What `systemd-measure calculate --json` says of it.
    predicted: Value,
}

/// A finished image.
#[derive(Debug)]
pub(crate) struct Uki {
    pub(crate) path: PathBuf,
    pub(crate) main: Profile,
    pub(crate) second: Option<Profile>,
}

impl Profile {
    /// PCR 11 after the last phase, as hex.
    pub(crate) fn predicted(&self, bank: &str) -> &str {
        self.predicted[bank][0]["hash"].as_str().unwrap()
    }
}

/// Signs an image for the firmware.
pub(crate) fn sign(pair: &KeyPair, image: &Path, signed: &Path) -> Result<(), Failure> {
    let options = ["--key".as_ref(), pair.key.as_os_str(), "--cert".as_ref(), pair.certificate.as_os_str()];
    let files = ["--output".as_ref(), signed.as_os_str(), image.as_os_str()];
    tool::run("sbsign", "sbsigntool", options.into_iter().chain(files)).map(drop)
}

/// Where images are made, and of what.
pub(crate) struct Forge {
    inputs: Inputs,
    dir: PathBuf,
}

impl Forge {
    pub(crate) fn new(dir: &Path) -> Result<Self, Failure> {
        Ok(Self { inputs: Inputs::find()?, dir: dir.to_owned() })
    }

    /// Makes an image; policy signatures other than its own may be put into it.
    pub(crate) fn build(&self, recipe: &Recipe<'_>, foreign: Option<&Path>) -> Result<Uki, Failure> {
        let dir = self.dir.join(recipe.word);
        fs::create_dir_all(&dir).map_err(Failure::io("create", &dir))?;
        // With a second profile ukify packs other sections, so the draft has it as well.
        let part = recipe.second.then(|| second_part(recipe, &dir)).transpose()?;
        let joined = part.map(|part| ("join-profile", text(&part)));
        let draft = dir.join("draft.efi");
        pack(self.options(recipe, &draft).into_iter().chain(joined.clone()))?;
        let common = self.common_sections(recipe, &draft, &dir)?;
        let main = self.profile(recipe, &common, (MAIN, &cmdline(recipe)), foreign)?;
        let second = || self.profile(recipe, &common, (SECOND_ID, &second_cmdline(recipe)), None);
        let second = recipe.second.then(second).transpose()?;
        let path = dir.join("uki.efi");
        let signatures = main.signatures.as_ref().map(|path| ("section", format!(".pcrsig:@{}", text(path))));
        pack(self.options(recipe, &path).into_iter().chain(signatures).chain(joined))?;
        if let Some(pair) = recipe.secure {
            sign(pair, &path, &path)?;
        }
        Ok(Uki { path, main, second })
    }

    /// An add-on that brings one more word for the command line; signed or not.
    pub(crate) fn addon(&self, word: &str, pair: Option<&KeyPair>) -> Result<PathBuf, Failure> {
        let path = self.dir.join(format!("{word}.addon.efi"));
        let stub = tool::made(ADDON_STUB)?;
        pack([("cmdline", word.to_owned()), ("stub", text(&stub)), ("output", text(&path))])?;
        if let Some(pair) = pair {
            sign(pair, &path, &path)?;
        }
        Ok(path)
    }

    /// systemd-boot, signed.
    pub(crate) fn boot_loader(&self, arch: Arch, pair: &KeyPair) -> Result<PathBuf, Failure> {
        let path = self.dir.join("loader.efi");
        sign(pair, &self.inputs.boot_loader(VERSION, arch), &path)?;
        Ok(path)
    }

    /// Predicts and signs a profile, given as the content of `.profile` and the command line.
    fn profile(
        &self,
        recipe: &Recipe<'_>,
        common: &[String],
        (id, cmdline): (&str, &str),
        foreign: Option<&Path>,
    ) -> Result<Profile, Failure> {
        let dir = self.dir.join(recipe.word).join(id);
        fs::create_dir_all(&dir).map_err(Failure::io("create", &dir))?;
        let mut options = common.to_vec();
        for (name, content) in [("profile", id), ("cmdline", cmdline)] {
            let file = dir.join(name);
            fs::write(&file, content).map_err(Failure::io("write", &file))?;
            options.push(format!("--{name}={}", file.display()));
        }
        let predicted = serde_json::from_slice(&measure("calculate", &options)?).unwrap();
        let own = match (foreign, recipe.pcr) {
            (None, Some(pair)) => {
                options.push(format!("--private-key={}", pair.key.display()));
                options.push(format!("--public-key={}", pair.public.display()));
                let path = dir.join("signatures.json");
                fs::write(&path, measure("sign", &options)?).map_err(Failure::io("write", &path))?;
                Some(path)
            }
            _ => None,
        };
        Ok(Profile { signatures: foreign.map(Path::to_owned).or(own), predicted })
    }

    fn options(&self, recipe: &Recipe<'_>, output: &Path) -> Vec<(&'static str, String)> {
        let mut given = vec![
            ("profile", MAIN.to_owned()),
            ("linux", text(&self.inputs.kernel(VERSION, recipe.arch))),
            ("initrd", text(&self.inputs.initramfs(VERSION, recipe.arch))),
            ("stub", text(&self.inputs.stub(VERSION, recipe.arch))),
            ("os-release", format!("ID=reference\nNAME=Reference\nVERSION_ID={}\n", recipe.word)),
            ("cmdline", cmdline(recipe)),
            ("output", text(output)),
        ];
        given.extend(recipe.pcr.map(|pair| ("pcrpkey", text(&pair.public))));
        given
    }

    /// What all profiles have, as options of systemd-measure; what ukify makes itself is read back from the image.
    fn common_sections(&self, recipe: &Recipe<'_>, image: &Path, dir: &Path) -> Result<Vec<String>, Failure> {
        let mut options = vec![
            format!("--linux={}", self.inputs.kernel(VERSION, recipe.arch).display()),
            format!("--initrd={}", self.inputs.initramfs(VERSION, recipe.arch).display()),
        ];
        for name in ["osrel", "uname", "sbat", "pcrpkey"] {
            let file = dir.join(name);
            let section = format!("--section=.{name}:binary@{}", file.display());
            ukify(["inspect".to_owned(), text(image), section])?;
            // A section that is not there leaves no file.
            options.extend(file.exists().then(|| format!("--{name}={}", file.display())));
        }
        Ok(options)
    }
}

/// The second profile as ukify wants it: a program of its own.
fn second_part(recipe: &Recipe<'_>, dir: &Path) -> Result<PathBuf, Failure> {
    let path = dir.join("second.efi");
    let stub = text(&tool::made(ADDON_STUB)?);
    let profile = [("profile", SECOND_ID.to_owned()), ("cmdline", second_cmdline(recipe))];
    pack(profile.into_iter().chain([("stub", stub), ("output", text(&path))]))?;
    Ok(path)
}

fn second_cmdline(recipe: &Recipe<'_>) -> String {
    format!("{} {SECOND}", cmdline(recipe))
}

fn cmdline(recipe: &Recipe<'_>) -> String {
    format!("{CMDLINE} {}", recipe.word)
}

/// Runs `ukify build` with options and their values.
fn pack(options: impl IntoIterator<Item = (&'static str, String)>) -> Result<(), Failure> {
    let options = options.into_iter().map(|(name, value)| format!("--{name}={value}"));
    ukify(["build".to_owned()].into_iter().chain(options))
}

fn ukify(args: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    tool::run("ukify", "systemd-ukify, of Debian 13 or newer", args).map(drop)
}

fn measure(verb: &str, options: &[String]) -> Result<Vec<u8>, Failure> {
    let mut args = vec![verb.to_owned(), format!("--phase={PHASES}"), "--json=short".to_owned()];
    args.extend(super::BANKS.iter().map(|bank| format!("--bank={bank}")));
    tool::run("systemd-measure", "systemd, of Debian 13", args.iter().chain(options))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
