# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# coldstart: from exec to the first OFFER, the first TFTP answer and the first 200, with 10,000 recorded machines; dnsmasq with as many reservations.
row_coldstart() { each "${ONLY:-bootwright dnsmasq}"; }

start_coldstart() {
    local dir=$BENCH_DIR/$1
    mkdir -p "$dir"
    case $1 in
    bootwright) prepared plain ;;
    dnsmasq)
        dnsmasq_settings dhcp tftp >"$dir/conf"
        "$BENCH_BIN/hosts" paths "$HOSTS" dhcp-host= | awk '{printf "%s,10.17.%d.%d\n", $0, NR / 250, NR % 250 + 1}' >>"$dir/conf" ;;
    esac
}

work_coldstart() {
    local command=("$BOOTWRIGHT" serve -c "$BENCH_DIR/$1/bootwright.toml") protocols="dhcp tftp http"
    [ "$1" = bootwright ] || { command=(dnsmasq -k -C "$BENCH_DIR/$1/conf"); protocols="dhcp tftp"; }
    local said
    said=$("$BENCH_BIN/coldstart" "$BENCH_NS" "$SERVER_IP" "$CLIENT_IP" "$SERVER_CPU" "$protocols" "${command[@]}" 2>"$BENCH_DIR/load.err") ||
        { loud "$1: $(tail -n 1 "$BENCH_DIR/load.err")"; return 0; }
    record "$1" start "$said"
}
