#!/bin/sh
# Puts into a directory what guests seal and lock with, from Debian trixie: an image of a root file system with tpm2-tools,
# systemd-cryptenroll and systemd-cryptsetup 257, cryptsetup, a shell, and the libraries of them all. And the program that
# add-ons for images are made of. Nothing is installed.
#
#   tests/tools/tpm-tools.sh DIR     makes DIR/tpm-tools.sqsh and DIR/addonx64.efi.stub
set -eu
cd "$(dirname "$0")/../.."
export LC_ALL=C

into=$1
stamp=$into/.tpm-tools
digest=$(cat "$0" tests/reference/packages.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ]; then exit 0; fi

# The package of each program, and its path there.
PROGRAMS="
 busybox-static:usr/bin/busybox
 cryptsetup-bin:usr/sbin/cryptsetup
 systemd-cryptsetup:usr/bin/systemd-cryptenroll
 systemd-cryptsetup:usr/bin/systemd-cryptsetup
 tpm2-tools:usr/bin/tpm2
"
# Loaded by name when they are needed, so nothing lists them.
LOADED="libcryptsetup.so.12 libtss2-esys.so.0 libtss2-mu.so.0 libtss2-rc.so.0 libtss2-tcti-device.so.0"

say() { echo "$*" >&2; }
die() { say "$*"; exit 1; }
# shellcheck source=tests/reference/packages.sh
. tests/reference/packages.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
all=$work/unpacked
root=$work/root

# The packages of the programs, and the libraries among all that these depend on.
packages() {
  names=$(for program in $PROGRAMS; do echo "${program%%:*}"; done | sort -u)
  {
    echo "$names" systemd-boot-efi | tr ' ' '\n'
    for name in $names; do
      apt_private apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$name:amd64"
    done | grep -E '^(lib|zlib)[^:]*$'
  } | sort -u | sed "s,\$,/$EFI_SUITE,"
}

library() { find "$all/usr/lib" \( -type f -o -type l \) -name "$1" | head -n 1; }

# take LIBRARY: into the root, with every library it names.
take() {
  [ ! -e "$root/usr/lib/$(basename "$1")" ] || return 0
  cp -L "$1" "$root/usr/lib/"
  take_needs "$1"
}

take_needs() {
  for name in $(objdump -p "$1" 2>/dev/null | sed -n 's/^ *NEEDED *//p'); do
    file=$(library "$name")
    [ -n "$file" ] || die "$1 needs $name, which no package brings"
    take "$file"
  done
}

make_root() {
  tokens=usr/lib/x86_64-linux-gnu/cryptsetup
  mkdir -p "$root/usr/bin" "$root/$tokens" "$root/etc" "$root/dev" "$root/proc" "$root/sys" "$root/run" "$root/tmp"
  for program in $PROGRAMS; do
    cp "$all/${program#*:}" "$root/usr/bin/"
    take_needs "$all/${program#*:}"
  done
  for name in $LOADED; do take "$(library "$name")"; done
  # How cryptsetup itself asks a TPM.
  cp "$all/$tokens/libcryptsetup-token-systemd-tpm2.so" "$root/$tokens/"
  for dir in bin sbin usr/sbin; do ln -s /usr/bin "$root/$dir"; done
  for dir in lib lib64; do ln -s /usr/lib "$root/$dir"; done
  for applet in $("$root/usr/bin/busybox" --list); do
    [ -e "$root/usr/bin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"
  done
}

read_lists
# shellcheck disable=SC2046 # names of packages, one word each
unpack_known $(packages)
make_root
mkdir -p "$into"
mksquashfs "$root" "$into/tpm-tools.sqsh" -quiet -no-progress -noappend -all-root -no-xattrs -comp zstd -Xcompression-level 3 >&2
cp "$all/usr/lib/systemd/boot/efi/addonx64.efi.stub" "$into/"
echo "$digest" > "$stamp"
