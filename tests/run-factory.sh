#!/bin/sh
# Serves the reference release in the foreground, and says what to try.
#
#   tests/run-factory.sh FACTORY REFERENCE_LAYOUT
set -eu

factory=$1
reference=$2
url=${FACTORY_EXTERNAL_URL:-http://$FACTORY_LISTEN}
schematic='customization: {extraKernelArgs: [console=ttyS0], systemExtensions: {officialExtensions: [siderolabs/hello]}}'
id=$(echo "$schematic" | "$factory" id)

# The reference release is signed with a key of its own; of another source the defaults, or the user, say who is trusted.
if [ -z "${FACTORY_SOURCE:-}" ]; then
  FACTORY_TRUST=${FACTORY_TRUST:-key:$reference/cosign.pub}
  export FACTORY_TRUST
fi

cat <<EOF

Three commands to try once it is ready, here or in another terminal:

  curl --data-binary '$schematic' $url/schematics
  curl -o metal-amd64.iso $url/image/$id/v1.13.0/metal-amd64.iso
  qemu-system-x86_64 -machine q35 -cpu max,-cx16 -m 1024 -nographic -no-reboot -cdrom metal-amd64.iso

EOF
exec "$factory" serve --source "${FACTORY_SOURCE:-oci:$reference}" --external-url "$url"
