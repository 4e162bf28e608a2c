/* dhcp.c - DISCOVER, OFFER, REQUEST, ACK as a relay agent sends them for many machines, and the mode `dhcp`.
 *
 * Everything goes to the server's port 67 with our address as `giaddr`, and replies come to ours: so one socket speaks for any number of
 * machines without raw frames. Packets leave by sendmmsg once per wake-up. A packet carries what UEFI firmware sends (options 55, 57, 60,
 * 93, 94, 97), or iPXE (77, 175).
 */
#include "load.h"
#include <poll.h>

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };
#define BATCH 64
#define EXCHANGES (1u << 20)

static struct source link_;
static struct sockaddr_in server67;
static struct exchange **by_xid;
static uint32_t next_xid, salt;
static uint64_t naks;
static struct samples offer_times, lease_times;

/* ---- sending ---- */

static uint8_t packets[BATCH][600];
static struct iovec spans[BATCH];
static struct mmsghdr gathered[BATCH];
static int gathered_count;

void dhcp_flush(void) {
    int sent = 0;
    while (sent < gathered_count) {
        int count = sendmmsg(link_.fd, gathered + sent, gathered_count - sent, 0);
        if (count >= 0) {
            sent += count;
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            struct pollfd wait = {link_.fd, POLLOUT, 0};
            poll(&wait, 1, 1);
        } else if (errno != ECONNREFUSED && errno != EINTR) {
            refuse("sendmmsg");
        }
    }
    gathered_count = 0;
}

static uint8_t *option(uint8_t *at, uint8_t code, const void *bytes, uint8_t length) {
    *at++ = code;
    *at++ = length;
    memcpy(at, bytes, length);
    return at + length;
}

static void send_packet(struct exchange *exchange, uint8_t type) {
    static const uint8_t wanted[] = {1, 3, 6, 12, 15, 28, 43, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 130};
    if (is_lost()) return;
    if (gathered_count == BATCH) dhcp_flush();
    uint8_t *packet = packets[gathered_count];
    uint32_t mac = htonl(mac_of(exchange->machine));
    memset(packet, 0, 300);
    memcpy(packet, (uint8_t[]){1, 1, 6, 1}, 4); /* a request by Ethernet, one hop */
    memcpy(packet + 4, &exchange->xid, 4);
    memcpy(packet + 24, &wish.local, 4);
    packet[28] = 0x02;
    packet[29] = 0x50;
    memcpy(packet + 30, &mac, 4);
    memcpy(packet + 236, (uint8_t[]){99, 130, 83, 99}, 4);
    uint8_t *at = option(packet + 240, 53, &type, 1);
    if (type == REQUEST) {
        at = option(at, 50, &exchange->address, 4);
        at = option(at, 54, &exchange->server, 4);
    }
    at = option(at, 55, wanted, sizeof wanted);
    at = option(at, 57, (uint8_t[]){0x05, 0xc0}, 2);
    char vendor[40];
    at = option(at, 60, vendor, sprintf(vendor, "PXEClient:Arch:%05u:UNDI:003016", wish.arch));
    at = option(at, 93, (uint8_t[]){0, wish.arch}, 2);
    at = option(at, 94, (uint8_t[]){1, 3, 16}, 3);
    uint8_t board[17] = {0};
    memcpy(board + 13, &mac, 4);
    at = option(at, 97, board, 17);
    if (exchange->is_ipxe) {
        at = option(at, 77, "iPXE", 4);
        at = option(at, 175, (uint8_t[]){19, 1, 1}, 3); /* it can do HTTP */
    }
    *at++ = 255;
    size_t length = at - packet < 300 ? 300 : at - packet;
    spans[gathered_count] = (struct iovec){packet, length};
    gathered[gathered_count].msg_hdr =
        (struct msghdr){.msg_name = &server67, .msg_namelen = sizeof server67, .msg_iov = &spans[gathered_count], .msg_iovlen = 1};
    gathered_count++;
}

/* ---- one exchange ---- */

static void end(struct exchange *exchange, bool leased) {
    timer_clear(&exchange->timer);
    by_xid[ntohl(exchange->xid) % EXCHANGES] = NULL;
    exchange->awaited = 0;
    exchange->done(exchange, leased);
}

static void ask(struct exchange *exchange);

static void unanswered(void *whose) {
    struct exchange *exchange = whose;
    if (exchange->tries >= exchange->most_tries) {
        end(exchange, false);
        return;
    }
    exchange->tries++;
    ask(exchange);
}

/* The wait doubles from try to try, as firmware does it: 4, 8, 16, 32 s. */
static void ask(struct exchange *exchange) {
    send_packet(exchange, exchange->awaited == OFFER ? DISCOVER : REQUEST);
    timer_set(&exchange->timer, (uint64_t)wish.dhcp_patience_ms << exchange->tries, unanswered, exchange);
}

void dhcp_begin(struct exchange *exchange, uint32_t machine, bool is_ipxe, void (*done)(struct exchange *, bool), void *whose) {
    while (by_xid[next_xid % EXCHANGES]) next_xid++;
    uint32_t slot = next_xid++ % EXCHANGES;
    if (slot == 0) salt++;
    exchange->xid = htonl(slot | (salt & 0xfff) << 20);
    by_xid[slot] = exchange;
    exchange->machine = machine;
    exchange->is_ipxe = is_ipxe;
    exchange->done = done;
    exchange->whose = whose;
    exchange->awaited = OFFER;
    exchange->tries = 0;
    exchange->boot_file[0] = 0;
    exchange->began = exchange->asked = now_ns;
    ask(exchange);
}

struct reply {
    uint8_t type;
    struct in_addr server;
    const uint8_t *file;
    size_t file_length;
};

static struct reply read_reply(const uint8_t *packet, size_t length) {
    struct reply reply = {.file = packet + 108, .file_length = strnlen((const char *)packet + 108, 128)};
    for (size_t at = 240; at < length && packet[at] != 255;) {
        if (packet[at] == 0) {
            at++;
            continue;
        }
        if (at + 2 > length || at + 2 + packet[at + 1] > length) break;
        const uint8_t *bytes = packet + at + 2;
        size_t size = packet[at + 1];
        if (packet[at] == 53 && size == 1) reply.type = bytes[0];
        if (packet[at] == 54 && size == 4) memcpy(&reply.server, bytes, 4);
        if (packet[at] == 67) {
            reply.file = bytes;
            reply.file_length = strnlen((const char *)bytes, size);
        }
        at += 2 + size;
    }
    return reply;
}

static void arrived(const uint8_t *packet, size_t length) {
    uint32_t xid, address;
    if (length < 240 || packet[0] != 2) return;
    memcpy(&xid, packet + 4, 4);
    memcpy(&address, packet + 16, 4);
    struct exchange *exchange = by_xid[ntohl(xid) % EXCHANGES];
    if (!exchange || exchange->xid != xid || is_lost()) return;
    struct reply reply = read_reply(packet, length);
    if (reply.type == OFFER && exchange->awaited == OFFER && address) {
        sample(&offer_times, now_ns - exchange->asked);
        exchange->address.s_addr = address;
        exchange->server = reply.server;
        exchange->awaited = ACK;
        exchange->tries = 0;
        exchange->asked = now_ns;
        ask(exchange);
    } else if (reply.type == ACK && exchange->awaited == ACK && address) {
        sample(&lease_times, now_ns - exchange->began);
        size_t size = reply.file_length < sizeof exchange->boot_file ? reply.file_length : sizeof exchange->boot_file - 1;
        memcpy(exchange->boot_file, reply.file, size);
        exchange->boot_file[size] = 0;
        end(exchange, true);
    } else if (reply.type == NAK) {
        naks++;
        end(exchange, false);
    }
}

static void readable(struct source *source, uint32_t events) {
    static uint8_t bytes[BATCH][1600];
    struct iovec into[BATCH];
    struct mmsghdr heads[BATCH];
    (void)events;
    for (int rounds = 0; rounds < 8; rounds++) {
        for (int i = 0; i < BATCH; i++) {
            into[i] = (struct iovec){bytes[i], sizeof bytes[i]};
            heads[i].msg_hdr = (struct msghdr){.msg_iov = &into[i], .msg_iovlen = 1};
        }
        int count = recvmmsg(source->fd, heads, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) arrived(bytes[i], heads[i].msg_len);
        if (count < BATCH) return;
    }
}

void dhcp_open(void) {
    by_xid = calloc(EXCHANGES, sizeof *by_xid);
    salt = getpid();
    link_.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    link_.ready = readable;
    setsockopt(link_.fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    setsockopt(link_.fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){16 << 20}, sizeof(int));
    setsockopt(link_.fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){16 << 20}, sizeof(int));
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = wish.local, .sin_port = htons(67)};
    if (bind(link_.fd, (struct sockaddr *)&here, sizeof here)) refuse("port 67");
    server67 = wish.server;
    server67.sin_port = htons(67);
    source_add(&link_, EPOLLIN);
}

/* ---- the mode: so many exchanges in flight, for some time or until every machine has a lease ---- */

static uint64_t started, leased, failed, again, in_flight, began, ended;
static struct timer over;

static void lease_ended(struct exchange *exchange, bool got_one);

static void next(struct exchange *exchange) {
    if (!ended && (!wish.total || started < wish.total)) {
        in_flight++;
        dhcp_begin(exchange, started++ % wish.hosts, false, lease_ended, NULL);
    } else if (!in_flight) {
        if (!ended) ended = now_ns;
        loop_stop();
    }
}

static void lease_ended(struct exchange *exchange, bool got_one) {
    in_flight--;
    if (got_one) {
        leased++;
    } else if (wish.total && !ended) { /* every machine is to have one: it begins again */
        again++;
        in_flight++;
        dhcp_begin(exchange, exchange->machine, false, lease_ended, NULL);
        return;
    } else {
        failed++;
    }
    next(exchange);
}

static void time_is_over(void *whose) {
    (void)whose;
    ended = now_ns;
}

int dhcp_main(void) {
    dhcp_open();
    struct exchange *exchanges = calloc(wish.in_flight, sizeof *exchanges);
    began = now_ns;
    timer_set(&over, wish.seconds * 1000, time_is_over, NULL);
    for (uint32_t i = 0; i < wish.in_flight; i++) next(&exchanges[i]);
    loop_run(wish.seconds + wish.dhcp_patience_ms / 500.0 + 2, dhcp_flush);
    if (!ended) ended = now_ns;
    double seconds = (double)(ended - began) / SECOND;
    printf("secs=%.3f started=%lu completed=%lu failed=%lu again=%lu naks=%lu dora_s=%.0f offer_p99_us=%u dora_p50_us=%u dora_p99_us=%u "
           "dora_max_us=%u cli_cpu_us=%.0f\n",
           seconds, started, leased, failed + in_flight, again, naks, leased / seconds, percentile(&offer_times, 99), percentile(&lease_times, 50),
           percentile(&lease_times, 99), percentile(&lease_times, 100), cpu_us());
    return 0;
}
