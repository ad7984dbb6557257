# The host programs the scripts use, as "program:package" pairs.
TOOLS="mksquashfs:squashfs-tools cpio:cpio zstd:zstd depmod:kmod dpkg-deb:dpkg apt-get:apt"

# Installs what is missing when we may, and says what is missing when we may not.
need_tools() {
  missing=
  for pair in $TOOLS; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
  done
  PATH=$PATH:/usr/sbin:/sbin
  [ -n "$missing" ] || return 0
  [ "$(id -u)" -eq 0 ] || die "missing packages:$missing (as root: apt-get install$missing)"
  say "installing$missing"
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >&2 ||
    { apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends $missing >&2; } ||
    die "cannot install$missing"
}
