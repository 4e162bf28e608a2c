# shellcheck shell=bash
# The daemon in the lab: configuration, site file, start, commands.  Sourced (after lib.sh) by scenario, demo and the checks.
#
#   BOOTWRIGHT   the binary (default target/debug/bootwright)
# State, log and site file lie in $LAB_DIR; artifacts come from `images`.  Nothing here knows what a scenario wants.
BOOTWRIGHT="${BOOTWRIGHT:-${CARGO_TARGET_DIR:-$LAB_REPO/target}/debug/bootwright}"
case $BOOTWRIGHT in /*) ;; *) BOOTWRIGHT=$PWD/$BOOTWRIGHT ;; esac
export BOOTWRIGHT

need_daemon() { [ -x "$BOOTWRIGHT" ] || die "no daemon at $BOOTWRIGHT: run \`make build\` first, or set BOOTWRIGHT"; }

# the live image, as `make image` leaves it
LAB_LIVE="${LAB_LIVE:-${CARGO_TARGET_DIR:-$LAB_REPO/target}/live}"
case $LAB_LIVE in /*) ;; *) LAB_LIVE=$PWD/$LAB_LIVE ;; esac
export LAB_LIVE
need_live_image() { [ -e "$LAB_LIVE/manifest.json" ] || die "no live image in $LAB_LIVE: run \`make image\` first, or set LAB_LIVE"; }

# bw ARGS… - the command line client, inside the namespace, as administrator
bw() {
    in_ns env BOOTWRIGHT_SERVER=http://127.0.0.1:8067 BOOTWRIGHT_TOKEN_FILE="$LAB_DIR/state/admin.token" NO_COLOR=1 \
        timeout "${BW_LIMIT:-30}" "$BOOTWRIGHT" "$@"
}

write_config() {
    mkdir -p "$LAB_DIR/state" "$LAB_DIR/templates"
    cat >"$LAB_DIR/bootwright.toml" <<EOS
state_dir = "$LAB_DIR/state"
[boot]
listen = "0.0.0.0:80"
[admin]
listen = "127.0.0.1:8067"
[dhcp]
interfaces = ["$LAB_BRIDGE"]
[tftp]
listen = "0.0.0.0:69"
[paths]
templates = "$LAB_DIR/templates"
artifacts = "$("$LAB_BIN/images")"
live = "$LAB_LIVE"
EOS
}

daemon_start() { # returns when every socket is bound
    [ -e "$LAB_DIR/bootwright.toml" ] || write_config
    RUST_BACKTRACE=1 ip netns exec "$LAB_NS" "$BOOTWRIGHT" serve -c "$LAB_DIR/bootwright.toml" >"$LAB_DIR/daemon.log" 2>&1 </dev/null &
    echo $! >"$LAB_DIR/daemon.pid"
    "$LAB_BIN/wait" -t 20 -p "$LAB_DIR/daemon.pid" "$LAB_DIR/daemon.log" 'serve: ready' >/dev/null
}
daemon_stop() { stop_recorded "$LAB_DIR/daemon.pid"; }

# plain_dhcp - somebody else's DHCP server, on a machine of its own: addresses, nothing about booting
plain_dhcp() {
    "$LAB_BIN/net" host dhcp "$LAB_PREFIX4.2"
    ip netns exec "$LAB_NS.dhcp" dnsmasq --no-daemon --conf-file=/dev/null --user=root --log-dhcp --port=0 --bind-interfaces \
        --pid-file= --no-ping --interface=eth0 --dhcp-leasefile="$LAB_DIR/plain.leases" \
        --dhcp-range="$LAB_PREFIX4.100,$LAB_PREFIX4.200,255.255.255.0,1h" >"$LAB_DIR/plain-dhcp.log" 2>&1 </dev/null &
    echo $! >"$LAB_DIR/plain-dhcp.pid"
    "$LAB_BIN/wait" -t 10 -p "$LAB_DIR/plain-dhcp.pid" "$LAB_DIR/plain-dhcp.log" 'DHCP, IP range' >/dev/null
}

# site_network MODE [FIELDS] - the head of a site file: network `lab`
site_network() {
    local pools=''
    [ "$1" != full ] || pools="pools: [{first: $LAB_PREFIX4.100, last: $LAB_PREFIX4.200}], gateway: $LAB_IP4, dns: [$LAB_IP4], "
    cat <<EOS
globals: {timezone: UTC}
networks:
  - {name: lab, subnet: $LAB_NET4, dhcp: $1, server: $LAB_IP4, ${pools}${2:-}domain: lab.test, lease_secs: 3600}
EOS
}

# site_profile NAME FAMILY BEHAVIOUR - a profile that boots the test installer with a shipped document of FAMILY
site_profile() {
    local args document
    case $2 in
    preseed)     args='auto=true priority=critical url={{ documents }}/preseed.cfg' document='preseed.cfg: preseed/debian.cfg' ;;
    kickstart)   args='inst.ks={{ documents }}/ks.cfg' document='ks.cfg: kickstart/rhel.ks' ;;
    autoinstall) args='autoinstall ds=nocloud;s={{ documents }}/'
                 document='user-data: autoinstall/user-data, meta-data: autoinstall/meta-data, vendor-data: autoinstall/vendor-data, network-config: autoinstall/network-config' ;;
    *) die "unknown family $2" ;;
    esac
    cat <<EOS
  - name: $1
    kernel: lab/1/vmlinuz
    initrds: [lab/1/initrd.gz]
    needs: [lab/1/disk.img]
    args: "console=ttyS0 quiet $args lab.image={{ artifacts }}/lab/1/disk.img lab.behave=$3"
    documents: {$document}
    params: {root_password_crypted: {secret: "\$6\$lab\$ofAPkvKuSYt9IHxRnbyEr7BM5UULhlTAnOU3yCh4gUmMqD9HdI9lSEF2vO8Mba4C3bZ9zTXqWDRLWBYvoWDAS0"}}
    loop: {halt_after: 3}
EOS
}

# site_host NAME PROFILE MODE [LAST-OCTET] - a machine of this lab; its MAC is the one `vm` gives it
site_host() {
    local address=''
    [ "$3" != full ] || address="address: $LAB_PREFIX4.${4:-11}, "
    echo "  - {name: $1, macs: [\"$("$LAB_BIN/vm" mac "$1")\"], network: lab, profile: $2, ${address}params: {}}"
}

# open_build HOST - bring the host in as it is, then order a reinstall
open_build() {
    bw host adopt "$1" --confirm "$1" && bw build enable "$1" --confirm "$1"
}

# evidence NAME… - everything that tells what went wrong with these machines, on stderr
evidence() {
    local h k
    {
        for h in "$@"; do
            echo "--- console of $h (last 40 lines)"; tail -n 40 "$LAB_DIR/$h.serial" 2>/dev/null | plain
            # a machine that registered by itself has a name of its own
            k=$("$LAB_BIN/vm" mac "$h")
            echo; echo "--- bootwright host show $h ($k)"; bw host show "$k" || true
            echo "--- bootwright journal --host $k"; bw journal --host "$k" --limit 60 || true
        done
        echo "--- daemon log (last 40 lines)"; tail -n 40 "$LAB_DIR/daemon.log" 2>/dev/null || true
    } >&2 2>&1
}
