# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# memory: what Bootwright holds with 10,000 recorded machines: when nothing happens, with 512 transfers of 1 MiB running that are slow to end, and
# after each of several storms and a while of nothing, in one daemon that is never restarted.  No peer: none does all of it.
row_memory() {
    [ "$run" = 1 ] || return 0 # storms are long, and they repeat themselves here
    start_row_memory || { loud "bootwright does not start"; servers_stop; return 0; }
    settled; record bootwright idle "$(server_kib)"
    transfers_running
    local storm
    for ((storm = 1; storm <= STORMS; storm++)); do
        measured bootwright "storm-$storm" "$LOAD" storm -s "$SERVER_IP" -l "$CLIENT_IP" -n "$HOSTS" -j "$RAMP" -d 120 -o
        settled; record bootwright "after-storm-$storm" "$(server_kib)"
    done
    servers_stop
}
start_row_memory() { mkdir -p "$BENCH_DIR/bootwright"; prepared plain && ours_start bootwright; }

# 512 clients with an address each, one packet in a window, so many that they all are under way when we look
transfers_running() {
    on_clients "$LOAD" tftp -s "$SERVER_IP" -l "$POOL_FIRST" -o -f snponly.efi -c 512 -T 4096 -b 1468 -d 8 >"$BENCH_DIR/transfers" 2>/dev/null &
    local transfers=$! look highest='pss_kib=0 anon_kib=0' seen
    for look in 1 2 3 4; do
        sleep 0.7; seen=$(server_kib)
        [ "$(value pss_kib "$seen")" -le "$(value pss_kib "$highest")" ] || highest=$seen
    done
    record bootwright 512-transfers "$highest looks=$look"
    wait "$transfers" || true
}

settled() { # until the daemon uses less than a hundredth of a core for a second, 20 s at most
    local before now _
    for _ in {1..20}; do
        before=$(server_cpu_us); sleep 1; now=$(server_cpu_us)
        [ $((now - before)) -ge 10000 ] || return 0
    done
}
