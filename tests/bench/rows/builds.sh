# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# builds: whole builds by `bootwright simulate`, from power-on over the installer's callbacks to the local boot: 2,000 machines at once, then all
# within the ramp.  The simulator has the clients' core, the daemon the other one.  No peer: nobody else follows a build.
row_builds() {
    [ "$run" = 1 ] || return 0
    whole_builds "$((HOSTS / 5))" 0
    whole_builds "$HOSTS" "$RAMP"
}

whole_builds() { # COUNT RAMP
    local HOSTS=$1
    mkdir -p "$BENCH_DIR/bootwright"
    if prepared builds && ours_start bootwright; then
        measured bootwright "$1-builds" "$BENCH_BIN/simulated" "$BOOTWRIGHT" simulate --server "$SERVER_IP" --relay "$CLIENT_IP" --hosts "$1" --scenario build \
            --ramp "$2s" --own-addresses --timeout 300s --seed 1 --json
        on_record "$1-builds"
    else loud "bootwright does not start: $(tail -n 3 "$BENCH_DIR/bootwright/out")"; fi
    servers_stop; rm -rf "$BENCH_DIR/bootwright"
}
