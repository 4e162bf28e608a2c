# shellcheck shell=bash
# Asking the daemon about one host, and wiping it.  Sourced (after journey.sh and story.sh) by live and demo.  HOST is a name or a MAC.

host_json() { bw --json host show "$1"; }
name_of() { host_json "$1" | proof get name; }
state_of() { host_json "$1" | proof get lifecycle.state; }

# until_state HOST STATE SECONDS - the host need not be recorded yet; over at once when it is in error instead
until_state() { BW_LIMIT=$(($3 + 20)) bw host wait "$1" --state "$2" --timeout "$3" >/dev/null; }
# until_error HOST SECONDS - error{cleaning}, and on the way never available
until_error() {
    until_state "$1" error "$2"
    [ "$(host_json "$1" | proof get lifecycle.from.state)" = cleaning ] && [ "$(entered "$1" available)" = 0 ]
}

# wipe_plan HOST POLICY - the plan, into plan.json
wipe_plan() { bw --json host wipe-plan "$1" ${2:+--policy "$2"} >"$LAB_DIR/plan.json"; }
plan_has() { proof count "plan.$1" "$LAB_DIR/plan.json"; }

# order_wipe HOST VERB POLICY [WORDS…] - look at the plan, confirm it by its hash and the host's name
order_wipe() {
    local host=$1 verb=$2 policy=$3; shift 3
    wipe_plan "$host" "$policy"
    bw host "$verb" "$host" --confirm "$(name_of "$host")" ${policy:+--policy "$policy"} \
        --plan "$(proof get plan_hash "$LAB_DIR/plan.json")" "$@" >"$LAB_DIR/order.out" 2>&1 || { cat "$LAB_DIR/order.out" >&2; return 1; }
}

refused_verb() { # HOST VERB - the daemon says no, and stays where it was
    local before; before=$(state_of "$1")
    ! bw host "$2" "$1" --confirm "$(name_of "$1")" >"$LAB_DIR/refused.out" 2>&1 || { echo "$2 was not refused" >&2; return 1; }
    [ "$(state_of "$1")" = "$before" ]
}

# held HOST - the script that it gets holds it: no kernel, no disk
held() {
    local script
    script=$(in_ns curl -sf -m 10 "http://$LAB_IP4/boot.ipxe?mac=$1&arch=bios")
    says "$script" 'HELD' && silent "$script" '^ *(sanboot|exit|kernel|boot)'
}

# unsigned FILE SECTOR… - nothing on this computer finds a signature there
unsigned() {
    local file=$1 at said; shift
    said=$(wipefs -n "$file"); [ -z "$said" ] || { echo "$said" >&2; return 1; }
    for at in "$@"; do
        said=$(blkid -p -O $((at * 512)) "$file") && { echo "at $at: $said" >&2; return 1; }
    done
    return 0
}

# entered HOST STATE - how often it entered that state
entered() { bw --json journal --host "$1" --limit 1000 | proof entered "$2"; }

# certificates_say HOST CATEGORY OK SERIAL… - the newest certificate of each of these disks is what the journal has, and says this
certificates_say() {
    local host=$1 category=$2 ok=$3 serials; shift 3
    serials=$(IFS=,; echo "$*")
    rm -rf "$LAB_DIR/certificates"
    bw host certificates "$host" --save "$LAB_DIR/certificates" >/dev/null
    bw --json journal --host "$host" --limit 1000 >"$LAB_DIR/journal.json"
    proof certificates "$LAB_DIR/journal.json" "$category" "$ok" "$serials" "$LAB_DIR"/certificates/*.json
}
