//! A signed kernel image, a boot loader and an add-on, all of them small, and media they lie on.

use std::path::PathBuf;
use std::sync::Arc;

use builder::format::fat::{self, FatOptions};
use builder::format::pe::{self, Section, SectionName};
use builder::image::VirtualImage;
use builder::measure::{BankDigests, Meter, Prediction};
use builder::recipe::addon::{self, AddonInputs};
use builder::recipe::iso::{self, Enroll, IsoInputs, IsoLayout};
use builder::sign::sign_program;
use builder::store::{BlobStore, MemoryStore};
use builder::tree::Tree;
use schematics::Arch;
use signing::auth::Variable;
use signing::certificate::{Terms, self_signed};
use signing::enrolment::Enrolment;
use signing::{Certificate, HashAlgorithm, PcrSignatures, RsaKey, Signer as _};
use tempfile::TempDir;

/// What systemd's programs say of themselves.
const MAGIC: &str = "#### LoaderInfo: systemd-boot 257 ####";

pub(super) struct Fixture {
    pub(super) dir: TempDir,
    pub(super) store: Arc<dyn BlobStore>,
    pub(super) key: RsaKey,
    pub(super) certificate: Certificate,
    pub(super) enrolment: Enrolment,
    pub(super) uki: VirtualImage,
    pub(super) addon: VirtualImage,
    pub(super) boot_loader: VirtualImage,
}

pub(super) fn addon_inputs() -> AddonInputs<'static> {
    let cmdline = "talos.hostname=a";
    AddonInputs { arch: Arch::Amd64, cmdline, microcode: None, kernel_release: None, timestamp: 0 }
}

/// The shared sections of the kernel image, and those of its second profile.
pub(super) fn shared() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (".osrel", b"ID=talos\nVERSION_ID=v1\n".to_vec()),
        (".cmdline", b"console=ttyS0".to_vec()),
        (".uname", b"6.12.1-talos".to_vec()),
        (".linux", (0..50_000_u32).flat_map(u32::to_le_bytes).collect()),
        (".initrd", vec![7; 3001]),
    ]
}

/// The program of an add-on with other sections in place of its own: a stub for anything.
async fn program(store: &Arc<dyn BlobStore>, sections: &[(&str, Vec<u8>)]) -> VirtualImage {
    let base = addon::lay_out(&AddonInputs { cmdline: "x", ..addon_inputs() }).unwrap();
    let base = base.read_all(store, 1 << 20).await.unwrap();
    // Its `.cmdline` is its last section: without it, it is a program with code and SBAT.
    let mut base = base.to_vec();
    base[0x80 + 6] = 2;
    base[0x80 + 24 + 240 + 2 * 40..0x80 + 24 + 240 + 3 * 40].fill(0);
    let section = |(name, content): &(&str, Vec<u8>)| Section {
        name: SectionName::new(name).unwrap(),
        content: VirtualImage::from_bytes(content.clone()),
    };
    let sections: Vec<Section> = sections.iter().map(section).collect();
    pe::append_sections(&VirtualImage::from_bytes(base.clone()), &base, &sections, 0).unwrap()
}

/// What the stub's own section holds, which is measured with the rest.
async fn sbat(store: &Arc<dyn BlobStore>) -> Vec<u8> {
    let image = program(store, &[]).await;
    let bytes = image.read_all(store, 1 << 20).await.unwrap();
    let sections = pe::sections(&bytes).unwrap();
    let sbat = sections.iter().find(|section| section.name.to_string() == ".sbat").unwrap();
    bytes.slice(usize::try_from(sbat.raw_offset).unwrap()..).slice(..sbat.virtual_size as usize).to_vec()
}

/// What PCR 11 will hold, computed from contents.
pub(super) async fn predict(store: &Arc<dyn BlobStore>, sections: &[(&str, Vec<u8>)]) -> Prediction {
    let sbat = (".sbat", sbat(store).await);
    let digests: Vec<_> = sections
        .iter()
        .chain([&sbat])
        .map(|(name, content)| (SectionName::new(name).unwrap(), BankDigests::of(content)))
        .collect();
    Prediction::of(&digests)
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        let key = RsaKey::generate(2048).unwrap();
        let (common_name, authority) = ("factory test", false);
        let terms = Terms { common_name, not_before: 1_700_000_000, not_after: 2_000_000_000, authority };
        let certificate = self_signed(&key, &terms).await.unwrap();

        let enrolment = Enrolment::sign(&key, &certificate, &[]).await.unwrap();
        let pcrpkey = (".pcrpkey", key.public_key().to_pem().into_bytes());
        let mut sections = shared();
        sections.push(pcrpkey.clone());
        let main = [(".profile", b"ID=main".to_vec())];
        let other = [
            (".profile", b"ID=reset\nTITLE=Reset it".to_vec()),
            (".cmdline", b"console=ttyS0 reset".to_vec()),
        ];
        for own in [&main[..], &other[..]] {
            let measured = [own, &shared(), std::slice::from_ref(&pcrpkey)].concat();
            let prediction = predict(&store, &measured).await;
            let values = HashAlgorithm::ALL.map(|bank| *prediction.value().get(bank));
            let signatures = PcrSignatures::sign(&key, &values).await.unwrap();
            sections.extend_from_slice(own);
            sections.push((".pcrsig", signatures.to_json().into_bytes()));
        }
        let uki = program(&store, &sections).await;
        let boot_loader = program(&store, &[(".sdmagic", MAGIC.into())]).await;
        let addon = addon::lay_out(&addon_inputs()).unwrap();
        let sign = async |image| sign_program(&image, &key, &certificate, &store).await.unwrap();
        let (uki, boot_loader, addon) = (sign(uki).await, sign(boot_loader).await, sign(addon).await);
        Self {
            dir: tempfile::tempdir().unwrap(),
            store,
            key,
            certificate,
            enrolment,
            uki,
            addon,
            boot_loader,
        }
    }

    pub(super) async fn bytes(&self, image: &VirtualImage) -> Vec<u8> {
        image.read_all(&self.store, 1 << 30).await.unwrap().to_vec()
    }

    pub(super) fn save(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.dir.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The Authenticode digests of a program, by the way images are signed.
    pub(super) async fn authenticode(&self, image: &VirtualImage) -> BankDigests {
        let head = self.bytes(&image.part(0..pe::HEAD)).await;
        let signed = pe::signed_bytes(image, &head).unwrap();
        Meter::new(Arc::clone(&self.store)).digests(&signed).await.unwrap()
    }

    /// The keys systemd-boot enrols.
    pub(super) fn keys(&self) -> Tree {
        let mut tree = Tree::default();
        for variable in Variable::ALL {
            let file = VirtualImage::from_bytes(self.enrolment.auth(variable).to_vec());
            tree.insert_file(&format!("loader/keys/auto/{variable}.auth"), 0o644, file).unwrap();
        }
        tree
    }

    /// A file system with the boot loader, the image and an add-on for it, and an add-on for all.
    pub(super) async fn file_system(&self) -> Vec<u8> {
        let mut tree = self.keys();
        let mut put =
            |path: &str, image: &VirtualImage| tree.insert_file(path, 0o644, image.clone()).unwrap();
        put("EFI/BOOT/BOOTX64.EFI", &self.boot_loader);
        put("EFI/Linux/Talos-v1.efi", &self.uki);
        put("EFI/Linux/Talos-v1.efi.extra.d/own.addon.efi", &self.addon);
        put("loader/addons/all.addon.efi", &self.addon);
        put("loader/addons/readme.txt", &VirtualImage::from_bytes("not a program"));
        let options = FatOptions { label: "EFI", size: fat::MIN_SIZE_16, volume_id: 1, time: 0 };
        self.bytes(&fat::lay_out(&tree, &options).unwrap()).await
    }

    /// An ISO as the factory makes them.
    pub(super) async fn iso(&self) -> Vec<u8> {
        let keys = self.keys();
        let (kernel, initramfs) = (VirtualImage::default(), VirtualImage::default());
        let inputs = IsoInputs {
            version: &"v1.13.0".parse().unwrap(),
            arch: Arch::Amd64,
            cmdline: "",
            kernel: &kernel,
            initramfs: &initramfs,
            uki: Some(&self.uki),
            sd_boot: Some(&self.boot_loader),
            grub: None,
            epoch: 0,
            enroll: Enroll::IfSafe,
            extra_esp: &keys,
        };
        self.bytes(&iso::lay_out(IsoLayout::UefiOnly, &inputs).unwrap()).await
    }
}
