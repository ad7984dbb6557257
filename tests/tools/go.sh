#!/bin/sh
# Builds the container tools that no package of this Debian brings into a directory: crane, oras, and the conformance suite
# of the OCI distribution specification. Nothing is installed.
#
#   tests/tools/go.sh DIR
#
# Needs a Go compiler; where there is none, or an old one, the one that PyPI has is used for this alone.
set -eu
# shellcheck source=tests/tools/compiler.sh
. "$(dirname "$0")/compiler.sh"
mkdir -p "$1"
into=$(cd "$1" && pwd)

CRANE=github.com/google/go-containerregistry/cmd/crane@v0.20.3
ORAS=oras.land/oras/cmd/oras@v1.3.0
CONFORMANCE=github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111

missing=
for tool in $CRANE $ORAS $CONFORMANCE; do
  name=${tool%@*} name=${name##*/}
  [ "$(cat "$into/.$name.version" 2>/dev/null || true)" = "$tool" ] && [ -x "$into/$name" ] || missing="$missing $tool"
done
[ -n "$missing" ] || exit 0

work=$(mktemp -d)
# Go makes what it downloads read-only.
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

find_go
for tool in $missing; do
  name=${tool%@*} name=${name##*/}
  echo "building $tool" >&2
  GOBIN=$work/bin GOPATH=$work/path GOCACHE=$work/cache GOTOOLCHAIN=local GOFLAGS=-trimpath "$go" install "$tool" >&2
  mv "$work/bin/$name" "$into/$name"
  echo "$tool" > "$into/.$name.version"
done
