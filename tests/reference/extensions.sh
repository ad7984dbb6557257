# Extension images as directories: OUTDIR/extensions/<name>/<arch>/{manifest.yaml,rootfs/}.

# manifest NAME VERSION DESCRIPTION [TALOS] > manifest.yaml
manifest() {
  cat <<YAML
version: v1alpha1
metadata:
  name: $1
  version: $2
  author: Reference Release
  description: $3
  compatibility:
    talos:
      version: "${4:->= v1.2.0}"
YAML
}

# begin_extension NAME ARCH VERSION DESCRIPTION [TALOS]
# Sets: tree, the rootfs of the new extension.
begin_extension() {
  tree=$out/extensions/$1/$2/rootfs
  mkdir -p "$tree"
  manifest "$1" "$3" "$4" "${5:-}" > "$out/extensions/$1/$2/manifest.yaml"
}

make_extensions() {
  plain_extension "$1"
  shadow_extension "$1"
  newer_extension "$1"
  module_extension "$1"
  firmware_extension "$1"
  microcode_extension "$1" amd-ucode amd64-microcode 'microcode_amd*.bin'
  microcode_extension "$1" intel-ucode intel-microcode '06-0[0-9a-f]-*'
}

# A program (its mode must survive), a data file, a symbolic link, and a document of what is inside.
plain_extension() {
  begin_extension hello "$1" 1.0.0 "Plain files below /usr/local."
  mkdir -p "$tree/usr/local/bin" "$tree/usr/local/share/hello"
  printf '#!/bin/sh\ncat /usr/local/share/hello/greeting\n' > "$tree/usr/local/bin/hello"
  chmod 0755 "$tree/usr/local/bin/hello"
  echo "hello from the plain extension" > "$tree/usr/local/share/hello/greeting"
  ln -s greeting "$tree/usr/local/share/hello/link"
  mkdir -p "$tree/usr/local/share/spdx"
  sbom hello 1.0.0 greeting=1.0.0 > "$tree/usr/local/share/spdx/hello.spdx.json"
}

# Brings one path of `hello` again: the later layer wins.
shadow_extension() {
  begin_extension hello-again "$1" 1.0.0 "The greeting of hello, once more."
  mkdir -p "$tree/usr/local/share/hello"
  echo "hello from the later extension" > "$tree/usr/local/share/hello/greeting"
}

# Listed for every version, but refused before 1.13.
newer_extension() {
  begin_extension hello-newer "$1" 1.13.0 "Only for Talos 1.13 and newer." ">= v1.13.0"
  mkdir -p "$tree/usr/local/share/hello-newer"
  echo "hello from the newer extension" > "$tree/usr/local/share/hello-newer/greeting"
}

# WireGuard and what it needs that the base has not; UDP tunnels stay in the base, so only a modules.dep over both works.
module_extension() {
  begin_extension wireguard "$1" "$kver" "The WireGuard kernel module."
  extras=$tree/usr/lib/modules/$kver/extras
  mkdir -p "$extras"
  module_closure wireguard | while read -r path; do
    [ -e "$base_modules/lib/modules/$kver/$path" ] || cp "$all_modules/lib/modules/$kver/$path" "$extras/"
  done
  [ -f "$extras/wireguard.ko" ] || die "the $1 kernel has no module wireguard"
}

firmware_extension() {
  begin_extension linux-free "$1" 20241210 "Free firmware of the kernel."
  mkdir -p "$tree/usr/lib/firmware"
  cp -r "$work/unpacked/all/firmware-linux-free/usr/lib/firmware/." "$tree/usr/lib/firmware/"
  mkdir -p "$tree/usr/local/share/doc"
  cp "$work/unpacked/all/firmware-linux-free/usr/share/doc/firmware-linux-free/copyright" "$tree/usr/local/share/doc/linux-free"
}

# microcode_extension ARCH DIRECTORY PACKAGE PATTERN: the same files for both architectures, as Talos has it.
microcode_extension() {
  begin_extension "$2" "$1" 2025 "CPU microcode ($2)."
  from=$(find "$work/unpacked/amd64/$3" -type d -name "$2" | head -n 1)
  [ -n "$from" ] || die "$3 has no directory $2"
  mkdir -p "$tree/usr/lib/firmware/$2"
  # shellcheck disable=SC2086
  (cd "$from" && cp $4 "$tree/usr/lib/firmware/$2/")
}
