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

# Read by private_apt: nobody waits long for what can be done without.
export APT_RETRIES=0 APT_TIMEOUT=10
(unpack_packages "grub-efi-arm64-bin:arm64/$SUITES") || {
  say "cannot fetch Debian's grub-efi-arm64-bin: GRUB ISOs for arm64 cannot be made, everything else can"
  exit 0
}
mkdir -p "$into"
rm -rf "$into/arm64-efi.new"
cp -R "$work/unpacked/usr/lib/grub/arm64-efi" "$into/arm64-efi.new"
mv "$into/arm64-efi.new" "$into/arm64-efi"
