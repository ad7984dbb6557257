#!/bin/sh
# Puts what the tests of signers talk to into a directory: moto, which has AWS KMS, and Google's gRPC library in a Python
# environment of their own, and Vault's transit engine as a program, built with Go.
#
#   tests/tools/signers.sh DIR
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/tools/compiler.sh
. tests/tools/compiler.sh

PACKAGES="moto==5.2.5 flask==3.1.3 flask-cors==6.0.5 boto3==1.44.8 grpcio==1.85.3 cryptography==50.0.2"

mkdir -p "$1"
into=$(cd "$1" && pwd)
if ! "$into/signers/bin/python" -c 'import moto, flask, flask_cors, boto3, grpc, cryptography' 2>/dev/null; then
  echo "fetching moto and grpcio from PyPI" >&2
  rm -rf "$into/signers"
  python3 -m venv "$into/signers"
  # shellcheck disable=SC2086 # names of packages, one word each
  "$into/signers/bin/pip" install --quiet --disable-pip-version-check $PACKAGES >&2
fi

if [ ! -x "$into/vault-transit" ]; then
  work=$(mktemp -d)
  # Go makes what it downloads read-only.
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  find_go
  echo "building Vault's transit engine" >&2
  (
    cd tests/signers/servers/vault
    GOPATH=$work/path GOCACHE=$work/cache GOTOOLCHAIN=local "$go" build -trimpath -ldflags '-s -w' -o "$into/vault-transit" .
  )
fi
