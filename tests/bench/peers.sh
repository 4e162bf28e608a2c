# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# The peers, as Debian packages them, each with the settings its own documentation advises for this work.
#
# peer_start NAME returns when it answers; its files lie in $BENCH_DIR/NAME.  All serve $TREE and the same pool.
export ATFTPD=$LAB_CACHE/programs/usr/sbin/atftpd

peer_start() {
    local name=$1 dir=$BENCH_DIR/$1
    mkdir -p "$dir"; chmod 777 "$dir"
    case $name in
    kea)
        kea_settings >"$dir/kea.json"
        server_start kea env KEA_LOCKFILE_DIR=none KEA_PIDFILE_DIR="$dir" kea-dhcp4 -c "$dir/kea.json"; listening udp 67 ;;
    dnsmasq) # DHCP alone
        dnsmasq_settings dhcp >"$dir/conf"; server_start dnsmasq dnsmasq -k -C "$dir/conf"; listening udp 67 ;;
    dnsmasq-tftp)
        dnsmasq_settings tftp >"$dir/conf"; server_start dnsmasq-tftp dnsmasq -k -C "$dir/conf"; listening udp 69 ;;
    dnsmasq-both)
        dnsmasq_settings dhcp tftp >"$dir/conf"; server_start dnsmasq-both dnsmasq -k -C "$dir/conf"; listening udp 69 ;;
    dhcpd)
        dhcpd_settings >"$dir/conf"; : >"$dir/leases"
        server_start dhcpd dhcpd -4 -f -q -user root -group root -cf "$dir/conf" -lf "$dir/leases" -pf "$dir/pid" "$SERVER_IF"; listening udp 67 ;;
    tftpd-hpa)
        server_start tftpd-hpa in.tftpd -L -4 --user root -a "$SERVER_IP:69" --secure "$TREE"; listening udp 69 ;;
    atftpd)
        [ -x "$ATFTPD" ] || { loud "no $ATFTPD: tests/lab/install bench"; return 1; }
        server_start atftpd "$ATFTPD" --daemon --no-fork --bind-address "$SERVER_IP" --port 69 --maxthread 2000 --user root.root --logfile "$dir/log" "$TREE"
        listening udp 69 ;;
    async-tftp)
        server_start async-tftp "$BENCH_TARGET/release/examples/async_tftp" "$SERVER_IP:69" "$TREE"; listening udp 69 ;;
    nginx)
        nginx_settings "$dir" >"$dir/conf"; server_start nginx nginx -c "$dir/conf" -p "$dir"; listening tcp 80 ;;
    *) die "no peer $name" ;;
    esac
}

kea_settings() { # memfile, written but never synced; single-threaded is its fastest on one core
    cat <<EOS
{ "Dhcp4": { "interfaces-config": { "interfaces": ["$SERVER_IF"], "dhcp-socket-type": "udp" },
  "lease-database": { "type": "memfile", "persist": true, "name": "$dir/leases.csv", "lfc-interval": 3600 },
  "multi-threading": { "enable-multi-threading": false },
  "valid-lifetime": 4000, "next-server": "$SERVER_IP", "boot-file-name": "snponly.efi",
  "client-classes": [ { "name": "ipxe", "test": "option[77].hex == 'iPXE'", "boot-file-name": "http://$SERVER_IP/boot.ipxe" } ],
  "option-data": [ { "name": "routers", "data": "$SERVER_IP" }, { "name": "domain-name-servers", "data": "$SERVER_IP" } ],
  "subnet4": [ { "subnet": "10.0.0.0/8", "pools": [ { "pool": "$POOL_FIRST-$POOL_LAST" } ] } ],
  "loggers": [ { "name": "kea-dhcp4", "severity": "WARN", "output_options": [ { "output": "$dir/log" } ] } ] } }
EOS
}

dnsmasq_settings() { # dhcp|tftp…
    printf '%s\n' port=0 "interface=$SERVER_IF" bind-interfaces user=root "pid-file=$dir/pid"
    local what
    for what in "$@"; do case $what in
    dhcp) printf '%s\n' no-ping "dhcp-range=$POOL_FIRST,$POOL_LAST,255.0.0.0,4000s" dhcp-lease-max=100000 "dhcp-leasefile=$dir/leases" dhcp-authoritative \
        quiet-dhcp dhcp-userclass=set:ipxe,iPXE "dhcp-boot=snponly.efi,,$SERVER_IP" "dhcp-boot=tag:ipxe,http://$SERVER_IP/boot.ipxe" ;;
    tftp) printf '%s\n' enable-tftp "tftp-root=$TREE" tftp-max=20000 quiet-tftp ;;
    esac; done
}

dhcpd_settings() { # its default: new leases are synced one by one
    cat <<EOS
authoritative; ping-check false; ddns-update-style none; default-lease-time 4000; max-lease-time 4000; next-server $SERVER_IP;
if exists user-class and option user-class = "iPXE" { filename "http://$SERVER_IP/boot.ipxe"; } else { filename "snponly.efi"; }
subnet 10.0.0.0 netmask 255.0.0.0 { option routers $SERVER_IP; option domain-name-servers $SERVER_IP; range $POOL_FIRST $POOL_LAST; }
EOS
}

nginx_settings() { # sendfile, one worker for one core
    cat <<EOS
user root; daemon off; worker_processes 1; pid $1/pid; error_log $1/err warn; worker_rlimit_nofile 65536;
events { worker_connections 20000; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path $1/b; proxy_temp_path $1/p; fastcgi_temp_path $1/f; uwsgi_temp_path $1/u; scgi_temp_path $1/s;
  server { listen $SERVER_IP:80 backlog=4096; root $TREE; } }
EOS
}
