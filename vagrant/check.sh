#!/bin/bash
# check.sh [HOST…] - on the Vagrant server: did the clients go from power-on to `built` and to their own disk?
#
# Waits for each host (bios and uefi), prints its timeline, ends with `N passed, N failed`.
set -uo pipefail
[ $# -gt 0 ] || set -- bios uefi
passed=0 failed=0
for host in "$@"; do
    echo "== $host"
    if timeout 620 bootwright build wait "$host" --for local_boot --timeout 600; then passed=$((passed + 1))
    else failed=$((failed + 1)); bootwright explain "$host"; fi
    bootwright journal --host "$host" --limit 60
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
