# shellcheck shell=bash
# Counting checks, sourced by every script in this folder: `ok`/`FAIL` lines, and `N passed, N failed` at the end.
passed=0 failed=0
check_out=$(mktemp)

# check TITLE CMD… - run CMD; FAIL shows what it printed.  A program that is not there is a failure, never a skip.
check() {
    local title=$1; shift
    if "$@" >"$check_out" 2>&1 </dev/null; then echo "ok   $title"; passed=$((passed + 1))
    else
        echo "FAIL $title"; failed=$((failed + 1))
        tail -n 25 "$check_out" | sed 's/^/       /'
    fi
}

# refused CMD… - true when CMD says no: not when it runs out of time, and not when it or a part of it is not there
refused() {
    local rc=0 said
    said=$("$@" 2>&1) || rc=$?
    printf '%s\n' "$said"
    [[ $said != *"No module named"* ]] && [ "$rc" != 0 ] && [ "$rc" != 124 ] && [ "$rc" != 127 ]
}

# summary - the closing line; returns 1 when a check failed
summary() {
    rm -f "$check_out"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
