/* http.c - GET requests on connections that stay open, and the mode `http`.
 *
 * Bodies are thrown away inside the kernel (MSG_TRUNC): the clients' core is not to be what limits the server. Only bodies that somebody wants to
 * read (a script) are copied. A connection that is closed early is reset, so that thousands of them leave no ports behind in TIME_WAIT.
 */
#include "load.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

#define PATIENCE_MS 60000
#define AT_ONCE (8u << 20)

void http_close(struct request *request) {
    if (request->source.fd <= 0) return;
    setsockopt(request->source.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(request->source.fd);
    request->source.fd = -1;
}

static void end(struct request *request, bool fine) {
    timer_clear(&request->timer);
    if (!fine || !request->keeps_open) http_close(request);
    request->state = IDLE;
    request->done(request, fine);
}

static void silence(void *whose) { end(whose, false); }

static bool is_success(const struct request *request) { return request->status >= 200 && request->status < 300; }

static void send_line(struct request *request) {
    while (request->line_sent < request->line_length) {
        ssize_t count = send(request->source.fd, request->line + request->line_sent, request->line_length - request->line_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) {
            if (errno != EAGAIN && errno != ENOTCONN) end(request, false);
            return; /* the rest when the socket is writable */
        }
        request->line_sent += count;
    }
    request->state = AWAITING;
    source_change(&request->source, EPOLLIN);
}

static void keep_body(struct request *request, const char *bytes, size_t count) {
    if (!request->body) return;
    if (count > BODY - request->body_length) count = BODY - request->body_length;
    memcpy(request->body + request->body_length, bytes, count);
    request->body_length += count;
    request->body[request->body_length] = 0;
}

static void read_head(struct request *request) {
    ssize_t count = recv(request->source.fd, request->head + request->head_length, sizeof request->head - 1 - request->head_length, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        end(request, false);
        return;
    }
    request->head_length += count;
    request->head[request->head_length] = 0;
    char *body = strstr(request->head, "\r\n\r\n");
    if (!body) {
        if (request->head_length >= sizeof request->head - 1) end(request, false);
        return;
    }
    *body = 0;
    body += 4;
    size_t have = request->head + request->head_length - body;
    request->status = atoi(request->head + 9);
    char *length = strcasestr(request->head, "\r\ncontent-length:");
    bool is_bare = request->status == 204 || request->status == 304; /* no body, and no length that says so (RFC 9110 8.6) */
    request->has_length = length != NULL || is_bare;
    request->left = is_bare ? 0 : length ? strtoull(length + 17, NULL, 10) - have : UINT64_MAX;
    if (strcasestr(request->head, "\r\nconnection: close") || !strncmp(request->head, "HTTP/1.0", 8)) request->keeps_open = false;
    request->received = have;
    keep_body(request, body, have);
    request->state = READING;
    if (!request->left) end(request, is_success(request));
}

static ssize_t take(struct request *request, size_t most) {
    char copy[4096];
    if (!request->body) return recv(request->source.fd, NULL, most, MSG_DONTWAIT | MSG_TRUNC);
    ssize_t count = recv(request->source.fd, copy, most < sizeof copy ? most : sizeof copy, MSG_DONTWAIT);
    if (count > 0) keep_body(request, copy, count);
    return count;
}

static void read_body(struct request *request) {
    for (int rounds = 0; rounds < 4; rounds++) {
        ssize_t count = take(request, request->left < AT_ONCE ? request->left : AT_ONCE);
        if (count < 0) {
            if (errno != EAGAIN) end(request, false);
            return;
        }
        if (count == 0) {
            request->keeps_open = false;
            end(request, !request->has_length && is_success(request));
            return;
        }
        request->received += count;
        if (!request->has_length) continue;
        request->left -= count;
        if (!request->left) {
            end(request, is_success(request));
            return;
        }
    }
    timer_set(&request->timer, PATIENCE_MS, silence, request);
}

static void ready(struct source *source, uint32_t events) {
    struct request *request = (struct request *)((char *)source - offsetof(struct request, source));
    switch (request->state) {
    case IDLE: /* nothing is asked: the server has closed the connection */
        http_close(request);
        return;
    case CONNECTING:
        if (events & EPOLLOUT) send_line(request);
        else if (events & (EPOLLERR | EPOLLHUP)) end(request, false);
        return;
    case AWAITING: read_head(request); return;
    case READING: read_body(request); return;
    }
}

void http_get(struct request *request, const char *path, struct in_addr from, void (*done)(struct request *, bool), void *whose) {
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &wish.server.sin_addr, host, sizeof host);
    request->line_length = snprintf(request->line, sizeof request->line, "GET %.500s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %.40s\r\n%s\r\n", path, host,
                                    wish.agent, wish.close_each ? "Connection: close\r\n" : "");
    request->line_sent = request->head_length = request->body_length = request->received = request->status = 0;
    request->keeps_open = !wish.close_each;
    request->done = done;
    request->whose = whose;
    request->began = now_ns;
    timer_set(&request->timer, PATIENCE_MS, silence, request);
    if (request->source.fd > 0) {
        request->state = AWAITING;
        send_line(request);
        return;
    }
    request->source = (struct source){.ready = ready, .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    if (request->source.fd < 0) refuse("socket");
    setsockopt(request->source.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = from}, there = wish.server;
    there.sin_port = htons(80);
    if (from.s_addr) {
        setsockopt(request->source.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
        if (bind(request->source.fd, (struct sockaddr *)&here, sizeof here)) refuse("a leased address");
    }
    request->state = CONNECTING;
    if (connect(request->source.fd, (struct sockaddr *)&there, sizeof there) && errno != EINPROGRESS) refuse("connect");
    source_add(&request->source, EPOLLIN | EPOLLOUT);
}

/* ---- the mode: so many connections that ask for one path after the other ---- */

static char **paths;
static size_t path_count, path_next;
static uint64_t fine, failed, bytes_got, stop_at, by_status[6];
static uint32_t running;
static struct samples times;

static void read_paths(const char *what) {
    if (*what != '@') {
        paths = malloc(sizeof *paths);
        paths[path_count++] = strdup(what);
        return;
    }
    FILE *list = fopen(what + 1, "r");
    char line[600];
    if (!list) refuse(what + 1);
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        if (!(path_count & (path_count + 1))) paths = realloc(paths, 2 * (path_count + 1) * sizeof *paths);
        paths[path_count++] = strdup(line);
    }
    fclose(list);
    if (!path_count) refuse("no paths");
}

static void got(struct request *request, bool is_fine);

static void next(struct request *request) {
    if (now_ns < stop_at) {
        running++;
        http_get(request, paths[path_next++ % path_count], (struct in_addr){0}, got, NULL);
    } else if (!running) {
        loop_stop();
    }
}

static void once_more(void *whose) { next(whose); }

static void got(struct request *request, bool is_fine) {
    running--;
    bytes_got += request->received;
    by_status[request->status / 100 < 6 ? request->status / 100 : 0]++;
    if (is_fine) {
        fine++;
        sample(&times, now_ns - request->began);
        next(request);
        return;
    }
    failed++;
    if (now_ns < stop_at) timer_set(&request->timer, 10, once_more, request);
    else if (!running) loop_stop();
}

int http_main(void) {
    read_paths(wish.file);
    struct request *requests = calloc(wish.clients, sizeof *requests);
    uint64_t began = now_ns;
    stop_at = now_ns + (uint64_t)(wish.seconds * SECOND);
    for (uint32_t i = 0; i < wish.clients; i++) next(&requests[i]);
    loop_run(wish.seconds + 0.001, NULL);
    double seconds = (double)(now_ns - began) / SECOND;
    for (uint32_t i = 0; i < wish.clients; i++)
        if (requests[i].state == READING) bytes_got += requests[i].received; /* what is under way counts too */
    printf("secs=%.3f ok=%lu fail=%lu req_s=%.0f gb_s=%.3f bytes=%lu p50_ms=%.2f p99_ms=%.2f max_ms=%.2f c2xx=%lu c4xx=%lu c5xx=%lu cli_cpu_us=%.0f\n", seconds,
           fine, failed, fine / seconds, bytes_got / seconds / 1e9, bytes_got, percentile(&times, 50) / 1e3, percentile(&times, 99) / 1e3,
           percentile(&times, 100) / 1e3, by_status[2], by_status[4], by_status[5], cpu_us());
    return 0;
}
