# shellcheck shell=bash
# tftp: a loader of 300 KiB, blksize 1468, to 128 clients at once with windows of 1, 4 and 16, to 512, and with every hundredth packet lost
# each way.  A server that does not know windows (RFC 7440) serves them as window 1.
row_tftp() { each bootwright dnsmasq-tftp tftpd-hpa atftpd async-tftp; }

start_tftp() {
    [ "$1" = bootwright ] || { peer_start "$1"; return; }
    ours_settings bootwright one-address; ours_start bootwright
}

work_tftp() {
    local window
    for window in 1 4 16; do
        fetches "$1" "window-$window" 128 $((window == 1 ? 512 * SECS / 3 : 1024 * SECS / 3)) -w $window -d 20
    done
    fetches "$1" 512-clients 512 1024 -w 1 -d 20
    for window in 1 4 16; do fetches "$1" "loss-window-$window" 128 128 -w $window -L 1 -d 15; done
}
# fetches SERVER CELL CLIENTS TRANSFERS ARGS…
fetches() {
    local server=$1 cell=$2 clients=$3 transfers=$4; shift 4
    measured "$server" "$cell" "$LOAD" tftp -s $SERVER_IP -f loader.efi -V "$TREE/loader.efi" -c "$clients" -T "$transfers" -b 1468 -t 1000 "$@"
}
