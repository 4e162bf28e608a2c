/* faults-shim - a disk and a clock that misbehave, for one program: cc -shared -fPIC, then LD_PRELOAD.
 *
 * FAULT_SYNC   a file that holds milliseconds: every fsync and fdatasync takes so much longer
 * FAULT_WRITE  a file that holds an errno: every pwrite to a file below FAULT_BELOW fails with it (a disk that became read-only: 30)
 * FAULT_CLOCK  a file that holds seconds: the wall clock is ahead by so many; the monotonic clock is not touched
 * A file that is missing or empty means nothing. They are read again at every call, so a test changes them while the program runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long number_in(const char *variable) {
    const char *path = getenv(variable);
    char text[32] = "";
    if (!path) return 0;
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    long got = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    return got > 0 ? strtol(text, NULL, 10) : 0;
}

static void rest(void) {
    long millis = number_in("FAULT_SYNC");
    struct timespec wait = {millis / 1000, millis % 1000 * 1000000};
    if (millis > 0) nanosleep(&wait, NULL);
}

static int refused(int fd) {
    const char *below = getenv("FAULT_BELOW");
    long why = below ? number_in("FAULT_WRITE") : 0;
    char link[64], path[4096];
    if (why <= 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0 || strncmp(path, below, strlen(below)) != 0) return 0;
    errno = (int)why;
    return 1;
}

int fsync(int fd) { rest(); return (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { rest(); return (int)syscall(SYS_fdatasync, fd); }

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return refused(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    return refused(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    long rc = syscall(SYS_clock_gettime, clock, now);
    if (rc == 0 && clock == CLOCK_REALTIME) now->tv_sec += number_in("FAULT_CLOCK");
    return (int)rc;
}
