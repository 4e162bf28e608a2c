# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# storm: 10,000 recorded machines are switched on within 30 s.  Each does DHCP as firmware, fetches the loader that it is told (1 MiB by TFTP),
# does DHCP as iPXE, fetches the script that it is told and the kernel (64 KiB) and initrd (256 KiB) that the script names; with the time-outs of
# firmware, and from its own address.  For ours the row counts what is on record in the end, too.
row_storm() { each "${ONLY:-bootwright dnsmasq-nginx kea-dnsmasq-nginx kea-hpa-nginx}"; }

start_storm() {
    mkdir -p "$BENCH_DIR/$1"
    case $1 in
    bootwright)        prepared plain && ours_start bootwright ;;
    dnsmasq-nginx)     script_for_all; peer_start dnsmasq-both && peer_start nginx ;;
    kea-dnsmasq-nginx) script_for_all; peer_start kea && peer_start dnsmasq-tftp && peer_start nginx ;;
    kea-hpa-nginx)     script_for_all; peer_start kea && peer_start tftpd-hpa && peer_start nginx ;;
    esac
}

work_storm() {
    measured "$1" storm "$LOAD" storm -s "$SERVER_IP" -l "$CLIENT_IP" -n "$HOSTS" -j "$RAMP" -d 120 -o
    [ "$1" != bootwright ] || on_record storm
}

# on_record CELL - how many builds have come to the stage that the machines' last fetch proves
on_record() {
    local counted
    counted=$(in_server "$BENCH_BIN/hosts" stages http://127.0.0.1:8067 "$BENCH_DIR/bootwright/state/admin.token") || { loud "the builds cannot be counted"; return 0; }
    record bootwright "$1-record" "$counted"
}

script_for_all() { # what a boot server without host records hands out: the same script for everybody
    printf '%s\n' '#!ipxe' "kernel http://$SERVER_IP/1/vmlinuz initrd=initrd quiet" "initrd --name initrd http://$SERVER_IP/1/initrd" boot >"$TREE/boot.ipxe"
}
