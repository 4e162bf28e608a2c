#!/bin/bash
# server.sh - make the Vagrant machine `server` a Bootwright server: packages, toolchain, build, artifacts, site, service.
#
# Runs as root by `vagrant provision`, and may run again at any time.  Takes the binary vagrant/bootwright if there is one
# (built elsewhere for this release), else builds it with the cargo of this machine, else with the package rustup's.
set -euo pipefail
repo=/srv/bootwright
export DEBIAN_FRONTEND=noninteractive CARGO_TARGET_DIR=/var/cache/bootwright-target
apt-get -q update
apt-get -q -y install --no-install-recommends curl ca-certificates
"$repo/tests/lab/install" demo

if [ -x "$repo/vagrant/bootwright" ]; then
    install -m 755 "$repo/vagrant/bootwright" /usr/local/bin/bootwright
else
    PATH="$PATH:$HOME/.cargo/bin"
    if ! command -v cargo >/dev/null; then
        { apt-get -q -y install --no-install-recommends rustup && rustup default stable; } || {
            echo "server.sh: no cargo here, and this release has no package rustup (Debian 13 and Ubuntu 24.04 have)." >&2
            echo "Put a binary built for this release at vagrant/bootwright, or a toolchain into the box, and provision again." >&2
            exit 1
        }
    fi
    cargo build --release --locked --manifest-path "$repo/Cargo.toml"
    install -m 755 "$CARGO_TARGET_DIR/release/bootwright" /usr/local/bin/bootwright
fi

# the address that Vagrant gave to the private network tells which interface it is
interface=$(ip -o -4 addr show to 10.77.0.2 | awk '{print $2; exit}')
[ -n "$interface" ] || { echo "server.sh: no interface has 10.77.0.2" >&2; exit 1; }

state=/var/lib/bootwright
install -d -m 755 /etc/bootwright /etc/bootwright/templates
install -d -m 700 $state
artifacts=$(LAB_CACHE=/var/cache/bootwright-lab "$repo/tests/lab/images")
cat >/etc/bootwright/bootwright.toml <<EOS
state_dir = "$state"
[boot]
listen = "0.0.0.0:80"
[admin]
listen = "127.0.0.1:8067"
[dhcp]
interfaces = ["$interface"]
[tftp]
listen = "0.0.0.0:69"
[paths]
templates = "/etc/bootwright/templates"
artifacts = "$artifacts"
EOS
cat >/etc/bootwright/site.yaml <<'EOS'
globals: {timezone: UTC}
networks:
  - {name: lab, subnet: 10.77.0.0/24, dhcp: full, server: 10.77.0.2, pools: [{first: 10.77.0.100, last: 10.77.0.200}], gateway: 10.77.0.2, dns: [10.77.0.2], domain: lab.test, lease_secs: 3600}
profiles:
  - name: lab
    kernel: lab/1/vmlinuz
    initrds: [lab/1/initrd.gz]
    needs: [lab/1/disk.img]
    args: "console=ttyS0 console=tty0 quiet auto=true priority=critical url={{ documents }}/preseed.cfg lab.image={{ artifacts }}/lab/1/disk.img"
    documents: {preseed.cfg: preseed/debian.cfg}
    params: {root_password_crypted: {secret: "$6$lab$ofAPkvKuSYt9IHxRnbyEr7BM5UULhlTAnOU3yCh4gUmMqD9HdI9lSEF2vO8Mba4C3bZ9zTXqWDRLWBYvoWDAS0"}}
hosts:
  - {name: bios, macs: ["52:54:00:77:00:11"], network: lab, profile: lab, address: 10.77.0.11, params: {}}
  - {name: uefi, macs: ["52:54:00:77:00:12"], network: lab, profile: lab, address: 10.77.0.12, params: {}}
EOS
cat >/etc/systemd/system/bootwright.service <<'EOS'
[Unit]
Description=Bootwright, network-boot provisioning
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/local/bin/bootwright serve -c /etc/bootwright/bootwright.toml
Restart=on-failure

[Install]
WantedBy=multi-user.target
EOS
systemctl daemon-reload
systemctl enable bootwright.service
systemctl restart bootwright.service
for _ in {1..100}; do curl -fs -o /dev/null http://127.0.0.1:8067/readyz && break; sleep 0.2; done
bootwright apply -f /etc/bootwright/site.yaml
for host in bios uefi; do
    # a second provisioning finds them adopted, and perhaps a build open: both are fine
    bootwright host adopt $host --confirm $host || true
    bootwright build enable $host --confirm $host || true
done
echo "server.sh: ready.  Now: vagrant up bios; vagrant up uefi; vagrant ssh server -c 'sudo /srv/bootwright/vagrant/check.sh'"
