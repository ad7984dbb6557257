#!/bin/sh
# Puts shim, a boot loader that Microsoft signed, into a directory, from Debian trixie: what firmware in the field believes
# must be believed here, too. Nothing is installed.
#
#   tests/tools/shim.sh DIR
set -eu
cd "$(dirname "$0")/../.."

into=$1
if [ -f "$into/shim.efi.signed" ]; then exit 0; fi

say() { echo "$*" >&2; }
die() { say "$*"; exit 1; }
# shellcheck source=tests/reference/packages.sh
. tests/reference/packages.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack_packages "shim-signed:amd64/$EFI_SUITE"
mkdir -p "$into"
cp "$work/unpacked/usr/lib/shim/shimx64.efi.signed" "$into/shim.efi.new"
mv "$into/shim.efi.new" "$into/shim.efi.signed"
