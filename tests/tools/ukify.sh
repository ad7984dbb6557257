#!/bin/sh
# Puts systemd's ukify into a directory, from Debian trixie where this Debian has none: it reads what a unified kernel
# image consists of. Nothing is installed. It runs on Debian's own python3 with python3-pefile.
#
#   tests/tools/ukify.sh DIR
set -eu
cd "$(dirname "$0")/../.."

into=$1
if [ -x "$into/ukify" ] || command -v ukify >/dev/null 2>&1; then exit 0; fi

say() { echo "$*" >&2; }
die() { say "$*"; exit 1; }
# shellcheck source=tests/reference/packages.sh
. tests/reference/packages.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack_packages "systemd-ukify/$EFI_SUITE"
mkdir -p "$into"
program=$work/unpacked/usr/lib/systemd/ukify
[ -f "$program" ] && [ ! -L "$program" ] || program=$work/unpacked/usr/bin/ukify
sed '1s|^#!.*|#!/usr/bin/python3|' "$program" > "$into/ukify.new"
chmod 755 "$into/ukify.new"
mv "$into/ukify.new" "$into/ukify"
