/* load.h - what the parts of pxeload share: one clock, one timer wheel, one epoll loop, samples with percentiles.
 *
 * One thread and no allocation per packet: the generator must cost less than the servers that it measures. Time is read once per
 * wake-up (`now_ns`), as precise as a wake-up is. Nothing here knows a protocol.
 */
#ifndef LOAD_H
#define LOAD_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS 1000000ull
#define SECOND 1000000000ull

/* ---- the loop (loop.c) ---- */

extern uint64_t now_ns;

struct timer {
    struct timer *before, *after;
    void (*fire)(void *);
    void *whose;
};
/* Fires once after so many milliseconds, at most 65 s; setting it again moves it. */
void timer_set(struct timer *timer, uint64_t ms, void (*fire)(void *), void *whose);
void timer_clear(struct timer *timer);

struct source {
    void (*ready)(struct source *, uint32_t events);
    int fd;
};
void source_add(struct source *source, uint32_t events);
void source_change(struct source *source, uint32_t events);

void loop_open(void);
/* Until `loop_stop`, at most so many seconds; `before_wait` sends what has gathered. */
void loop_run(double most_seconds, void (*before_wait)(void));
void loop_stop(void);
bool loop_is_stopping(void);

/* ---- figures (loop.c) ---- */

struct samples {
    uint32_t *us;
    size_t count, room;
};
void sample(struct samples *samples, uint64_t ns);
/* In microseconds; sorts what is there. */
uint32_t percentile(struct samples *samples, double percent);
double cpu_us(void);
void refuse(const char *what) __attribute__((noreturn));

/* ---- what the command line says (pxeload.c) ---- */

struct wish {
    struct sockaddr_in server;
    struct in_addr local; /* the relay's address, and where replies come to */
    const char *file;     /* TFTP: name; HTTP: path, or @FILE with one path per line */
    const char *agent;    /* HTTP: who asks */
    const char *compare;  /* TFTP: a local file with the bytes that must arrive */
    uint32_t hosts, clients, in_flight;
    uint64_t total;
    double seconds, loss_percent, ramp_seconds;
    unsigned dhcp_patience_ms, tftp_patience_ms, block, window, arch;
    bool own_addresses, close_each;
};
extern struct wish wish;
/* Whether this packet is one of those that get lost (-L), each way. */
bool is_lost(void);
/* The MAC of machine number so, scattered so that no server gains from their order. */
uint32_t mac_of(uint32_t number);

/* ---- DHCP (dhcp.c): one exchange of four packets ---- */

struct exchange {
    uint32_t xid, machine;
    uint8_t awaited; /* 0 nothing, else the type that is waited for: 2 OFFER, 5 ACK */
    uint8_t tries, most_tries;
    bool is_ipxe;
    uint64_t began, asked;
    struct in_addr address, server;
    char boot_file[192];
    struct timer timer;
    void (*done)(struct exchange *, bool leased);
    void *whose;
};
void dhcp_open(void);
void dhcp_flush(void);
void dhcp_begin(struct exchange *exchange, uint32_t machine, bool is_ipxe, void (*done)(struct exchange *, bool), void *whose);
int dhcp_main(void);

/* ---- TFTP (tftp.c): one transfer ---- */

struct transfer {
    struct source source;
    struct sockaddr_in peer;
    const char *file;
    bool has_peer, has_terms, saw_gap;
    uint32_t next, in_window, block, window;
    uint64_t size, got, began, last_ack;
    unsigned tries;
    struct timer timer;
    void (*done)(struct transfer *, bool whole);
    void *whose;
};
void tftp_begin(struct transfer *transfer, const char *file, struct in_addr from, void (*done)(struct transfer *, bool), void *whose);
int tftp_main(void);

/* ---- HTTP (http.c): one request after the other on one connection ---- */

struct request {
    struct source source;
    enum { IDLE, CONNECTING, AWAITING, READING } state;
    uint64_t left, received, began;
    bool has_length, keeps_open;
    int status;
    char head[4096], line[700];
    size_t head_length, line_length, line_sent;
    char *body; /* the first bytes of the body, if somebody wants them: room for BODY and a zero */
    size_t body_length;
    struct timer timer;
    void (*done)(struct request *, bool fine);
    void *whose;
};
#define BODY 8191
void http_get(struct request *request, const char *path, struct in_addr from, void (*done)(struct request *, bool), void *whose);
void http_close(struct request *request);
int http_main(void);

/* ---- whole machines (storm.c) ---- */
int storm_main(void);

#endif
