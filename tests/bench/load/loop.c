/* loop.c - the clock, the timer wheel, the epoll loop and the samples of pxeload.
 *
 * The wheel has one slot per millisecond and 65 s of them: setting and clearing a timer costs a few pointers, which matters when each of
 * a million packets sets one.
 */
#include "load.h"
#include <sys/resource.h>
#include <time.h>

uint64_t now_ns;
static int epoll = -1;
static bool stopping;

void refuse(const char *what) {
    perror(what);
    exit(2);
}

static void read_clock(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now_ns = (uint64_t)time.tv_sec * SECOND + time.tv_nsec;
}

#define SLOTS 65536
static struct timer slots[SLOTS];
static uint64_t turned_ms;

void timer_clear(struct timer *timer) {
    if (!timer->after) return;
    timer->after->before = timer->before;
    timer->before->after = timer->after;
    timer->after = timer->before = NULL;
}

void timer_set(struct timer *timer, uint64_t ms, void (*fire)(void *), void *whose) {
    timer_clear(timer);
    uint64_t when = now_ns / MS + ms;
    if (when <= turned_ms) when = turned_ms + 1;
    if (when - turned_ms >= SLOTS) when = turned_ms + SLOTS - 1;
    timer->fire = fire;
    timer->whose = whose;
    struct timer *slot = &slots[when % SLOTS];
    timer->after = slot;
    timer->before = slot->before;
    slot->before->after = timer;
    slot->before = timer;
}

static void turn_wheel(void) {
    for (uint64_t ms = now_ns / MS; turned_ms < ms;) {
        struct timer *slot = &slots[++turned_ms % SLOTS];
        while (slot->after != slot) {
            struct timer *due = slot->after;
            timer_clear(due);
            due->fire(due->whose);
        }
    }
}

void source_add(struct source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, source->fd, &event)) refuse("epoll");
}

void source_change(struct source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, source->fd, &event)) refuse("epoll");
}

void loop_open(void) {
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    epoll = epoll_create1(0);
    read_clock();
    turned_ms = now_ns / MS;
    for (int i = 0; i < SLOTS; i++) slots[i].before = slots[i].after = &slots[i];
}

void loop_stop(void) { stopping = true; }
bool loop_is_stopping(void) { return stopping; }

void loop_run(double most_seconds, void (*before_wait)(void)) {
    uint64_t end = now_ns + (uint64_t)(most_seconds * SECOND);
    struct epoll_event events[256];
    while (!stopping && now_ns < end) {
        if (before_wait) before_wait();
        int count = epoll_wait(epoll, events, 256, 1);
        read_clock();
        for (int i = 0; i < count; i++) {
            struct source *source = events[i].data.ptr;
            source->ready(source, events[i].events);
        }
        turn_wheel();
    }
    stopping = true;
}

void sample(struct samples *samples, uint64_t ns) {
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 4096;
        samples->us = realloc(samples->us, samples->room * sizeof *samples->us);
        if (!samples->us) refuse("memory");
    }
    uint64_t us = ns / 1000;
    samples->us[samples->count++] = us > UINT32_MAX ? UINT32_MAX : us;
}

static int by_size(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return a < b ? -1 : a > b;
}

uint32_t percentile(struct samples *samples, double percent) {
    if (!samples->count) return 0;
    qsort(samples->us, samples->count, sizeof *samples->us, by_size);
    size_t at = percent / 100 * samples->count;
    return samples->us[at < samples->count ? at : samples->count - 1];
}

double cpu_us(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}
