# shellcheck shell=bash
# Shared settings of the boot lab, sourced by every script in this folder.
#
#   LAB_NS     name of the network namespace; unique per run, so labs may stand side by side; other machines on the
#              segment are LAB_NS.NAME, so LAB_NS itself has no dot
#   LAB_DIR    state of this lab: logs, PID files, QMP sockets, firmware variables, disks
#   LAB_CACHE  what is made once and kept: kernel, initramfs, disk image, unpacked programs
#   LAB_NET4   the segment, a /24 (10.77.0.0/24); the server is .1
#   LAB_BRIDGE, LAB_IP4, LAB_IP6, LAB_NET6 follow from it
#
# Nothing in the lab ever leaves the namespace: there is no veth to the outside and no route.
LAB_BIN="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
LAB_REPO="$(cd "$LAB_BIN/../.." && pwd)"
LAB_CACHE="${LAB_CACHE:-${CARGO_TARGET_DIR:-$LAB_REPO/target}/lab}"
case $LAB_CACHE in /*) ;; *) LAB_CACHE=$PWD/$LAB_CACHE ;; esac
LAB_NS="${LAB_NS:-bw$$}"
LAB_DIR="${LAB_DIR:-${TMPDIR:-/tmp}/bootwright-$LAB_NS}"
LAB_NET4="${LAB_NET4:-10.77.0.0/24}"
LAB_PREFIX4="${LAB_NET4%.*}"
# shellcheck disable=SC2034  # used by the scripts that source this
LAB_IP4="$LAB_PREFIX4.1"
LAB_NET6="${LAB_NET6:-fd77:0:0:1}"
# shellcheck disable=SC2034
LAB_IP6="$LAB_NET6::1"
LAB_BRIDGE="${LAB_BRIDGE:-br0}"
export LAB_NS LAB_DIR LAB_CACHE LAB_NET4 LAB_NET6 LAB_BRIDGE
PATH="$PATH:/usr/sbin:/sbin"

die() { echo "${0##*/}: $*" >&2; exit 1; }

# usage - print the header comment of the script that runs
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

# as_root CMD… - run as root: directly, or by sudo
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "needs root for: $* (no sudo here)"; fi
}

# need_root ARGS… - start this script again as root when it is not
need_root() {
    [ "$(id -u)" = 0 ] || {
        command -v sudo >/dev/null || die "needs root (network namespaces); there is no sudo here"
        echo "${0##*/}: using sudo for network namespaces" >&2
        "$LAB_BIN/images" >/dev/null       # what is kept belongs to who asked, not to root
        exec sudo --preserve-env=PATH,LAB_NS,LAB_DIR,LAB_CACHE,LAB_NET4,LAB_NET6,LAB_BRIDGE,BOOTWRIGHT,LAB_ACCEL,LAB_JOBS,LAB_KEEP,LAB_LIVE,LOAD_HOSTS,LOAD_RAMP,LOAD_LOSS,LOAD_SEED,LOAD_TIMEOUT,CARGO_TARGET_DIR \
            "$0" "$@"
    }
}

# in_ns CMD… - run a command inside the lab's namespace.  ip exec's it, so $! is the command itself.
in_ns() { ip netns exec "$LAB_NS" "$@"; }

# stop_pid PID - TERM, then KILL after 3 s.  Only ever called with PIDs this lab wrote down.
stop_pid() {
    local pid=$1
    kill -0 "$pid" 2>/dev/null || return 0
    kill "$pid" 2>/dev/null || true
    # the daemon gives what is under way ten seconds to finish
    for _ in {1..150}; do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
}

# stop_recorded FILE… - stop the process in each PID file and remove the file
stop_recorded() {
    local f
    for f in "$@"; do
        [ -s "$f" ] || continue
        stop_pid "$(cat "$f")"; rm -f "$f"
    done
}

# plain - a console's bytes without what only a terminal needs; cursor movements may stand in the middle of a word
plain() { tr -d '\000\r' | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\x1bc//g'; }

# fetch_deb DIR PACKAGE… - unpack packages of this release below DIR without installing them
fetch_deb() {
    local dir=$1 work; shift
    work=$(mktemp -d); chmod 755 "$work"; mkdir -p "$dir"
    ( cd "$work" && apt-get -q download "$@" >log 2>&1 ) || { cat "$work/log" >&2; rm -rf "$work"; return 1; }
    local deb; for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$dir"; done
    rm -rf "$work"
}
