/* pxeload - one thread that is many booting machines.
 *
 *   pxeload dhcp  -s SERVER -l LOCAL [-n MACHINES] [-w IN_FLIGHT] [-d SECONDS] [-t MS] [-T ALL]
 *   pxeload tftp  -s SERVER -f FILE [-c CLIENTS] [-T TRANSFERS] [-b BLKSIZE] [-w WINDOW] [-t MS] [-d SECONDS] [-V LOCALFILE] [-o -l FIRST]
 *   pxeload http  -s SERVER -f PATH|@LIST [-c CONNECTIONS] [-d SECONDS] [-X]
 *   pxeload storm -s SERVER -l LOCAL -n MACHINES [-j RAMP_SECONDS] [-w WINDOW] [-d SECONDS] [-o]
 *
 *   -L PERCENT of the DHCP and TFTP packets get lost, each way     -a ARCH of firmware (option 93; 7)
 *   -T ALL     until so many machines have a lease, or transfers   -X a new connection for each request
 *   -u AGENT   who asks by HTTP (iPXE)
 *   -V FILE    every byte is compared with it                      -o an address for each machine: the leased one; for TFTP counted from LOCAL
 *
 * Each mode prints one line of key=value at its end. Exit 0 if it ran, whatever the server did.
 */
#include "load.h"

struct wish wish = {
    .hosts = 1000, .clients = 1, .in_flight = 64, .seconds = 10, .ramp_seconds = 10, .dhcp_patience_ms = 1000, .tftp_patience_ms = 1000,
    .block = 1468, .window = 1, .arch = 7, .agent = "iPXE/1.21.1",
};

static uint64_t chance = 88172645463325252ull;

bool is_lost(void) { /* xorshift: good enough to lose packets by, and it costs nothing */
    if (wish.loss_percent <= 0) return false;
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (chance >> 16) % 1000000 < wish.loss_percent * 10000;
}

uint32_t mac_of(uint32_t number) { return number * 2654435761u; }

static struct in_addr address(const char *text) {
    struct in_addr parsed;
    if (inet_pton(AF_INET, text, &parsed) != 1) {
        fprintf(stderr, "pxeload: %s is no address\n", text);
        exit(2);
    }
    return parsed;
}

static void read_wish(int count, char **words) {
    int letter;
    while ((letter = getopt(count, words, "s:l:n:w:d:t:T:f:c:b:u:V:XL:a:oj:")) > 0) switch (letter) {
        case 's': wish.server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = address(optarg)}; break;
        case 'l': wish.local = address(optarg); break;
        case 'n': wish.hosts = strtoul(optarg, NULL, 10); break;
        case 'w': wish.in_flight = wish.window = atoi(optarg); break;
        case 'd': wish.seconds = atof(optarg); break;
        case 't': wish.dhcp_patience_ms = wish.tftp_patience_ms = atoi(optarg); break;
        case 'T': wish.total = strtoull(optarg, NULL, 10); break;
        case 'f': wish.file = optarg; break;
        case 'c': wish.clients = atoi(optarg); break;
        case 'b': wish.block = atoi(optarg); break;
        case 'u': wish.agent = optarg; break;
        case 'V': wish.compare = optarg; break;
        case 'X': wish.close_each = true; break;
        case 'L': wish.loss_percent = atof(optarg); break;
        case 'a': wish.arch = atoi(optarg); break;
        case 'o': wish.own_addresses = true; break;
        case 'j': wish.ramp_seconds = atof(optarg); break;
        default: exit(2);
    }
    if (!wish.server.sin_family || wish.block > 1468) {
        fprintf(stderr, "pxeload: -s SERVER is needed, and blocks have at most 1468 bytes\n");
        exit(2);
    }
}

int main(int count, char **words) {
    static const struct { const char *name; int (*main)(void); } modes[] = {{"dhcp", dhcp_main}, {"tftp", tftp_main}, {"http", http_main}, {"storm", storm_main}};
    const char *mode = count > 1 ? words[1] : "";
    chance ^= (uint64_t)getpid() << 32;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(mode, modes[i].name)) continue;
        loop_open();
        if (modes[i].main == storm_main) wish.dhcp_patience_ms = 4000;
        read_wish(count - 1, words + 1);
        return modes[i].main();
    }
    fprintf(stderr, "usage: pxeload dhcp|tftp|http|storm …; the head of pxeload.c tells the rest\n");
    return 2;
}
