# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# http: an initrd of 64 MiB over 1, 16, 128 and 512 connections that stay open; the clients discard the bytes in the kernel. They are
# no iPXE: ours tells that one to come again when one address has its share of the places for large files, and these have one address.
row_http() { each "${ONLY:-bootwright nginx}"; }

start_http() {
    [ "$1" = bootwright ] || { peer_start "$1"; return; }
    ours_settings bootwright one-address; ours_start bootwright
}

work_http() {
    local connections path=/1/initrd64
    [ "$1" != bootwright ] || path=/artifact/bench/1/initrd64
    for connections in 1 16 128 512; do
        measured "$1" "$connections-connections" "$LOAD" http -s "$SERVER_IP" -f $path -c $connections -u curl/8 -d "$SECS"
    done
}
