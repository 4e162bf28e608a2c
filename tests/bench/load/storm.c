/* storm.c - whole machines, all switched on within the ramp, and the mode `storm`.
 *
 *   DHCP as firmware -> the loader that option 67 names, by TFTP -> DHCP as iPXE -> the script that option 67 names, by HTTP
 *   -> every URL of the script's lines `kernel`, `initrd` and `imgfetch`
 *
 * Nobody tells the machines what to ask for, so any boot server can be measured with them. Patience is firmware's: DHCP 4, 8, 16, 32 s;
 * TFTP 1 s, eight times; HTTP 60 s; iPXE asks again for a script that is not there (503) after the seconds that the answer names, or 4.
 * With -o every machine uses the address that it leased. They stop where an installer would begin.
 */
#include "load.h"

enum stage { FIRMWARE, LOADER, IPXE, SCRIPT, FILES, STAGES };
static const char *const stage_names[STAGES] = {"dhcp1", "tftp", "dhcp2", "script", "files"};
#define MOST_ASKS 30

struct machine {
    uint32_t number;
    enum stage stage;
    unsigned asks;
    uint64_t began;
    struct exchange exchange;
    struct transfer transfer;
    struct request request;
    char loader[192];
    char *script, *rest; /* the script, and where its next line begins */
    struct timer timer;
};

static uint64_t booted, failed_at[STAGES], asked_again, bytes_got;
static uint32_t running, most_running, over;
static struct samples boots, by_stage[STAGES];

static void ended(struct machine *machine, bool is_booted) {
    over++;
    running--;
    if (is_booted) {
        booted++;
        sample(&boots, now_ns - machine->began);
    } else {
        failed_at[machine->stage]++;
    }
    http_close(&machine->request);
    free(machine->script);
    machine->script = NULL;
    if (over == wish.hosts) loop_stop();
}

static struct in_addr own_address(const struct machine *machine) {
    return wish.own_addresses ? machine->exchange.address : (struct in_addr){0};
}

/* The path of an http:// URL; NULL if it is none. */
static char *path_of(char *url) {
    if (strncmp(url, "http://", 7)) return NULL;
    return strchr(url + 7, '/');
}

/* The next path that the script loads, cut out of it; NULL at its end. */
static char *next_path(struct machine *machine) {
    while (machine->rest && *machine->rest) {
        char *line = machine->rest, *line_end = strchr(line, '\n');
        machine->rest = line_end ? line_end + 1 : NULL;
        if (line_end) *line_end = 0;
        if (strncmp(line, "kernel ", 7) && strncmp(line, "initrd ", 7) && strncmp(line, "imgfetch ", 9)) continue;
        char *url = strstr(line, "http://");
        if (!url) continue;
        url[strcspn(url, " ")] = 0;
        char *path = path_of(url);
        if (path) return path;
    }
    return NULL;
}

static void fetch_next(struct machine *machine);

static void file_came(struct request *request, bool fine) {
    struct machine *machine = request->whose;
    bytes_got += request->received;
    if (!fine) {
        if (failed_at[FILES] < 3) fprintf(stderr, "machine %u: a file ended with status %d\n", machine->number, request->status);
        ended(machine, false);
        return;
    }
    sample(&by_stage[FILES], now_ns - request->began);
    fetch_next(machine);
}

static void fetch_next(struct machine *machine) {
    char *path = next_path(machine);
    if (path) http_get(&machine->request, path, own_address(machine), file_came, machine);
    else ended(machine, true);
}

static void ask_script(void *whose);

static void script_came(struct request *request, bool fine) {
    struct machine *machine = request->whose;
    request->body = NULL;
    bytes_got += request->received;
    if (request->status == 503 && ++machine->asks < MOST_ASKS) {
        if (asked_again++ < 3) fprintf(stderr, "machine %u: the script comes later: %.300s\n", machine->number, machine->script);
        char *after = strcasestr(request->head, "\r\nretry-after:");
        timer_set(&machine->timer, after ? 1000 * atoi(after + 14) : 4000, ask_script, machine);
        return;
    }
    machine->rest = machine->script;
    if (!fine || !strstr(machine->script, "\nkernel ")) {
        if (failed_at[SCRIPT] < 3) fprintf(stderr, "machine %u: the script ended with status %d: %.200s\n", machine->number, request->status, machine->script);
        ended(machine, false);
        return;
    }
    sample(&by_stage[SCRIPT], now_ns - request->began);
    machine->stage = FILES;
    fetch_next(machine);
}

static void ask_script(void *whose) {
    struct machine *machine = whose;
    char *path = path_of(machine->exchange.boot_file);
    if (!path) {
        if (failed_at[SCRIPT] < 3) fprintf(stderr, "machine %u: DHCP names no script: %s\n", machine->number, machine->exchange.boot_file);
        ended(machine, false);
        return;
    }
    machine->request.body = machine->script;
    http_get(&machine->request, path, own_address(machine), script_came, machine);
}

static void ipxe_leased(struct exchange *exchange, bool leased) {
    struct machine *machine = exchange->whose;
    if (!leased) {
        ended(machine, false);
        return;
    }
    sample(&by_stage[IPXE], now_ns - exchange->began);
    machine->stage = SCRIPT;
    machine->script = calloc(1, BODY + 1);
    ask_script(machine);
}

static void loader_came(struct transfer *transfer, bool whole) {
    struct machine *machine = transfer->whose;
    bytes_got += transfer->got;
    if (!whole) {
        ended(machine, false);
        return;
    }
    sample(&by_stage[LOADER], now_ns - transfer->began);
    machine->stage = IPXE;
    dhcp_begin(&machine->exchange, machine->number, true, ipxe_leased, machine);
}

static void firmware_leased(struct exchange *exchange, bool leased) {
    struct machine *machine = exchange->whose;
    if (!leased || !*exchange->boot_file) {
        ended(machine, false);
        return;
    }
    sample(&by_stage[FIRMWARE], now_ns - exchange->began);
    machine->stage = LOADER;
    strcpy(machine->loader, exchange->boot_file);
    tftp_begin(&machine->transfer, machine->loader, own_address(machine), loader_came, machine);
}

static void power_on(void *whose) {
    struct machine *machine = whose;
    machine->began = now_ns;
    if (++running > most_running) most_running = running;
    machine->exchange.most_tries = 3;
    dhcp_begin(&machine->exchange, machine->number, false, firmware_leased, machine);
}

static void report(double seconds) {
    printf("secs=%.2f hosts=%u ok=%lu unfinished=%lu boot_p50_ms=%.0f boot_p99_ms=%.0f boot_max_ms=%.0f most_running=%u script_again=%lu mb=%.0f", seconds, wish.hosts, booted,
           (unsigned long)wish.hosts - over, percentile(&boots, 50) / 1e3, percentile(&boots, 99) / 1e3, percentile(&boots, 100) / 1e3, most_running,
           asked_again, bytes_got / 1e6);
    for (int stage = 0; stage < STAGES; stage++)
        printf(" fail_%s=%lu %s_p50_ms=%.1f %s_p99_ms=%.1f", stage_names[stage], failed_at[stage], stage_names[stage], percentile(&by_stage[stage], 50) / 1e3,
               stage_names[stage], percentile(&by_stage[stage], 99) / 1e3);
    printf(" cli_cpu_us=%.0f\n", cpu_us());
}

int storm_main(void) {
    dhcp_open();
    struct machine *machines = calloc(wish.hosts, sizeof *machines);
    uint64_t began = now_ns;
    for (uint32_t i = 0; i < wish.hosts; i++) {
        machines[i].number = i;
        timer_set(&machines[i].timer, 1 + wish.ramp_seconds * 1000 * i / wish.hosts, power_on, &machines[i]);
    }
    loop_run(wish.seconds, dhcp_flush);
    report((double)(now_ns - began) / SECOND);
    return 0;
}
