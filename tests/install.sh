#!/bin/sh
# Installs the Debian packages named, those that are missing.
#
#   SUDO=sudo tests/install.sh PACKAGE...
set -eu

missing=
for package in "$@"; do
  case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
    *" installed") ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # names of packages, one word each
${SUDO:-} apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 || {
  ${SUDO:-} apt-get update >&2
  ${SUDO:-} apt-get install -y --no-install-recommends $missing >&2
}
