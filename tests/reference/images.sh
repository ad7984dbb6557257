# The remaining images of a release, as directories: overlay, installer base, talosctl.

# OUTDIR/overlays/reference-board/<arch>: an overlay whose installer speaks the protocol (get-options, install).
make_overlay() {
  tree=$out/overlays/reference-board/$1
  mkdir -p "$tree/artifacts/firmware" "$tree/installers" "$tree/profiles"
  install -m 0755 "$here/overlay/reference-board" "$tree/installers/reference-board"
  install -m 0644 "$here/overlay/reference-board.yaml" "$tree/profiles/reference-board.yaml"
  echo "firmware of the reference board, $1" > "$tree/artifacts/firmware/start.txt"
  echo "boot loader of the reference board, $1" > "$tree/artifacts/u-boot.bin"
}

# OUTDIR/installer-base/<arch>: a root file system in which /bin/installer --help answers.
make_installer_base() {
  tree=$out/installer-base/$1
  mkdir -p "$tree/usr/bin" "$tree/usr/install" "$tree/etc" "$tree/tmp"
  ln -s usr/bin "$tree/bin"
  cp "$work/unpacked/$1/busybox-static/bin/busybox" "$tree/usr/bin/busybox"
  for applet in sh cat cut cp dd echo head mkdir uname ls sha256sum find sort sed; do ln -s busybox "$tree/usr/bin/$applet"; done
  install -m 0755 "$here/installer/installer" "$tree/usr/bin/installer"
  ln -s installer "$tree/usr/bin/imager"
}

# OUTDIR/talosctl/<version>/talosctl-<os>-<arch>[.exe]: what the download names must offer.
make_talosctl() {
  tree=$out/talosctl/$1
  mkdir -p "$tree"
  for target in linux-amd64 linux-arm64 darwin-amd64 darwin-arm64; do
    printf '#!/bin/sh\necho "Client: %s (%s)"\n' "$1" "$target" > "$tree/talosctl-$target"
    chmod 0755 "$tree/talosctl-$target"
  done
  printf '@echo Client: %s (windows-amd64)\r\n' "$1" > "$tree/talosctl-windows-amd64.exe"
}
