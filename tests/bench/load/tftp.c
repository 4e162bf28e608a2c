/* tftp.c - one read request with blksize, tsize and windowsize (RFC 2347-2349, 7440), and the mode `tftp`.
 *
 * The client has the patience of firmware: it says its last word again after -t milliseconds of silence, eight times. After a gap it
 * acknowledges what it has, once; a duplicate is answered only after 50 ms, or one delayed packet would double the rest of a transfer.
 */
#include "load.h"
#include <fcntl.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { DATA = 3, FAILURE = 5, OPTIONS = 6 };
#define MOST_TRIES 8
#define BATCH 32
#define PACKET 1500

static uint64_t timeouts, gaps, duplicates, failures, wrong_blocks, negotiated_window;
static const uint8_t *expected;
static size_t expected_length;

static void say(struct transfer *transfer, const void *bytes, size_t length) {
    if (is_lost()) return;
    sendto(transfer->source.fd, bytes, length, MSG_DONTWAIT, (struct sockaddr *)&transfer->peer, sizeof transfer->peer);
}

static size_t word(char *into, const char *text) { return strlen(strcpy(into, text)) + 1; }

static void say_request(struct transfer *transfer) {
    char packet[512] = {0, 1}, number[16];
    size_t length = 2;
    length += word(packet + length, transfer->file);
    length += word(packet + length, "octet");
    length += word(packet + length, "tsize");
    length += word(packet + length, "0");
    length += word(packet + length, "blksize");
    sprintf(number, "%u", wish.block);
    length += word(packet + length, number);
    if (wish.window > 1) {
        length += word(packet + length, "windowsize");
        sprintf(number, "%u", wish.window);
        length += word(packet + length, number);
    }
    transfer->peer = wish.server;
    transfer->peer.sin_port = htons(69);
    say(transfer, packet, length);
}

static void acknowledge(struct transfer *transfer, uint16_t block) {
    uint8_t packet[4] = {0, 4, block >> 8, block & 255};
    transfer->in_window = 0;
    transfer->last_ack = now_ns;
    say(transfer, packet, sizeof packet);
}

static void end(struct transfer *transfer, bool whole) {
    timer_clear(&transfer->timer);
    close(transfer->source.fd);
    transfer->source.fd = -1;
    transfer->done(transfer, whole);
}

static void silence(void *whose) {
    struct transfer *transfer = whose;
    if (++transfer->tries > MOST_TRIES) {
        end(transfer, false);
        return;
    }
    timeouts++;
    transfer->saw_gap = false;
    if (transfer->has_peer) acknowledge(transfer, transfer->next - 1);
    else say_request(transfer);
    timer_set(&transfer->timer, wish.tftp_patience_ms, silence, transfer);
}

static void heard(struct transfer *transfer) { timer_set(&transfer->timer, wish.tftp_patience_ms, silence, transfer); }

static void take_terms(struct transfer *transfer, char *packet, size_t length) {
    if (transfer->next != 1) return;
    if (!transfer->has_terms) {
        transfer->has_terms = true;
        transfer->block = 512;
        packet[length - 1] = 0;
        for (char *name = packet + 2, *end = packet + length; name < end && *name;) {
            char *number = name + strlen(name) + 1;
            if (number >= end) break;
            if (!strcasecmp(name, "blksize")) transfer->block = atoi(number);
            if (!strcasecmp(name, "windowsize")) transfer->window = atoi(number);
            if (!strcasecmp(name, "tsize")) transfer->size = strtoull(number, NULL, 10);
            name = number + strlen(number) + 1;
        }
        negotiated_window = transfer->window;
    }
    transfer->tries = 0;
    acknowledge(transfer, 0);
    heard(transfer);
}

/* True when the transfer is over. */
static bool take_data(struct transfer *transfer, const uint8_t *packet, size_t length) {
    uint16_t block = packet[2] << 8 | packet[3], wanted = transfer->next;
    size_t size = length - 4;
    if (!transfer->has_terms) { /* a server without options */
        transfer->has_terms = true;
        transfer->block = 512;
    }
    if (block == wanted) {
        if (expected && (transfer->got + size > expected_length || memcmp(expected + transfer->got, packet + 4, size))) wrong_blocks++;
        transfer->saw_gap = false;
        transfer->tries = 0;
        transfer->got += size;
        transfer->next++;
        transfer->in_window++;
        if (size < transfer->block) {
            acknowledge(transfer, block);
            end(transfer, !transfer->size || transfer->got == transfer->size);
            return true;
        }
        if (transfer->in_window >= transfer->window) acknowledge(transfer, block);
        heard(transfer);
        return false;
    }
    bool is_late = now_ns - transfer->last_ack > 50 * MS;
    if ((uint16_t)(block - wanted) < 0x8000) {
        gaps++;
        if (!transfer->saw_gap || is_late) acknowledge(transfer, wanted - 1);
        transfer->saw_gap = true;
    } else {
        duplicates++;
        if (block == (uint16_t)(wanted - 1) && is_late) acknowledge(transfer, block);
    }
    return false;
}

/* True when the transfer is over. */
static bool arrived(struct transfer *transfer, uint8_t *packet, size_t length, const struct sockaddr_in *from) {
    if (is_lost() || length < 4 || from->sin_addr.s_addr != wish.server.sin_addr.s_addr) return false;
    if (!transfer->has_peer) {
        transfer->peer = *from;
        transfer->has_peer = true;
    } else if (from->sin_port != transfer->peer.sin_port) {
        return false;
    }
    switch (packet[1]) {
    case DATA: return take_data(transfer, packet, length);
    case OPTIONS: take_terms(transfer, (char *)packet, length); return false;
    case FAILURE:
        if (!failures++) fprintf(stderr, "TFTP error %d: %.*s\n", packet[3], (int)length - 4, packet + 4);
        end(transfer, false);
        return true;
    default: return false;
    }
}

static void readable(struct source *source, uint32_t events) {
    static uint8_t bytes[BATCH][PACKET];
    struct transfer *transfer = (struct transfer *)((char *)source - offsetof(struct transfer, source));
    struct sockaddr_in from[BATCH];
    struct iovec into[BATCH];
    struct mmsghdr heads[BATCH];
    int room = transfer->window < 2 ? 2 : transfer->window > BATCH ? BATCH : transfer->window;
    (void)events;
    for (int i = 0; i < room; i++) {
        into[i] = (struct iovec){bytes[i], PACKET};
        heads[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &into[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(source->fd, heads, room, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        if (arrived(transfer, bytes[i], heads[i].msg_len, &from[i])) return;
}

void tftp_begin(struct transfer *transfer, const char *file, struct in_addr from, void (*done)(struct transfer *, bool), void *whose) {
    memset(transfer, 0, sizeof *transfer);
    *transfer = (struct transfer){.file = file, .next = 1, .window = 1, .began = now_ns, .done = done, .whose = whose};
    transfer->source = (struct source){.ready = readable, .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)};
    if (transfer->source.fd < 0) refuse("socket");
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = from};
    if (from.s_addr && bind(transfer->source.fd, (struct sockaddr *)&here, sizeof here)) refuse("a leased address");
    setsockopt(transfer->source.fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){1 << 20}, sizeof(int));
    source_add(&transfer->source, EPOLLIN);
    say_request(transfer);
    heard(transfer);
}

/* ---- the mode: so many clients that fetch the file again and again ---- */

static uint64_t started, whole, broken, bytes_got, running;
static struct samples times;
static struct transfer *transfers;

static void fetched(struct transfer *transfer, bool is_whole);

/* With -o each client speaks from an address of its own, counted up from ours. */
static struct in_addr address_of(const struct transfer *transfer) {
    struct in_addr address = {0};
    if (wish.own_addresses) address.s_addr = htonl(ntohl(wish.local.s_addr) + (uint32_t)(transfer - transfers));
    return address;
}

static void next(struct transfer *transfer) {
    if (started < wish.total && !loop_is_stopping()) {
        started++;
        running++;
        tftp_begin(transfer, wish.file, address_of(transfer), fetched, NULL);
    } else if (!running) {
        loop_stop();
    }
}

static void fetched(struct transfer *transfer, bool is_whole) {
    running--;
    bytes_got += transfer->got;
    if (is_whole && (!expected || transfer->got == expected_length)) {
        whole++;
        sample(&times, now_ns - transfer->began);
    } else {
        broken++;
    }
    next(transfer);
}

static void expect(const char *path) {
    struct stat about;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &about)) refuse(path);
    expected_length = about.st_size;
    expected = mmap(NULL, expected_length, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
}

int tftp_main(void) {
    if (wish.compare) expect(wish.compare);
    if (!wish.total) wish.total = wish.clients;
    transfers = calloc(wish.clients, sizeof *transfers);
    uint64_t began = now_ns;
    for (uint32_t i = 0; i < wish.clients; i++) next(&transfers[i]);
    loop_run(wish.seconds, NULL);
    double seconds = (double)(now_ns - began) / SECOND;
    for (uint32_t i = 0; i < wish.clients; i++)
        if (transfers[i].timer.after) bytes_got += transfers[i].got;
    printf("secs=%.3f window=%lu ok=%lu fail=%lu unfinished=%lu mb_s=%.1f p50_ms=%.1f p99_ms=%.1f max_ms=%.1f timeouts=%lu gaps=%lu dups=%lu errors=%lu "
           "wrong=%lu cli_cpu_us=%.0f\n",
           seconds, negotiated_window, whole, broken, wish.total - whole - broken, bytes_got / seconds / 1e6, percentile(&times, 50) / 1e3,
           percentile(&times, 99) / 1e3, percentile(&times, 100) / 1e3, timeouts, gaps, duplicates, failures, wrong_blocks, cpu_us());
    return 0;
}
