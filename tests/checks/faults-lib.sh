# shellcheck shell=bash
# What the scripts about faults share: a daemon with small files of its own, its API by curl, and the load.  Sourced after lab/lib.sh.
. "$LAB_BIN/../checks/lib.sh"
need_root "$@"
. "$LAB_BIN/journey.sh"
need_daemon
load=$LAB_BIN/../checks/faults-load far=10.78.0
admin=http://127.0.0.1:8067 token=$LAB_DIR/state/admin.token

# faults_end - everything that was started here ends; for the trap
faults_end() { stop_recorded "$LAB_DIR"/*.load; daemon_stop; "$LAB_BIN/net" down 2>/dev/null || true; rm -rf "$LAB_DIR" "$check_out"; }

# faults_config [INTERFACE] [STATE] - settings with artifacts and loaders of a few bytes
faults_config() {
    mkdir -p "$LAB_DIR/state" "$LAB_DIR/templates" "$LAB_DIR/loaders" "$LAB_DIR/artifacts/lab/1"
    head -c 70000 /dev/zero >"$LAB_DIR/loaders/undionly.kpxe"; cp "$LAB_DIR/loaders/undionly.kpxe" "$LAB_DIR/loaders/snponly.efi"
    echo kernel >"$LAB_DIR/artifacts/lab/1/vmlinuz"; echo initrd >"$LAB_DIR/artifacts/lab/1/initrd.gz"
    echo 'call {{ callback }}/built' >"$LAB_DIR/templates/answer.cfg"
    cat >"$LAB_DIR/bootwright.toml" <<EOS
state_dir = "${2:-$LAB_DIR/state}"
[boot]
listen = "${3:-0.0.0.0}:80"
[admin]
listen = "127.0.0.1:8067"
[dhcp]
interfaces = ["${1:-$LAB_BRIDGE}"]
[tftp]
listen = "${3:-0.0.0.0}:69"
[paths]
templates = "$LAB_DIR/templates"
artifacts = "$LAB_DIR/artifacts"
loaders = ["$LAB_DIR/loaders"]
EOS
}

# faults_site - two networks (`lab` here, `far` behind a relay that $LAB_NS.c1 plays) and a profile
faults_site() {
    site_network full
    cat <<EOS
  - {name: far, subnet: 10.78.0.0/16, dhcp: full, server: $LAB_IP4, pools: [{first: $far.10, last: 10.78.255.250}], lease_secs: 86400}
  - {name: one, subnet: 10.80.0.0/24, dhcp: full, server: $LAB_IP4, pools: [{first: 10.80.0.10, last: 10.80.0.10}], lease_secs: 3600}
profiles:
  - {name: os, kernel: lab/1/vmlinuz, initrds: [lab/1/initrd.gz], args: "x={{ documents }}/answer", documents: {answer: answer.cfg}}
EOS
}

# faults_net - the segment and the relay
faults_net() {
    "$LAB_BIN/net" up; "$LAB_BIN/net" host c1 "$LAB_PREFIX4.3"
    ip -n "$LAB_NS.c1" addr add $far.1/16 dev eth0; in_ns ip route add 10.78.0.0/16 via "$LAB_PREFIX4.3"
    ip -n "$LAB_NS.c1" addr add 10.80.0.1/24 dev eth0; in_ns ip route add 10.80.0.0/24 via "$LAB_PREFIX4.3"
}

judge() { in_ns timeout $((30 + ${FAULT_KILLS:-50})) "$load" judge "$admin" "$token" "$LAB_DIR"/*.acks; }
lease() { ip netns exec "$LAB_NS.c1" timeout "${3:-10}" "$load" once "$LAB_IP4" "${2:-$far.1}" "$1"; }
post() { in_ns curl -s -m 20 -o "$LAB_DIR/answer" -w '%{http_code}' -H "Authorization: Bearer $(cat "$1/admin.token")" -d "$3" "$admin$2"; }
# answers STATUS STATE PATH BODY [WORD] - a POST is answered so, and the answer holds WORD
answers() {
    local status; status=$(post "$2" "$3" "$4"); echo "$status $(cat "$LAB_DIR/answer")"
    [ "$status" = "$1" ] && { [ -z "${5:-}" ] || grep -q "$5" "$LAB_DIR/answer"; }
}
host() { echo "{\"name\": \"$1\", \"macs\": [\"$2\"]}"; }
# readyz STATUS [WORD] - within ten seconds: what a monitor sees
readyz() {
    local n status
    for ((n = 0; n < 50; n++)); do
        status=$(in_ns curl -s -m 5 -o "$LAB_DIR/answer" -w '%{http_code}' "$admin/readyz")
        [ "$status" = "$1" ] && grep -q "${2:-.}" "$LAB_DIR/answer" && return 0
        sleep 0.2
    done
    echo "$status"; cat "$LAB_DIR/answer"; return 1
}
journal_says() { # within ten seconds
    local n
    for ((n = 0; n < 20; n++)); do bw journal --limit 200 >"$LAB_DIR/journal" 2>&1 && grep -qE "$1" "$LAB_DIR/journal" && return 0; sleep 0.5; done
    tail -n 5 "$LAB_DIR/journal"; return 1
}
# does_not_start CONFIG PATTERN - the daemon ends by itself, with a message
does_not_start() {
    refused in_ns timeout 10 "$BOOTWRIGHT" serve -c "$1" >"$LAB_DIR/refused.log" 2>&1 || { cat "$LAB_DIR/refused.log"; return 1; }
    cat "$LAB_DIR/refused.log"; grep -qiE "$2" "$LAB_DIR/refused.log"
}
worker() { local name=$1 ns=$2; shift 2; ip netns exec "$ns" "$load" "$@" "$LAB_DIR/$name.acks" >"$LAB_DIR/$name.out" 2>&1 </dev/null & echo $! >"$LAB_DIR/$name.load"; }
logged() { grep -qE "$1" "$LAB_DIR/daemon.log"; }

# faults_shim - the misbehaving disk and clock; the daemon is started with it from now on
faults_shim() {
    cc -shared -fPIC -O1 -o "$LAB_DIR/shim.so" "$LAB_BIN/../checks/faults-shim.c" -ldl
    cat >"$LAB_DIR/shimmed" <<EOS
#!/bin/sh
export FAULT_SYNC="$LAB_DIR/slow" FAULT_WRITE="$LAB_DIR/errno" FAULT_BELOW="$LAB_DIR/state" FAULT_CLOCK="$LAB_DIR/clock"
[ "\$1" != serve ] || export LD_PRELOAD="$LAB_DIR/shim.so"
exec "$BOOTWRIGHT" "\$@"
EOS
    chmod +x "$LAB_DIR/shimmed"; BOOTWRIGHT=$LAB_DIR/shimmed
}
