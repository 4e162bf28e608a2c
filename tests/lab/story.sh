# shellcheck shell=bash
# How one scenario is told: its steps, its clock, its end.  Sourced (after journey.sh) by scenario and live.
#
#   story NAME HOST…   begin: whatever happens, the lab goes down at the end; a failure prints NAME, the step, and everything
#                      that is known of each HOST
vm() { "$LAB_BIN/vm" "$@"; }
proof() { "$LAB_BIN/proof" "$@"; }

story() {
    story_name=$1; shift; story_hosts=("$@") doing=''
    trap story_ends EXIT
    trap 'exit 130' INT TERM
    power_on
}
story_ends() {
    local rc=$?
    trap - EXIT
    [ "$rc" = 0 ] || { echo "FAIL $story_name  $(secs) s after power-on: $doing"; evidence "${story_hosts[@]}" || true; }
    "$LAB_BIN/net" down 2>/dev/null || true
    [ -n "${LAB_KEEP:-}" ] || rm -rf "$LAB_DIR"
    exit "$rc"
}
power_on() { start=$(date +%s%N); }        # from here on `secs` counts
secs() { local t=$((($(date +%s%N) - start) / 100000000)); echo "$((t / 10)).$((t % 10))"; }
step() { doing=$*; }                       # what to say when the next command fails
says() { # TEXT PATTERN - TEXT is what a command printed
    printf '%s\n' "$1" | grep -iE -- "$2" >/dev/null || { printf 'nothing like %s in:\n%s\n' "$2" "$1" >&2; return 1; }
}
silent() { # TEXT PATTERN - the contrary
    ! printf '%s\n' "$1" | grep -iE -- "$2" >&2 || { printf 'should not say %s\n' "$2" >&2; return 1; }
}
console_says() { # HOST PATTERN
    plain <"$(vm log "$1")" | grep -aiE -- "$2" >/dev/null
}

# until_so SECONDS CMD… - wait until CMD succeeds
until_so() {
    local end=$((SECONDS + $1)); shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $end ] || { echo "not so in time: $*" >&2; "$@"; return 1; }
        sleep 0.3
    done
}
