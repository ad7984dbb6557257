#!/bin/sh
# Makes the reference release below LAYOUT, an OCI image layout, once.
#
#   tests/reference/make.sh LAYOUT FACTORY
#
# LAYOUT/inputs holds what inputs.sh makes; LAYOUT/cosign.key and cosign.pub are the key pair its images are signed with.
# A finished LAYOUT carries a stamp of the inputs and of the code that publishes; while it matches, a call does nothing.
set -eu
export LC_ALL=C
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[ $# -eq 2 ] || { echo "usage: $0 LAYOUT FACTORY" >&2; exit 2; }
mkdir -p "$1"
layout=$(cd "$1" && pwd)
factory=$2
inputs=$layout/inputs
key=$layout/cosign.key

say() { echo "reference: $*" >&2; }

# One at a time: who waits finds everything made.
exec 9> "$layout/.lock"
flock 9

"$here/inputs.sh" "$inputs"

# Kept for as long as the directory is: clients are configured with the public half.
if [ ! -s "$key" ] || [ ! -s "$layout/cosign.pub" ]; then
  (umask 077 && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key" 2>/dev/null)
  openssl pkey -in "$key" -pubout -out "$layout/cosign.pub"
fi

# What decides the bytes of the layout, besides the inputs: the code that packs and publishes, and its libraries.
recipe() {
  cat "$inputs/.stamp" "$layout/cosign.pub" "$here/make.sh" "$root/Cargo.lock"
  find "$root/factory/src/release.rs" "$root/factory/src/release" "$root/extensions/src/publish.rs" \
    "$root/extensions/src/publish" "$root/signing/src/cosign.rs" -type f ! -name tests.rs | sort | xargs cat
}
digest=$(recipe | sha256sum | cut -d' ' -f1)
stamp=$layout/.stamp
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ]; then
  say "$layout is up to date"
  exit 0
fi

rm -rf "$stamp" "$layout/blobs" "$layout/index.json" "$layout/oci-layout"
for release in "$inputs"/releases/*; do
  version=${release##*/}
  set -- --output "oci:$layout" --sign-key "$key" --talosctl "$inputs/talosctl/$version"
  for arch in amd64 arm64; do
    set -- "$@" --artifacts "$arch=$release/$arch" --installer-base "$arch=$inputs/installer-base/$arch"
  done
  for extension in "$inputs"/extensions/*; do
    set -- "$@" --extension "siderolabs/${extension##*/}=$extension"
  done
  for overlay in "$inputs"/overlays/*; do
    set -- "$@" --overlay "${overlay##*/}=$overlay"
  done
  say "publishing $version"
  "$factory" release "$version" "$@" >&2
done
echo "$digest" > "$stamp"
say "done: $layout"
