//! The table of platforms.

use std::fmt;

/// A platform Talos runs on; only rows of the table exist as values.
#[derive(Clone, Copy)]
pub struct Platform(&'static Row);

/// Why a name is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PlatformError {
    name: String,
    nearest: Option<&'static str>,
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no platform `{}`", self.name)?;
        self.nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean `{nearest}`?"))
    }
}

/// Consoles and arguments a platform adds to the kernel command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arguments {
    /// Fixed arguments, the same for every architecture and version.
    Fixed(&'static [&'static str]),
    /// Bare metal: the consoles depend on architecture and version.
    Metal,
    /// Equinix Metal: the serial port depends on the architecture.
    EquinixMetal,
    /// VMware: console and early console depend on the architecture.
    Vmware,
    /// AWS: cloud consoles, and from 1.14 the NVMe time-out.
    Aws,
}

struct Row {
    name: &'static str,
    arguments: Arguments,
    disk: Option<Disk>,
    iso: bool,
    pxe: bool,
    secure_boot: bool,
}

/// The disk image a platform imports best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What follows `<platform>-<arch>` in the asset name.
    pub suffix: &'static str,
    /// Size of the raw disk in MiB, before the boot partitions are added.
    pub mebibytes: u64,
}

const MINIMUM: u64 = 1246;
const DEFAULT: u64 = 8192;
const CLOUD: Arguments = Arguments::Fixed(&["console=tty1", "console=ttyS0", "net.ifnames=0"]);
const SERIAL_FIRST: Arguments =
    Arguments::Fixed(&["console=ttyS0", "console=tty0", "console=tty1", "net.ifnames=0"]);
const NO_CONSOLE: Arguments = Arguments::Fixed(&["net.ifnames=0"]);
const NO_DASHBOARD: Arguments =
    Arguments::Fixed(&["console=tty1", "console=ttyS0", "net.ifnames=0", "talos.dashboard.disabled=1"]);
const AZURE: Arguments = Arguments::Fixed(&[
    "console=ttyS0,115200n8",
    "earlyprintk=ttyS0,115200",
    "rootdelay=300",
    "net.ifnames=0",
    "talos.dashboard.disabled=1",
    "sysctl.kernel.kexec_load_disabled=1",
]);
const GCP: Arguments = Arguments::Fixed(&[
    "console=ttyS0",
    "net.ifnames=0",
    "talos.dashboard.disabled=1",
    "sysctl.kernel.kexec_load_disabled=1",
]);

const fn disk(suffix: &'static str, mebibytes: u64) -> Option<Disk> {
    Some(Disk { suffix, mebibytes })
}

const fn row(name: &'static str, arguments: Arguments, disk: Option<Disk>, media: [bool; 3]) -> Row {
    let [iso, pxe, secure_boot] = media;
    Row { name, arguments, disk, iso, pxe, secure_boot }
}

/// Name, kernel arguments, usual disk image, and whether ISO, PXE and SecureBoot are offered.
#[rustfmt::skip]
static ROWS: [Row; 20] = [
    row("metal", Arguments::Metal, disk(".raw.zst", MINIMUM), [true, true, true]),
    row("aws", Arguments::Aws, disk(".raw.xz", DEFAULT), [false, false, false]),
    row("gcp", GCP, disk(".raw.tar.gz", DEFAULT), [false, false, false]),
    row("equinixMetal", Arguments::EquinixMetal, None, [false, true, false]),
    row("azure", AZURE, disk(".vhd.xz", DEFAULT), [false, false, true]),
    row("digital-ocean", SERIAL_FIRST, disk(".raw.gz", DEFAULT), [false, false, false]),
    row("nocloud", CLOUD, disk(".raw.xz", MINIMUM), [true, true, true]),
    row("openstack", CLOUD, disk(".raw.xz", MINIMUM), [true, true, false]),
    row("vmware", Arguments::Vmware, disk(".ova", DEFAULT), [true, false, false]),
    row("akamai", SERIAL_FIRST, disk(".raw.gz", MINIMUM), [false, false, false]),
    row("cloudstack", CLOUD, disk(".raw.gz", DEFAULT), [false, false, true]),
    row("hcloud", CLOUD, disk(".raw.xz", MINIMUM), [false, false, false]),
    row("oracle", NO_DASHBOARD, disk(".qcow2", DEFAULT), [false, false, false]),
    row("upcloud", NO_CONSOLE, disk(".raw.xz", DEFAULT), [false, false, false]),
    row("vultr", NO_CONSOLE, disk(".raw.zst", DEFAULT), [true, true, false]),
    row("exoscale", CLOUD, disk(".qcow2", 10240), [false, false, false]),
    row("opennebula", CLOUD, disk(".raw.zst", MINIMUM), [true, false, false]),
    row("scaleway", NO_DASHBOARD, disk(".raw.zst", MINIMUM), [true, false, false]),
    row("alibabacloud", CLOUD, disk(".qcow2", MINIMUM), [false, false, false]),
    row("container", Arguments::Fixed(&[]), None, [false, false, false]),
];

/// Names of one platform that older clients still send.
const ALIASES: [(&str, &str); 1] = [("packet", "equinixMetal")];

impl Platform {
    /// All platforms, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(Self)
    }

    /// Bare metal.
    #[must_use]
    pub fn metal() -> Self {
        Self(&ROWS[0])
    }

    /// Finds a platform by its name (or by an old name of it).
    ///
    /// # Errors
    /// When there is none; the error names the nearest one.
    pub fn from_name(name: &str) -> Result<Self, PlatformError> {
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, known)| known);
        match ROWS.iter().find(|row| row.name == name) {
            Some(row) => Ok(Self(row)),
            None => Err(PlatformError { name: name.to_owned(), nearest: nearest(name) }),
        }
    }

    /// The name, as printed in URLs and in `talos.platform=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    pub(crate) const fn arguments(self) -> Arguments {
        self.0.arguments
    }

    /// The disk image it imports best, if it takes one.
    #[must_use]
    pub const fn disk(self) -> Option<Disk> {
        self.0.disk
    }

    /// Whether its users boot ISOs.
    #[must_use]
    pub const fn offers_iso(self) -> bool {
        self.0.iso
    }

    /// Whether its users boot over the network.
    #[must_use]
    pub const fn offers_pxe(self) -> bool {
        self.0.pxe
    }

    /// Whether SecureBoot is offered for it.
    #[must_use]
    pub const fn offers_secure_boot(self) -> bool {
        self.0.secure_boot
    }
}

/// The known name within two edits of `name`.
fn nearest(name: &str) -> Option<&'static str> {
    ROWS.iter().map(|row| (distance(name, row.name), row.name)).filter(|(d, _)| *d <= 2).min().map(|(_, n)| n)
}

/// Levenshtein distance, for names short enough to be a platform.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 32 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let substituted = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = substituted.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Platform({})", self.name())
    }
}

impl PartialEq for Platform {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Platform {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name() {
        for platform in Platform::all() {
            assert_eq!(Platform::from_name(platform.name()), Ok(platform));
        }
        assert_eq!(Platform::from_name("packet").unwrap().name(), "equinixMetal");
        assert_eq!(Platform::metal().name(), "metal");
    }

    #[test]
    fn a_name_that_is_almost_right_gets_a_hint() {
        let error = Platform::from_name("metl").unwrap_err();
        assert_eq!(error.to_string(), "there is no platform `metl`; did you mean `metal`?");
        // Two edits away still counts, three do not.
        let error = Platform::from_name("mtl").unwrap_err();
        assert_eq!(error.to_string(), "there is no platform `mtl`; did you mean `metal`?");
        for text in ["mainframe", "xxtxl", &"metal".repeat(7)] {
            let error = Platform::from_name(text).unwrap_err();
            assert_eq!(error.to_string(), format!("there is no platform `{text}`"));
        }
    }
}
