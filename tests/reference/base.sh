# What a release installs for one version and architecture: vmlinuz, initramfs.xz, systemd-stub.efi, systemd-boot.efi.

make_release() {
  version=$1 arch=$2
  release=$out/releases/$version/$arch
  mkdir -p "$release"
  case $arch in amd64) efi=x64 ;; arm64) efi=aa64 ;; esac
  boot=$work/unpacked/$arch/systemd-boot-efi/usr/lib/systemd/boot/efi
  cp "$boot/linux$efi.efi.stub" "$release/systemd-stub.efi"
  cp "$boot/systemd-boot$efi.efi" "$release/systemd-boot.efi"
  cp "$kernel_dir/boot/vmlinuz-$kver" "$release/vmlinuz"
  make_rootfs "$version" "$arch" "$work/trees/$arch/initramfs-$version/rootfs.sqsh"
  make_initramfs "$work/trees/$arch/initramfs-$version" "$arch" "$release/initramfs.xz"
}

# The root file system: busybox, the base modules, one firmware file of its own, and a PID 1 that reports.
make_rootfs() {
  root=$work/trees/$2/rootfs-$1
  mkdir -p "$root/usr/bin" "$root/usr/lib/modules" "$root/usr/lib/firmware" "$root/usr/lib/reference" "$root/usr/local" \
    "$root/etc" "$root/dev" "$root/proc" "$root/sys" "$root/run" "$root/tmp" "$root/var" "$(dirname "$3")"
  ln -s usr/bin "$root/bin"
  ln -s usr/bin "$root/sbin"
  ln -s usr/lib "$root/lib"
  ln -s bin "$root/usr/sbin"
  cp "$work/unpacked/$2/busybox-static/bin/busybox" "$root/usr/bin/busybox"
  while read -r applet; do
    ln -s busybox "$root/usr/bin/$applet"
  done < "$here/guest/applets"
  cp -a "$base_modules/lib/modules/$kver" "$root/usr/lib/modules/"
  echo "firmware of the base, hidden when an extension brings firmware" > "$root/usr/lib/firmware/reference-base.txt"
  install -m 0755 "$here/guest/pid1" "$root/usr/bin/init"
  for part in console.sh json.sh tpm.sh task.sh facts.sh; do
    install -m 0644 "$here/guest/$part" "$root/usr/lib/reference/$part"
  done
  printf 'NAME="Reference"\nID=reference\nVERSION_ID=%s\nARCHITECTURE=%s\nPRETTY_NAME="Reference (%s)"\n' "$1" "$2" "$1" > "$root/etc/os-release"
  mkdir -p "$root/usr/share/spdx"
  sbom reference "$1" "linux-$kver=$kver" busybox-static=debian > "$root/usr/share/spdx/reference.spdx.json"
  : > "$root/etc/extensions.yaml" # a place to bind the list of layers to
  pack_squashfs "$root" "$3"
}

pack_squashfs() {
  find "$1" -exec touch -h -d "@$EPOCH" {} +
  rm -f "$2"
  mksquashfs "$1" "$2" -quiet -no-progress -noappend -all-root -no-xattrs -comp zstd -Xcompression-level 15 \
    -mkfs-time "$EPOCH" -all-time "$EPOCH" >&2
}

# A newc archive of exactly `.`, `init`, `lib…` and `rootfs.sqsh`, in C order, zstd inside in spite of its name.
make_initramfs() {
  mkdir -p "$1/lib/modules"
  install -m 0755 "$here/guest/init" "$1/init"
  for part in console.sh tpm.sh; do
    install -m 0644 "$here/guest/$part" "$1/lib/$part"
  done
  install -m 0755 "$work/unpacked/$2/busybox-static/bin/busybox" "$1/lib/busybox"
  # shellcheck disable=SC2086
  module_closure $INIT_MODULES $TPM_MODULES | while read -r path; do
    cp "$all_modules/lib/modules/$kver/$path" "$1/lib/modules/"
    basename "$path"
  done > "$work/order"
  mv "$work/order" "$1/lib/modules/order"
  find "$1" -exec touch -h -d "@$EPOCH" {} +
  (cd "$1" && find . | sort | sed 's,^\./,,' | cpio --quiet -o -H newc --reproducible -R 0:0) | zstd -q -18 -T1 -f -o "$3"
}
