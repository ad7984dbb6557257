#!/bin/sh
# Puts cosign 2 into a directory, from Debian trixie where this Debian has none: it judges what we sign. Nothing is
# installed.
#
#   tests/tools/cosign.sh DIR
set -eu
cd "$(dirname "$0")/../.."

into=$1
if [ -x "$into/cosign" ] || command -v cosign >/dev/null 2>&1; then exit 0; fi

say() { echo "$*" >&2; }
die() { say "$*"; exit 1; }
# shellcheck source=tests/reference/packages.sh
. tests/reference/packages.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack_packages "cosign/trixie"
mkdir -p "$into"
cp "$work/unpacked/usr/bin/cosign" "$into/cosign.new"
chmod 755 "$into/cosign.new"
mv "$into/cosign.new" "$into/cosign"
