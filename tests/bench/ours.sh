# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# Bootwright in the bench: a release build with its shipped settings, except for what one client address forces.
#
# The generators of the dhcp, tftp, http and render rows speak from one address, so the limits per peer are set as high as those in total.
# In the storm and build rows every machine has the address that it was leased, and nothing is changed.
BOOTWRIGHT=${BINARY:-$BENCH_TARGET/release/bootwright}

need_release() { [ -x "$BOOTWRIGHT" ] || die "no daemon at $BOOTWRIGHT: run \`cargo build --release\` first, or name one by BINARY="; }

# ours_settings NAME [one-address] - settings and state below $BENCH_DIR/NAME
ours_settings() {
    local dir=$BENCH_DIR/$1
    mkdir -p "$dir/state" "$dir/templates"
    cat >"$dir/bootwright.toml" <<EOS
state_dir = "$dir/state"
[dhcp]
interfaces = ["$SERVER_IF"]
[paths]
templates = "$dir/templates"
artifacts = "$TREE/artifacts"
loaders = ["$TREE/loaders"]
EOS
    [ "${2:-}" != one-address ] || cat >>"$dir/bootwright.toml" <<EOS
[limits]
tftp_transfers_per_peer = 4096
http_connections_per_peer = 8192
EOS
}

# ours_start NAME - returns when every socket is bound
ours_start() {
    server_start "$1" "$BOOTWRIGHT" serve -c "$BENCH_DIR/$1/bootwright.toml"
    "$LAB_BIN/wait" -t 30 -p "$BENCH_DIR/$1.pid" "$BENCH_DIR/$1/out" 'serve: ready' >/dev/null
}

# ours_searched NAME - returns when the search for damage is over, which follows every start once and is no part of answering
ours_searched() { "$LAB_BIN/wait" -t 60 -p "$BENCH_DIR/$1.pid" "$BENCH_DIR/$1/out" 'searched for damage' >/dev/null; }

# ours_ask NAME ARGS… - the command line client against it
ours_ask() {
    local name=$1; shift
    in_server env BOOTWRIGHT_SERVER=http://127.0.0.1:8067 BOOTWRIGHT_TOKEN_FILE="$BENCH_DIR/$name/state/admin.token" NO_COLOR=1 \
        "$BOOTWRIGHT" "$@" >"$BENCH_DIR/$name/said" 2>&1 || { cat "$BENCH_DIR/$name/said" >&2; return 1; }
}

ours_network() { # the head of a site file: the network that every server has
    cat <<EOS
networks:
  - {name: bench, subnet: 10.0.0.0/8, dhcp: full, server: $SERVER_IP, gateway: $SERVER_IP, dns: [$SERVER_IP], lease_secs: 4000,
     pools: [{first: $POOL_FIRST, last: $POOL_LAST}]}
EOS
}

# prepared plain|rich|builds - settings and a state with $HOSTS recorded machines whose builds are open, as $BENCH_DIR/bootwright.
# Made once for each binary and kept as $prepared; what is used is a copy, so that no row works on what another one left.
prepared() {
    prepared=$BENCH_OUT/prepared/$1-$HOSTS-$(stat -c %Y "$BOOTWRIGHT")
    ours_settings bootwright "$([ "$1" != rich ] || echo one-address)"
    cp "$BENCH_BIN/render/kickstart.j2" "$BENCH_DIR/bootwright/templates/bench.ks"
    if [ ! -e "$prepared/whole" ]; then
        rm -rf "$prepared"
        ours_start bootwright || return 1
        echo "bench: $HOSTS machines with open builds ($1): $(date +%T)" >&2
        in_server env NETWORK="$(network_json)" "$BENCH_BIN/hosts" "$1" http://127.0.0.1:8067 "$BENCH_DIR/bootwright/state/admin.token" "$HOSTS" \
            "$BENCH_DIR/bootwright/paths" "$([ "$1" != rich ] || echo "$SERVER_IP")" || return 1
        servers_stop
        mkdir -p "$prepared"; cp -a "$BENCH_DIR/bootwright/state" "$prepared/state"; mv "$BENCH_DIR/bootwright"/paths.* "$prepared/" 2>/dev/null || true
        : >"$prepared/whole"
        echo "bench: they are there: $(date +%T)" >&2
    fi
    rm -rf "$BENCH_DIR/bootwright/state"; cp -a "$prepared/state" "$BENCH_DIR/bootwright/state"
}
network_json() {
    echo "{\"name\": \"bench\", \"subnet\": \"10.0.0.0/8\", \"dhcp\": \"full\", \"server\": \"$SERVER_IP\", \"gateway\": \"$SERVER_IP\"," \
        "\"dns\": [\"$SERVER_IP\"], \"lease_secs\": 4000, \"pools\": [{\"first\": \"$POOL_FIRST\", \"last\": \"$POOL_LAST\"}]}"
}
