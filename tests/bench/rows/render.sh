# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # one program in several files: what this one sets or reads, another one uses
# render: an iPXE script and a kickstart of about 150 lines over HTTP, asked for by 10,000 recorded machines in turn; 16 connections.
# Ours records each use durably before it answers; the peers look the host up, render, and record nothing.
row_render() { each "${ONLY:-bootwright jinja2 erb cheetah}"; }

start_render() {
    local dir=$BENCH_DIR/$1
    mkdir -p "$dir"
    case $1 in
    bootwright)
        prepared rich && ours_start bootwright && ours_searched bootwright ;;
    jinja2) # parsed once, served by uvicorn
        inventory && server_start jinja2 env INVENTORY="$BENCH_OUT/inventory" uvicorn --app-dir "$BENCH_BIN/render" --host "$SERVER_IP" --port 80 \
            --no-access-log --log-level error jinja:app
        listening tcp 80 ;;
    erb) # compiled for each request, because its text lies in the database; ActiveRecord, puma with one thread
        inventory && server_start erb env INVENTORY="$BENCH_OUT/inventory" puma -q -e production -t 1:1 -b "tcp://$SERVER_IP:80" "$BENCH_BIN/render/erb.ru"
        listening tcp 80 ;;
    cheetah) # a stand-in for Cobbler: its head says what of Cobbler's work it does and what it leaves out
        inventory && server_start cheetah env INVENTORY="$BENCH_OUT/inventory" uvicorn --app-dir "$BENCH_BIN/render" --host "$SERVER_IP" --port 80 \
            --no-access-log --log-level error cobbler:app
        listening tcp 80 ;;
    esac
}

work_render() {
    local what list
    for what in script kickstart; do
        list=${prepared:-}/paths.$what
        if [ "$1" != bootwright ]; then
            list=$BENCH_DIR/$1/paths
            "$BENCH_BIN/hosts" paths "$HOSTS" "/$what?mac=" >"$list"
        fi
        measured "$1" "$what" "$LOAD" http -s "$SERVER_IP" -f "@$list" -c 16 -d "$SECS"
    done
}

inventory() { [ -s "$BENCH_OUT/inventory/hosts.db" ] || { mkdir -p "$BENCH_OUT/inventory" && "$BENCH_BIN/hosts" inventory "$HOSTS" "$BENCH_OUT/inventory"; }; }
