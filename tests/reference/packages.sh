# Fetches packages of two Debian releases and both architectures with an apt that has its own sources, lists and cache.
#
# bookworm: kernel (6.1, the one that boots most reliably under TCG) and busybox.
# trixie: systemd-stub and systemd-boot 257, which know profiles; microcode and firmware.
KERNEL_SUITE=bookworm
EFI_SUITE=trixie
SUITES="$KERNEL_SUITE $EFI_SUITE"
FALLBACK_MIRROR=http://deb.debian.org/debian
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The host's own mirror, from one-line or deb822 sources; security and third-party archives do not count.
host_mirror() {
  {
    sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
    sed -n 's/^URIs:[[:space:]]*\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
  } 2>/dev/null | grep -E '^https?://.*/debian/?$' | head -n 1
}

private_apt() {
  apt=$work/apt
  mkdir -p "$apt/etc/apt.conf.d" "$apt/etc/preferences.d" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
  : > "$apt/status"
  cat > "$apt/apt.conf" <<CONF
Dir::Etc "$apt/etc";
Dir::Etc::sourcelist "$apt/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::Lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "${APT_RETRIES:-3}";
Acquire::http::Timeout "${APT_TIMEOUT:-30}";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Update::Post-Invoke { "true"; };
CONF
}

update_from() {
  for suite in $SUITES; do
    echo "deb [signed-by=$KEYRING] $1 $suite main non-free-firmware"
  done > "$apt/etc/sources.list"
  APT_CONFIG=$apt/apt.conf apt-get update -qq -o APT::Update::Error-Mode=any >&2
}

apt_private() { APT_CONFIG=$apt/apt.conf "$@"; }

# Unpacks packages of these suites into $work/unpacked: for programs this Debian has not, without installing them.
unpack_packages() {
  read_lists
  unpack_known "$@"
}

# What there is, in both releases.
read_lists() {
  private_apt
  mirror=$(host_mirror || true)
  say "fetching from ${mirror:-$FALLBACK_MIRROR}"
  update_from "${mirror:-$FALLBACK_MIRROR}" || update_from "$FALLBACK_MIRROR" || die "cannot read the package lists of $FALLBACK_MIRROR"
}

unpack_known() {
  (cd "$apt/debs" && apt_private apt-get download -qq "$@" >&2) || die "cannot download: $*"
  for deb in "$apt"/debs/*.deb; do dpkg-deb -x "$deb" "$work/unpacked"; done
}

# The package a metapackage of the kernel suite depends on first: linux-image-cloud-amd64 -> linux-image-6.1.0-N-cloud-amd64.
real_kernel() {
  apt_private apt-cache show "linux-image-cloud-$1:$1/$KERNEL_SUITE" | sed -n 's/^Depends: \([^ ,]*\).*/\1/p' | head -n 1
}

fetch_packages() {
  private_apt
  mirror=$(host_mirror || true)
  say "fetching packages from ${mirror:-$FALLBACK_MIRROR}"
  update_from "${mirror:-$FALLBACK_MIRROR}" || update_from "$FALLBACK_MIRROR" || die "cannot read the package lists of $FALLBACK_MIRROR"
  wanted="amd64-microcode:amd64/$EFI_SUITE intel-microcode:amd64/$EFI_SUITE firmware-linux-free/$EFI_SUITE"
  for arch in $ARCHES; do
    kernel=$(real_kernel "$arch")
    [ -n "$kernel" ] || die "no kernel package for $arch in $KERNEL_SUITE"
    wanted="$wanted $kernel:$arch/$KERNEL_SUITE busybox-static:$arch/$KERNEL_SUITE systemd-boot-efi:$arch/$EFI_SUITE"
  done
  rm -rf "$work/debs" "$work/unpacked"
  mkdir -p "$work/debs" "$work/unpacked"
  # shellcheck disable=SC2086
  (cd "$work/debs" && apt_private apt-get download -qq $wanted >&2) || die "cannot download:$wanted"
  for deb in "$work"/debs/*.deb; do
    name=$(dpkg-deb -f "$deb" Package)
    into=$(dpkg-deb -f "$deb" Architecture)
    mkdir -p "$work/unpacked/$into/$name"
    dpkg-deb -x "$deb" "$work/unpacked/$into/$name"
    echo "$name $(dpkg-deb -f "$deb" Version) $into"
  done > "$out/packages.txt"
}
