#!/bin/sh
# Makes the raw inputs of the reference release below OUTDIR, once.
#
#   tests/reference/inputs.sh OUTDIR
#
# Everything comes from Debian packages, which are fetched with a private apt and unpacked, not installed.
# A finished OUTDIR carries a stamp with the digest of these scripts; while it matches, a call does nothing.
set -eu
export LC_ALL=C
umask 022

here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: $0 OUTDIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)

# One time for every file we make: the outputs may not depend on when they were made.
EPOCH=1700000000
VERSIONS="v1.12.0 v1.13.0"
ARCHES="amd64 arm64"
export EPOCH

say() { echo "reference: $*" >&2; }
die() { echo "reference: $*" >&2; exit 1; }

. "$here/tools.sh"
. "$here/packages.sh"
. "$here/sbom.sh"
. "$here/kernel.sh"
. "$here/base.sh"
. "$here/extensions.sh"
. "$here/images.sh"

digest=$(find "$here" -type f ! -name README.md ! -name make.sh | sort | xargs sha256sum | sed "s, $here/, ," | sha256sum | cut -d' ' -f1)
stamp=$out/.stamp
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ]; then
  say "$out is up to date"
  exit 0
fi

need_tools
work=$out/.work
rm -rf "$stamp" "$work/trees" "$out/releases" "$out/extensions" "$out/overlays" "$out/installer-base" "$out/talosctl"
mkdir -p "$work/trees"

fetch_packages
for arch in $ARCHES; do
  find_kernel "$arch"
  make_module_tree "$arch"
  for version in $VERSIONS; do
    say "$version $arch: base files"
    make_release "$version" "$arch"
  done
  say "$arch: extensions, overlay, installer base"
  make_extensions "$arch"
  make_overlay "$arch"
  make_installer_base "$arch"
done
for version in $VERSIONS; do make_talosctl "$version"; done

find "$out/extensions" "$out/overlays" "$out/installer-base" "$out/talosctl" -exec touch -h -d "@$EPOCH" {} +
rm -rf "$work" # packages and trees: large, and fetched again when the scripts change
echo "$digest" > "$stamp"
say "done: $out"
