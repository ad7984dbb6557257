//! What a guest must report about an image of [`SCHEMATIC`].

use schematics::Arch;
use serde_json::{Value, json};
use tests::qemu::Boot;

/// The version most boots use.
pub(crate) const VERSION: &str = "v1.13.0";

/// A plain extension, one with kernel modules, one with firmware and one with microcode; an embedded configuration; META;
/// added kernel arguments, and one removed. Two of the arguments keep emulated machines on the right path.
pub(crate) const SCHEMATIC: &str = r#"customization:
  extraKernelArgs: [no_timer_check, panic=-1, -selinux]
  meta:
    - key: 0xa
      value: "network: from meta"
    - key: 12
      value: "a;b"
  systemExtensions:
    officialExtensions:
      - siderolabs/wireguard
      - siderolabs/hello
      - siderolabs/linux-free
      - siderolabs/amd-ucode
  embeddedMachineConfiguration: |
    # "quoted" \ and ünusual: {{ text }}
    machine:
        type: worker
"#;

/// The configuration in it, without its last line feed: the guest reads it as the shell does.
const CONFIG: &str = "# \"quoted\" \\ and ünusual: {{ text }}\nmachine:\n    type: worker";
const META: &str = "talos.environment=INSTALLER_META_BASE64=MHhhPW5ldHdvcms6IGZyb20gbWV0YTsweGM9YTti";

/// How an image is started; each way has a command line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// An ISO by its GRUB.
    IsoByGrub,
    /// An ISO by its systemd-boot.
    IsoByStub,
    /// The unified kernel image alone.
    Uki,
    /// Kernel and initramfs by iPXE.
    Pxe,
}

/// An image of [`SCHEMATIC`] and the way it is started.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) version: &'static str,
    pub(crate) arch: Arch,
    pub(crate) firmware: &'static str,
    pub(crate) way: Way,
    pub(crate) schematic: String,
}

impl Expected {
    /// What the guest must see as its command line, written out as the original would.
    fn cmdline(&self) -> String {
        let console = if self.arch == Arch::Arm64 { "console=ttyAMA0 console=tty0" } else { "console=tty0" };
        let mut words = vec!["talos.platform=metal", console];
        if matches!(self.way, Way::IsoByGrub | Way::IsoByStub) {
            words.push("talos.halt_if_installed=1");
        }
        words.extend(["init_on_alloc=1", "slab_nomerge", "pti=on", "consoleblank=0"]);
        words.extend(["nvme_core.io_timeout=4294967295", "printk.devkmsg=on", "module.sig_enforce=1"]);
        if self.version != "v1.12.0" {
            words.push("proc_mem.force_override=never");
        }
        if self.way != Way::Uki {
            words.push(META);
        }
        words.extend(["no_timer_check", "panic=-1"]);
        if self.way == Way::IsoByGrub {
            words.insert(0, "BOOT_IMAGE=/boot/vmlinuz");
        }
        words.join(" ")
    }

    fn facts(&self) -> Vec<(&'static str, Value)> {
        let meta = (self.way != Way::Uki).then(|| json!("0xa=network: from meta;0xc=a;b"));
        let layers =
            ["wireguard", "hello", "linux-free", "amd-ucode", "schematic", "embedded-config", "modules.dep"];
        let stack =
            ["modules.dep", "5", "4", "3", "2", "1", "0", "base"].map(|name| format!("/layers/{name}"));
        vec![
            ("/version", json!(self.version)),
            ("/arch", json!(self.arch.to_string())),
            ("/boot", json!(self.firmware)),
            ("/cmdline", json!(self.cmdline())),
            ("/layers", json!(layers)),
            ("/stack", json!(stack.join(":"))),
            ("/schematic", json!(self.schematic)),
            ("/programs", json!({"/usr/local/bin/hello": "hello from the plain extension"})),
            ("/modules/wireguard", json!({"loaded": true, "error": ""})),
            ("/config/text", json!(CONFIG)),
            ("/config/mode", json!("400 0:0")),
            ("/meta/raw", json!(meta)),
        ]
    }

    /// Everything about these facts that is not as it must be.
    fn complaints(&self, facts: &Value) -> Vec<String> {
        let seen = |pointer: &str| facts.pointer(pointer).unwrap_or(&Value::Null);
        let differs = |(pointer, wanted): (&str, Value)| {
            (*seen(pointer) != wanted).then(|| format!("{pointer} is {}, not {wanted}", seen(pointer)))
        };
        let mut all: Vec<String> = self.facts().into_iter().filter_map(differs).collect();
        let items = |pointer: &str| seen(pointer).as_array().cloned().unwrap_or_default();
        if !items("/firmware").contains(&json!("isci/isci_firmware.bin")) {
            all.push(format!("the firmware of linux-free is not in {}", seen("/firmware")));
        }
        // Only what lies in front of everything compressed, and is not compressed itself, gets to this place.
        let early = items("/early");
        let microcode = |item: &Value| {
            item.as_str().is_some_and(|text| text.ends_with("  /kernel/x86/microcode/AuthenticAMD.bin"))
        };
        if early.len() != 1 || !early.iter().all(microcode) {
            all.push(format!("the early archive has {}, not AMD's microcode", seen("/early")));
        }
        all
    }

    /// Fails the test when the guest did not report this.
    pub(crate) fn check(&self, boot: &Boot) {
        println!("{self:?}: {:.1} s", boot.took.as_secs_f64());
        let complaints = self.complaints(&boot.facts);
        assert!(complaints.is_empty(), "{self:?}:\n{}\n{}", complaints.join("\n"), boot.facts);
    }
}

/// Each fact that is checked, changed: a check nothing fails is none.
#[test]
fn every_fact_counts() {
    let expected = Expected {
        version: VERSION,
        arch: Arch::Amd64,
        firmware: "uefi",
        way: Way::Pxe,
        schematic: "0123".to_owned(),
    };
    let mut facts = json!({
        "modules": {}, "config": {}, "meta": {},
        "firmware": ["isci/isci_firmware.bin"],
        "early": ["00  /kernel/x86/microcode/AuthenticAMD.bin"],
    });
    for (pointer, value) in expected.facts() {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        facts.pointer_mut(parent).unwrap()[member] = value;
    }
    assert_eq!(expected.complaints(&facts), Vec::<String>::new());
    let pointers: Vec<&str> = expected.facts().into_iter().map(|(pointer, _)| pointer).collect();
    for pointer in pointers.into_iter().chain(["/firmware", "/early"]) {
        for other in [Value::Null, json!(["other"]), json!("other")] {
            let mut changed = facts.clone();
            *changed.pointer_mut(pointer).unwrap() = other;
            assert_eq!(expected.complaints(&changed).len(), 1, "{pointer}");
        }
    }
}
