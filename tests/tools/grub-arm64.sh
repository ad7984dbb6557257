#!/bin/sh
# Puts GRUB's modules for arm64 into a directory, where this machine has none: Debian has them in a package for arm64
# machines alone, but grub-mkimage of any machine makes images of them. Nothing is installed, and dpkg is told of no
# other architecture. Without a network the rest works: this says what will not, and succeeds.
#
#   tests/tools/grub-arm64.sh DIR
set -eu
cd "$(dirname "$0")/../.."

into=$1
if [ -f "$into/arm64-efi/moddep.lst" ] || [ -f /usr/lib/grub/arm64-efi/moddep.lst ]; then exit 0; fi

say() { echo "$*" >&2; }
die() { say "$*"; exit 1; }
# shellcheck source=tests/reference/packages.sh
. tests/reference/packages.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Modules and grub-mkimage must be of one version: the release is this machine's own, as far as it is one we know.
case $(. /etc/os-release && echo "${VERSION_CODENAME:-}") in
  "$EFI_SUITE") SUITES=$EFI_SUITE ;;
  *) SUITES=$KERNEL_SUITE ;;
esac

fetch() {
  private_apt
  echo 'Acquire::Retries "0"; Acquire::http::Timeout "10";' >> "$apt/apt.conf"
  mirror=$(host_mirror || true)
  say "fetching GRUB's modules for arm64 from ${mirror:-$FALLBACK_MIRROR}"
  update_from "${mirror:-$FALLBACK_MIRROR}" || update_from "$FALLBACK_MIRROR" || return 1
  (cd "$work" && apt_private apt-get download -qq "grub-efi-arm64-bin:arm64/$SUITES" >&2) || return 1
  dpkg-deb -x "$work"/grub-efi-arm64-bin*.deb "$work/unpacked"
}

fetch || {
  say "cannot fetch Debian's grub-efi-arm64-bin: GRUB ISOs for arm64 cannot be made, everything else can"
  exit 0
}
mkdir -p "$into"
rm -rf "$into/arm64-efi.new"
cp -R "$work/unpacked/usr/lib/grub/arm64-efi" "$into/arm64-efi.new"
mv "$into/arm64-efi.new" "$into/arm64-efi"
