# Bootwright: what there is to run.  `make` alone prints this list.
#
# Only demo, test, lab and the check-* targets need root (by sudo where you are not): they make network namespaces and
# virtual machines.  They install missing Debian packages first, and ask neither apt nor the network when none is.
SHELL := /bin/bash
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BOOTWRIGHT ?= $(abspath $(TARGET_DIR))/debug/bootwright
export BOOTWRIGHT
.DEFAULT_GOAL := help
.PHONY: help demo test bench build fmt lint lab fuzz check-templates check-dhcp check-tftp vagrant-check \
	image check-image install-image install-demo install-bench install-test clean

help:            ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 20

demo: install-demo build image  ## two emulated machines: the whole life of one, and one that goes in circles and is caught
	@tests/lab/demo

test:            ## everything: format, lints, unit and integration tests, real clients, virtual machines
	@tests/all

bench: install-bench  ## speed and memory beside the peers, an hour; one part: make bench ROWS="dhcp tftp" RUNS=1 (docs/bench.md)
	@cargo build --release --locked --bin bootwright --example async_tftp
	@tests/bench/run $(foreach setting,RUNS RUNS_STORM ROWS HOSTS SECS RAMP STORMS ONLY VERBOSE,$(if $($(setting)),"$(setting)=$($(setting))"))

image: install-image  ## the live image that registers and wipes machines, into target/live; newer packages: make image FRESH=1
	@images/live/build $(if $(FRESH),--fresh)

build:           ## the daemon and its commands, unoptimised
	@cargo build --locked --bin bootwright

fmt:             ## format the sources
	cargo fmt --all

lint:            ## format check, clippy, documentation, all warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items

lab: install-test build image  ## the virtual-machine scenarios alone; one of them: make lab S=uefi-http
	@tests/lab/run $(S)

fuzz: install-test  ## parsers fed with what libFuzzer makes up, for hours; one for a while: make fuzz T=dhcp SECS=600
	@tests/checks/fuzz $(or $(T),all) $(or $(SECS),3600)

check-templates: install-test build  ## rendered documents before their installers' validators
	@tests/checks/templates
check-dhcp: install-test build  ## real DHCP clients and a relay
	@tests/checks/dhcp-clients
check-tftp: install-test build  ## real TFTP clients
	@tests/checks/tftp-clients
vagrant-check: install-test     ## is the Vagrantfile valid?
	@tests/checks/vagrant

check-image: install-test build image  ## the live image: the same bytes twice, its tools, its start in 512 MiB on BIOS and UEFI
	@tests/checks/image

install-image:   ## the Debian packages that image needs
	@tests/lab/install image
install-demo:    ## the Debian packages that demo needs
	@tests/lab/install demo
install-bench:   ## the Debian packages that bench needs
	@tests/lab/install bench
install-test:    ## the Debian packages that test needs
	@tests/lab/install test

clean:           ## remove what was built
	cargo clean
	rm -rf $(TARGET_DIR)/lab $(TARGET_DIR)/live*
