/* Loaded before the C library: fails the n-th call that touches a file under one folder, whoever makes it, Python or Arrow.

   fault_arm(folder, n, code, forever, is_short, counter): from the n-th call on (or that one alone) every call fails with `code`; with
   `is_short` a write takes half of its bytes first and the next one fails. `counter` counts the calls seen. close() closes all the same. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[4096];
static size_t length;
static long wanted;
static int code, forever, is_short;
static long *counter;

void fault_arm(const char *root, long n, int error, int always, int shorten, long *seen) {
    strncpy(folder, root, sizeof folder - 1);
    wanted = n, code = error, forever = always, is_short = shorten, counter = seen;
    length = strlen(folder);
}

static int inside(const char *path) { return length && path && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]); }

static int inside_fd(int fd) {
    char name[64], path[4096];
    if (!length || fd < 0) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(name, path, sizeof path - 1);
    if (got < 0) return 0;
    path[got] = 0;
    return inside(path);
}

static int inside_at(int fd, const char *path) { return path && path[0] == '/' ? inside(path) : inside_fd(fd); }

static int hit(void) {
    long now = __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
    return forever ? now >= wanted : now == wanted;
}

#define REAL(name, type, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, #name)
#define FAIL(where) do { if ((where) && hit()) { errno = code; return -1; } } while (0)

#define OPEN(name)                                                                        \
    int name(const char *path, int flags, ...) {                                          \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        REAL(name, int, const char *, int, ...); FAIL(inside(path));                      \
        return real(path, flags, mode);                                                   \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                      \
    int name(int fd, const char *path, int flags, ...) {                                  \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        REAL(name, int, int, const char *, int, ...); FAIL(inside_at(fd, path));          \
        return real(fd, path, flags, mode);                                               \
    }
OPENAT(openat)
OPENAT(openat64)

/* A short write is no error: half of the bytes are written and said to be; what comes after it fails. */
static int shorten(size_t *size) {
    if (!is_short || *size < 2) return 0;
    *size /= 2;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(write, ssize_t, int, const void *, size_t);
    if (inside_fd(fd) && hit() && !(is_short && *counter == wanted && shorten(&size))) { errno = code; return -1; }
    return real(fd, bytes, size);
}

#define PWRITE(name, offset)                                                              \
    ssize_t name(int fd, const void *bytes, size_t size, offset at) {                     \
        REAL(name, ssize_t, int, const void *, size_t, offset);                           \
        if (inside_fd(fd) && hit() && !(is_short && *counter == wanted && shorten(&size))) { errno = code; return -1; } \
        return real(fd, bytes, size, at);                                                 \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_FD(name) int name(int fd) { REAL(name, int, int); FAIL(inside_fd(fd)); return real(fd); }
ON_FD(fsync)
ON_FD(fdatasync)

int close(int fd) {
    REAL(close, int, int);
    if (inside_fd(fd) && hit()) { real(fd); errno = code; return -1; }
    return real(fd);
}

#define ON_PATH(name) int name(const char *path) { REAL(name, int, const char *); FAIL(inside(path)); return real(path); }
ON_PATH(unlink)
ON_PATH(rmdir)

int unlinkat(int fd, const char *path, int flags) {
    REAL(unlinkat, int, int, const char *, int); FAIL(inside_at(fd, path)); return real(fd, path, flags);
}
int mkdir(const char *path, mode_t mode) { REAL(mkdir, int, const char *, mode_t); FAIL(inside(path)); return real(path, mode); }
int mkdirat(int fd, const char *path, mode_t mode) {
    REAL(mkdirat, int, int, const char *, mode_t); FAIL(inside_at(fd, path)); return real(fd, path, mode);
}
int rename(const char *from, const char *to) { REAL(rename, int, const char *, const char *); FAIL(inside(to)); return real(from, to); }
int renameat(int fd, const char *from, int other, const char *to) {
    REAL(renameat, int, int, const char *, int, const char *); FAIL(inside_at(other, to)); return real(fd, from, other, to);
}
int symlink(const char *target, const char *path) {
    REAL(symlink, int, const char *, const char *); FAIL(inside(path)); return real(target, path);
}
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64, int, int, off64_t); FAIL(inside_fd(fd)); return real(fd, size); }
