# The doors: `make run` and `make test`. Both install what they need and work twice in a row.

SHELL := /bin/sh
.DEFAULT_GOAL := build

# apt needs root; a person who has sudo is root enough.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

RUN_PACKAGES := build-essential ca-certificates kmod grub-common grub-pc-bin grub-efi-amd64-bin \
	cpio zstd xz-utils squashfs-tools openssl
TEST_PACKAGES := $(RUN_PACKAGES) qemu-system-x86 qemu-system-arm qemu-utils qemu-block-extra ovmf qemu-efi-aarch64 \
	ipxe ipxe-qemu xorriso mtools dosfstools fdisk gdisk binutils python3 python3-jsonschema python3-pefile python3-venv jq curl \
	dnsmasq-base iproute2 skopeo docker-registry sbsigntool pesign osslsigncode efitools systemd file \
	softhsm2 opensc swtpm swtpm-tools tpm2-tools \
	libarchive-tools docker.io podman containerd runc \
	nginx-light wrk

FACTORY := target/release/factory
REFERENCE := target/reference
export FACTORY_LISTEN ?= 127.0.0.1:8080
export FACTORY_DATA ?= ./data
# Debian's directory, and the one with what Debian has for other architectures alone.
GRUB := target/tools/grub
export FACTORY_GRUB_MODULES ?= /usr/lib/grub,$(abspath $(GRUB))

.PHONY: setup setup-test build reference run test test-boot test-secureboot test-clients bench clean

setup:
	@SUDO="$(SUDO)" tests/install.sh $(RUN_PACKAGES)
	@tests/tools/grub-arm64.sh $(GRUB)

setup-test:
	@SUDO="$(SUDO)" tests/install.sh $(TEST_PACKAGES)
	@tests/tools/ukify.sh target/tools
	@tests/tools/cosign.sh target/tools
	@tests/tools/systemd-measure.sh target/tools
	@tests/tools/virt-firmware.sh target/tools
	@tests/tools/shim.sh target/tools
	@tests/tools/tpm-tools.sh target/tools
	@tests/tools/signers.sh target/tools
	@tests/tools/go.sh target/tools
	@tests/tools/documents.sh target/tools

build: setup
	cargo build --release --locked

reference: build
	@tests/reference/make.sh $(REFERENCE) $(abspath $(FACTORY))

run: reference
	@tests/run-factory.sh $(FACTORY) $(REFERENCE)

test: setup-test reference
	tests/test.sh all

test-boot: setup-test reference
	tests/test.sh boot

test-secureboot: setup-test reference
	tests/test.sh secureboot

test-clients: setup-test reference
	tests/test.sh clients

bench: setup-test reference
	tests/bench/run.sh

clean:
	cargo clean
