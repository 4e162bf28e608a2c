# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# What every row of the bench uses: two namespaces with a core each, servers whose CPU time is counted, and one line per measurement.
#
#   SERVER_IP, CLIENT_IP   the two ends of one veth pair; nothing leaves the namespaces
#   server_start NAME CMD… a server on its core, in a control group of its own; NAME is its folder below $BENCH_DIR
#   measured SERVER CELL CMD…  runs CMD on the clients' core; its line of key=value and what it cost the server go to $RUNS_FILE
#
# Why a control group: tftpd-hpa and atftpd work in children that come and go, and only their group remembers what they used.
BENCH_BIN="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$BENCH_BIN/../lab/lib.sh"
BENCH_NS=bench$$
BENCH_TARGET="${CARGO_TARGET_DIR:-$LAB_REPO/target}"
case $BENCH_TARGET in /*) ;; *) BENCH_TARGET=$PWD/$BENCH_TARGET ;; esac
BENCH_OUT=${BENCH_OUT:-$BENCH_TARGET/bench}
# On the disk that the target folder lies on, not in memory: fsync is part of what is measured.
BENCH_DIR=$BENCH_OUT/run$$
RUNS_FILE=$BENCH_OUT/runs.kv
SERVER_IP=10.0.0.1 CLIENT_IP=10.0.0.2 SERVER_IF=bench0
# leased addresses; the clients' side holds all of them
POOL=10.16.0.0/14 POOL_FIRST=10.16.0.1 POOL_LAST=10.16.127.255
SERVER_CPU=0 CLIENT_CPU=$(($(nproc) > 1 ? 1 : 0))
LOAD=$BENCH_OUT/pxeload
TREE=$BENCH_OUT/tree           # what is served: loader.efi (300 KiB), big.efi (1 MiB), vmlinuz, initrd (64 MiB) …
server_pids=()

group_of() { # the control group of this bench: cpuacct where there is one (v1), else the unified tree (v2)
    local root
    for root in /sys/fs/cgroup/cpuacct /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup; do
        [ -w "$root/cgroup.procs" ] && { echo "$root/bootwright-$BENCH_NS"; return; }
    done
    die "no writable control groups below /sys/fs/cgroup"
}

bench_up() { # namespaces, group, files
    GROUP=$(group_of); mkdir -p "$GROUP" "$BENCH_DIR"; chmod 711 "$BENCH_DIR"
    local server=$BENCH_NS.s client=$BENCH_NS.c end
    ip netns add "$server"; ip netns add "$client"
    ip link add $SERVER_IF netns "$server" type veth peer name $SERVER_IF netns "$client"
    ip -n "$server" addr add $SERVER_IP/8 dev $SERVER_IF; ip -n "$client" addr add $CLIENT_IP/8 dev $SERVER_IF
    for end in "$server" "$client"; do
        ip -n "$end" link set lo up; ip -n "$end" link set $SERVER_IF up
        ip netns exec "$end" sysctl -qw net.ipv4.ip_local_port_range="1024 65535" net.core.somaxconn=8192
    done
    # Every simulated machine has the same card: its address is known beforehand, and leased ones are reached through it.
    ip -n "$server" neigh replace $CLIENT_IP lladdr "$(card "$client")" dev $SERVER_IF nud permanent
    ip -n "$client" neigh replace $SERVER_IP lladdr "$(card "$server")" dev $SERVER_IF nud permanent
    ip -n "$server" route add $POOL via $CLIENT_IP
    ip -n "$client" route add local $POOL dev lo
    ulimit -n "$(ulimit -Hn)"
}
card() { ip -n "$1" -br link show $SERVER_IF | awk '{print $3}'; }

bench_down() {
    servers_stop
    ip netns del "$BENCH_NS.s" 2>/dev/null || true; ip netns del "$BENCH_NS.c" 2>/dev/null || true
    [ -z "${GROUP:-}" ] || rmdir "$GROUP" 2>/dev/null || true
    [ -n "${BENCH_KEEP:-}" ] || rm -rf "$BENCH_DIR"
}

in_server() { ip netns exec "$BENCH_NS.s" "$@"; }
on_clients() { ip netns exec "$BENCH_NS.c" taskset -c "$CLIENT_CPU" nice -n -10 "$@"; }

# server_start NAME CMD… - in the background; its output is $BENCH_DIR/NAME/out
server_start() {
    local name=$1; shift
    mkdir -p "$BENCH_DIR/$name"
    # shellcheck disable=SC2016  # the inner shell expands
    sh -c 'echo $$ >"$1/cgroup.procs"; cd "$2" || exit; shift 2; exec "$@"' join "$GROUP" "$BENCH_DIR/$name" \
        ip netns exec "$BENCH_NS.s" taskset -c "$SERVER_CPU" nice -n -10 "$@" >"$BENCH_DIR/$name/out" 2>&1 </dev/null &
    server_pids+=($!); echo $! >"$BENCH_DIR/$name.pid"
}

servers_stop() { # and what they left behind: only processes of our own group
    local pid round
    [ ${#server_pids[@]} = 0 ] || kill "${server_pids[@]}" 2>/dev/null || true
    for round in {1..80}; do
        [ -n "$(cat "${GROUP:-}/cgroup.procs" 2>/dev/null)" ] || break
        [ "$round" -lt 60 ] || while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done <"$GROUP/cgroup.procs"
        sleep 0.1
    done
    [ ${#server_pids[@]} = 0 ] || wait "${server_pids[@]}" 2>/dev/null || true
    server_pids=()
}

# listening udp|tcp PORT - until somebody listens in the servers' namespace; fails when nobody does within 10 s
listening() {
    local flag=-lun _
    [ "$1" = udp ] || flag=-ltn
    for _ in {1..200}; do in_server ss $flag | grep -q ":$2 " && return 0; sleep 0.05; done
    return 1
}

server_cpu_us() { # CPU time of everything that ever ran in the group
    if [ -r "$GROUP/cpuacct.usage" ]; then echo $(($(cat "$GROUP/cpuacct.usage") / 1000))
    else awk '$1 == "usage_usec" {print $2}' "$GROUP/cpu.stat"; fi
}
machine_cpu_us() { # busy time of all cores
    awk -v tick="$(getconf CLK_TCK)" '/^cpu / {printf "%.0f\n", ($2 + $3 + $4 + $7 + $8) * 1000000 / tick}' /proc/stat
}
server_kib() { # what all processes of the group hold: `pss` shares pages fairly, `anon` is memory of their own
    local pid pss=0 anon=0 a b
    while read -r pid; do
        read -r a b < <(awk '/^Pss:/ {p = $2} /^Anonymous:/ {a = $2} END {print p + 0, a + 0}' "/proc/$pid/smaps_rollup" 2>/dev/null || echo 0 0)
        pss=$((pss + a)) anon=$((anon + b))
    done <"$GROUP/cgroup.procs"
    echo "pss_kib=$pss anon_kib=$anon"
}
value() { local text=" $2 "; text=${text##* "$1"=}; [ "$text" != " $2 " ] && echo "${text%% *}"; } # value KEY "k=v k=v"

# measured SERVER CELL CMD… - CMD prints one line of key=value last; cli_cpu_us is what CMD itself used
measured() {
    local server=$1 cell=$2 cpu machine start said client; shift 2
    [ -n "$(cat "$GROUP/cgroup.procs")" ] || { loud "$server has ended before $cell"; return 0; }
    cpu=$(server_cpu_us) machine=$(machine_cpu_us) start=$(date +%s%N)
    said=$(on_clients "$@" 2>"$BENCH_DIR/load.err" | tail -n 1) || { loud "$server, $cell: $(tail -n 1 "$BENCH_DIR/load.err")"; return 0; }
    local wall=$((($(date +%s%N) - start) / 1000))
    cpu=$(($(server_cpu_us) - cpu)) machine=$(($(machine_cpu_us) - machine)) client=$(value cli_cpu_us "$said" || echo 0)
    record "$server" "$cell" "$said wall_us=$wall srv_cpu_us=$cpu foreign_pct=$((100 * (machine - cpu - client) / wall)) $(server_kib)"
}
# record SERVER CELL "k=v …" - one line for the table
record() {
    echo "row=$row server=$1 cell=$2 run=$run $3" >>"$RUNS_FILE"
    [ -z "${VERBOSE:-}" ] || echo "  $1 $2: $3" >&2
}
# loud TEXT - a peer that is missing or fails is no reason to stop, and none to be quiet
loud() { echo "bench: !!! $row: $*" | tee -a "$BENCH_OUT/failures" >&2; }

# each "SERVER…" - one round of a row: every server in turn is started, worked and stopped.  The row has `start_$row SERVER` (fails if it
# does not come up) and `work_$row SERVER`.
each() {
    local server
    for server in $1; do
        if "start_$row" "$server"; then "work_$row" "$server"
        else loud "$server does not start: $(tail -n 3 "$BENCH_DIR/$server/out" 2>/dev/null | tr '\n' ' ')"; fi
        servers_stop; [ -n "${BENCH_KEEP:-}" ] || rm -rf "${BENCH_DIR:?}/$server"
    done
}

tree_make() { # files with bytes that do not compress or repeat; made once
    mkdir -p "$TREE/1"; chmod 711 "$BENCH_OUT"
    file_of loader.efi 307200; file_of snponly.efi 1048576; file_of 1/vmlinuz 65536; file_of 1/initrd 262144; file_of 1/initrd64 67108864
    mkdir -p "$TREE/loaders" "$TREE/artifacts/bench"; ln -sf ../loader.efi ../snponly.efi "$TREE/loaders/" 2>/dev/null || true
    [ -e "$TREE/artifacts/bench/1" ] || cp -al "$TREE/1" "$TREE/artifacts/bench/1"
    chmod -R a+rX "$TREE"
}
file_of() { [ "$(stat -c %s "$TREE/$1" 2>/dev/null)" = "$2" ] || head -c "$2" /dev/urandom >"$TREE/$1"; }
