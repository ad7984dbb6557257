#!/bin/sh
# Puts the programs of virt-firmware, which read and write UEFI variables, into a directory, in a Python environment of
# their own.
#
#   tests/tools/virt-firmware.sh DIR
set -eu
cd "$(dirname "$0")/../.."

VERSION=26.10
PROGRAMS="virt-fw-vars virt-fw-sigdb virt-fw-measure pe-inspect"

into=$1
found=yes
for program in $PROGRAMS; do
  [ -x "$into/$program" ] || found=no
done
[ "$found" = no ] || exit 0

echo "fetching virt-firmware $VERSION from PyPI" >&2
mkdir -p "$into"
rm -rf "$into/virt-firmware"
python3 -m venv "$into/virt-firmware"
"$into/virt-firmware/bin/pip" install --quiet --disable-pip-version-check "virt-firmware==$VERSION" >&2
for program in $PROGRAMS; do
  ln -sf "virt-firmware/bin/$program" "$into/$program"
done
