//! The checksums of a version's assets in one file.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use schematics::{Arch, AssetName, Blame, Blamed, Boot, Platform, TalosVersion, Target};

use super::{Checksum, CompanionError, Companions};
use crate::images::{OpenError, Wanted};
use crate::keys::KeySet;
use crate::register::Stored;

/// How many assets are looked at together.
const TOGETHER: usize = 2;

/// A list of checksums that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Sums<'a> {
    /// Which checksums.
    pub checksum: Checksum,
    /// Of which schematic.
    pub stored: &'a Stored,
    /// Of which version.
    pub version: &'a TalosVersion,
    /// For which platform.
    pub platform: Platform,
    /// The keys that sign for whom the request came to, if there are any.
    pub keys: Option<&'a Arc<KeySet>>,
}

impl Checksum {
    /// The list this is the name of.
    #[must_use]
    pub fn of_list(name: &str) -> Option<Self> {
        match name {
            "SHA256SUMS" => Some(Self::Sha256),
            "SHA512SUMS" => Some(Self::Sha512),
            _ => None,
        }
    }
}

impl Companions {
    /// The checksums of what the schematic can have in a version, for both architectures of one platform: kernel, initramfs,
    /// command line, unified kernel image, ISO and installer archive, and those with SecureBoot where there are keys for it.
    ///
    /// All of them are laid out, and read where that was not done before, so the first list takes seconds. It depends on
    /// nothing but what it is asked for: what the version or schematic cannot have, and what this factory cannot make, is
    /// left out.
    ///
    /// # Errors
    /// When something cannot be made that there should be, or there is nothing at all.
    pub async fn sums(&self, wanted: Sums<'_>) -> Result<Bytes, CompanionError> {
        let assets = listed(wanted.platform, wanted.keys.is_some());
        let lines = stream::iter(assets).map(|asset| self.sum(wanted, asset)).buffered(TOGETHER);
        let lines: Vec<Result<String, OpenError>> = lines.try_collect().await?;
        if let Some(Err(error)) = lines.first().filter(|_| lines.iter().all(Result::is_err)) {
            return Err(error.clone().into());
        }
        Ok(lines.into_iter().flatten().collect::<String>().into())
    }

    /// The line of an asset; inside, why there cannot be one.
    async fn sum(
        &self,
        sums: Sums<'_>,
        asset: AssetName,
    ) -> Result<Result<String, OpenError>, CompanionError> {
        let Sums { checksum, stored, version, keys, .. } = sums;
        match self.images.open(Wanted { stored, version, asset: &asset, keys }).await {
            Ok(image) => {
                let digests = self.contents.of(&image).await?;
                Ok(Ok(checksum.line(&digests, &asset.to_string())))
            }
            Err(error) if matches!(error.blame(), Blame::Caller | Blame::Missing | Blame::Unsupported) => {
                Ok(Err(error))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The assets in a list, in its order.
fn listed(platform: Platform, with_keys: bool) -> Vec<AssetName> {
    let mut assets = Vec::new();
    for arch in [Arch::Amd64, Arch::Arm64] {
        assets.extend([AssetName::Kernel(arch), AssetName::Initramfs(arch)]);
        for boot in if with_keys { &[Boot::Plain, Boot::Secure][..] } else { &[Boot::Plain] } {
            let target = Target { platform, arch, boot: *boot };
            assets.extend([
                AssetName::Cmdline(target),
                AssetName::Uki(target),
                AssetName::Iso(target),
                AssetName::Installer(target),
            ]);
        }
    }
    assets
}
