# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# dhcp: 10,000 machines that nobody has seen get a lease each (cold), then ask again (steady); 64 exchanges in flight, through a relay.
# Ours journals each one and sends no ACK before fsync; Kea and dnsmasq sync nothing, dhcpd syncs new leases.
row_dhcp() { each "${ONLY:-bootwright kea dnsmasq dhcpd}"; }

start_dhcp() {
    [ "$1" = bootwright ] || { peer_start "$1"; return; }
    ours_settings bootwright one-address
    ours_start bootwright && ours_network >"$BENCH_DIR/bootwright/site.yaml" && ours_ask bootwright apply -f "$BENCH_DIR/bootwright/site.yaml"
}

work_dhcp() {
    measured "$1" cold "$LOAD" dhcp -s "$SERVER_IP" -l "$CLIENT_IP" -w 64 -n "$HOSTS" -T "$HOSTS" -d 20 -t 1000 -a 7
    measured "$1" steady "$LOAD" dhcp -s "$SERVER_IP" -l "$CLIENT_IP" -w 64 -n "$HOSTS" -d "$SECS" -t 1000 -a 7
}
