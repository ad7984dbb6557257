# The kernel and the modules of the base root file system.

# What the base knows without any extension; dependencies are added. UDP tunnels are here so that the module extension
# needs a module of the base.
BASE_MODULES="loop squashfs overlay efivarfs isofs vfat nls_cp437 nls_ascii nls_utf8 virtio_pci virtio_mmio virtio_blk
 virtio_scsi virtio_net sd_mod sr_mod ahci nvme dm_mod dm_verity dm_crypt algif_skcipher xts ext4 xfs tpm_tis
 udp_tunnel ip6_udp_tunnel"
# What the initramfs must load before it has a root file system.
INIT_MODULES="loop squashfs overlay"
# And, where it is not built in, to measure.
TPM_MODULES=tpm_tis

# Sets: kernel_dir, kver.
find_kernel() {
  kernel_dir=$(echo "$work/unpacked/$1"/linux-image-*)
  kver=$(ls "$kernel_dir/lib/modules")
  [ -f "$kernel_dir/boot/vmlinuz-$kver" ] || die "$kernel_dir: no single kernel"
  # systemd-stub starts .linux as a PE image: both kernels must be EFI-stub images as they are (no gzip around them).
  [ "$(head -c 2 "$kernel_dir/boot/vmlinuz-$kver")" = MZ ] || die "vmlinuz-$kver is not a PE image"
  all_modules=$work/trees/$1/all
  mkdir -p "$all_modules/lib/modules"
  cp -a "$kernel_dir/lib/modules/$kver" "$all_modules/lib/modules/"
  depmod -b "$all_modules" "$kver"
}

# Paths, relative to the module directory, of the named modules and all they need, in the order to load them.
module_closure() {
  for name in "$@"; do
    # A name that is built in prints "builtin"; one this architecture does not have is left out.
    modprobe -d "$all_modules" -S "$kver" --show-depends "$name" 2>/dev/null || true
  done | sed -n "s,^insmod $all_modules/lib/modules/$kver/\([^ ]*\).*,\1,p" | awk '!seen[$0]++'
}

# Makes the module directory of the base: the chosen modules, and the lists of depmod over just them.
make_module_tree() {
  base_modules=$work/trees/$1/base
  dir=$base_modules/lib/modules/$kver
  mkdir -p "$dir"
  # shellcheck disable=SC2086
  module_closure $BASE_MODULES | while read -r path; do
    mkdir -p "$dir/$(dirname "$path")"
    cp "$all_modules/lib/modules/$kver/$path" "$dir/$path"
  done
  for list in modules.builtin modules.builtin.modinfo modules.order; do
    cp "$kernel_dir/lib/modules/$kver/$list" "$dir/"
  done
  for name in $INIT_MODULES; do
    find "$dir" -name "$name.ko" | grep -q . || die "the $1 kernel has no module $name"
  done
  depmod -b "$base_modules" "$kver"
  echo "$kver" > "$out/kernel-release-$1"
}
