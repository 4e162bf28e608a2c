# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# tftp: a loader of 300 KiB, blksize 1468, to 128 clients at once with windows of 1, 4 and 16, to 512, and with every hundredth packet lost
# each way.  A server that does not know windows (RFC 7440) serves them as window 1.
row_tftp() { each "${ONLY:-bootwright dnsmasq-tftp tftpd-hpa atftpd async-tftp}"; }

start_tftp() {
    [ "$1" = bootwright ] || { peer_start "$1"; return; }
    ours_settings bootwright one-address; ours_start bootwright
}

work_tftp() {
    local windows="1 4 16" window
    case $1 in dnsmasq-tftp|tftpd-hpa) windows=1 ;; esac
    for window in $windows; do
        fetches "$1" "window-$window" 128 $((window == 1 ? 256 * SECS : 1024 * SECS)) -w "$window" -d 10
        fetches "$1" "loss-window-$window" 128 128 -w "$window" -L 1 -d 15
    done
    [ "$windows" != 1 ] || as_window_1 "$1"
    # the last one: it is where servers with a thread or a process for each client come to their end
    fetches "$1" 512-clients 512 1024 -w 1 -d 20
}
# fetches SERVER CELL CLIENTS TRANSFERS ARGS…
fetches() {
    local server=$1 cell=$2 clients=$3 transfers=$4; shift 4
    measured "$server" "$cell" "$LOAD" tftp -s "$SERVER_IP" -f loader.efi -V "$TREE/loader.efi" -c "$clients" -T "$transfers" -b 1468 -t 1000 "$@"
}
as_window_1() { # what it did at window 1 is what it does for clients that ask for more
    local line window cell
    for cell in window loss-window; do
        line=$(grep "server=$1 cell=$cell-1 run=$run " "$RUNS_FILE") || continue
        for window in 4 16; do echo "${line/cell=$cell-1 /cell=$cell-$window }" >>"$RUNS_FILE"; done
    done
}
