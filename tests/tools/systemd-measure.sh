#!/bin/sh
# Puts systemd-measure 257 and systemd-pcrlock 257 into a directory, from Debian trixie: the systemd-measure of bookworm does
# not know all sections a unified kernel image has today, and cannot sign without a TPM; systemd-pcrlock is not in bookworm.
# Nothing is installed; the programs run with the libraries of their own release, which lie beside them.
#
#   tests/tools/systemd-measure.sh DIR
set -eu
cd "$(dirname "$0")/../.."

into=$1
if [ -x "$into/systemd-measure" ] && [ -x "$into/systemd-pcrlock" ]; then exit 0; fi

say() { echo "$*" >&2; }
die() { say "$*"; exit 1; }
# shellcheck source=tests/reference/packages.sh
. tests/reference/packages.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wanted=
for package in systemd libsystemd-shared libc6 libgcc-s1 libssl3t64 libcap2 libcrypt1 libmount1 libblkid1 libselinux1 \
  libpcre2-8-0 libseccomp2 libacl1 libaudit1 libcap-ng0 libpam0g libzstd1 zlib1g \
  libtss2-esys-3.0.2-0t64 libtss2-mu-4.0.1-0t64 libtss2-rc0t64 libtss2-sys1t64 libtss2-tctildr0t64; do
  wanted="$wanted $package/$EFI_SUITE"
done
# shellcheck disable=SC2086 # names of packages, one word each
unpack_packages $wanted

mkdir -p "$into"
rm -rf "$into/systemd-257"
mkdir -p "$into/systemd-257"
cp -a "$work/unpacked/usr/lib/x86_64-linux-gnu" "$into/systemd-257/lib"
cp "$work/unpacked/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$into/systemd-257/loader"
for program in systemd-measure systemd-pcrlock; do
  cp "$work/unpacked/usr/lib/systemd/$program" "$into/systemd-257/"
  cat > "$into/$program.new" <<'PROGRAM'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/systemd-257
exec "$here/loader" --library-path "$here/lib:$here/lib/systemd" "$here/$(basename "$0" .new)" "$@"
PROGRAM
  chmod 755 "$into/$program.new"
  "$into/$program.new" --version >/dev/null || die "$program does not run"
  mv "$into/$program.new" "$into/$program"
done
