/* System calls that fail at random below one directory, for a program started with LD_PRELOAD.

   FAULT_ROOT  only paths below it fail
   FAULT_RATE  one call in so many fails
   FAULT_SEED  which ones
   FAULT_LOG   a file that receives a line for each fault: the call, and the error or what else was done */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define COUNT(errors) (sizeof(errors) / sizeof((errors)[0]))

static const int READING[] = {EIO, ESTALE, EMFILE, ENFILE, EACCES, EAGAIN, EINTR};
static const int MAKING[] = {EIO, ESTALE, EMFILE, ENFILE, EACCES, EROFS, ENOSPC, EDQUOT, EINTR};
static const int READ[] = {EIO, ESTALE, EAGAIN, EINTR, 0};          /* 0: a part */
static const int WRITTEN[] = {EIO, ENOSPC, EDQUOT, EFBIG, EAGAIN, EINTR, 0};
static const int FLUSHED[] = {EIO, ENOSPC, EDQUOT};
static const int CHANGED[] = {EIO, ESTALE, EACCES, EROFS, ENOSPC, EDQUOT};
static const int LOOKED[] = {EIO, ESTALE, EACCES};

static uint64_t state;

static uint32_t random_below(uint32_t n) { /* splitmix64 */
    if (!state) state = strtoull(getenv("FAULT_SEED") ? getenv("FAULT_SEED") : "1", NULL, 10) + 1;
    uint64_t z = __atomic_add_fetch(&state, 0x9E3779B97F4A7C15u, __ATOMIC_RELAXED);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % n;
}

static void note(const char *call, const char *what) {
    const char *name = getenv("FAULT_LOG");
    int fd = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (fd < 0) return;
    char line[128];
    int n = snprintf(line, sizeof line, "%s %s\n", call, what);
    syscall(SYS_write, fd, line, n);
    syscall(SYS_close, fd);
}

static int fails(const char *path) {
    const char *root = getenv("FAULT_ROOT"), *rate = getenv("FAULT_RATE");
    if (!root || !rate || !path || strncmp(path, root, strlen(root)) != 0) return 0;
    return random_below((uint32_t)atoi(rate)) == 0;
}

static int fails_fd(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return fails(path);
}

/* An error of the list is set and its number returned; 0 stands for "a part". */
static int fault(const char *call, const int *errors, size_t count) {
    int error = errors[random_below((uint32_t)count)];
    note(call, error ? strerrorname_np(error) : "short");
    errno = error;
    return error;
}

static int opened(const char *call, const char *path, int flags) {
    if (!fails(path)) return 0;
    return flags & (O_CREAT | O_WRONLY | O_RDWR) ? fault(call, MAKING, COUNT(MAKING)) : fault(call, READING, COUNT(READING));
}

#define OPEN(name)                                                            \
    int name(const char *path, int flags, ...) {                              \
        va_list list;                                                         \
        va_start(list, flags);                                                \
        mode_t mode = va_arg(list, mode_t);                                   \
        va_end(list);                                                         \
        return opened(#name, path, flags) ? -1 : REAL(name)(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define READ_AS(name, ...)                                                    \
    {                                                                         \
        if (fails_fd(fd)) {                                                   \
            if (fault(#name, READ, COUNT(READ))) return -1;                   \
            if (n > 1) n = 1 + random_below(n > 4096 ? 4096 : (uint32_t)n - 1); \
        }                                                                     \
        return REAL(name)(__VA_ARGS__);                                       \
    }
ssize_t read(int fd, void *data, size_t n) READ_AS(read, fd, data, n)
ssize_t pread(int fd, void *data, size_t n, off_t at) READ_AS(pread, fd, data, n, at)
ssize_t pread64(int fd, void *data, size_t n, off64_t at) READ_AS(pread64, fd, data, n, at)

ssize_t write(int fd, const void *data, size_t n) {
    if (fails_fd(fd)) {
        if (fault("write", WRITTEN, COUNT(WRITTEN))) return -1;
        if (n > 1) n = 1 + random_below((uint32_t)n - 1);
    }
    return REAL(write)(fd, data, n);
}

int fsync(int fd) {
    return fails_fd(fd) && fault("fsync", FLUSHED, COUNT(FLUSHED)) ? -1 : REAL(fsync)(fd);
}

/* A change is made or not, and an error reported either way, as a lost answer of a server does. */
#define CHANGE(name, path, ...)                                               \
    {                                                                         \
        if (!fails(path)) return REAL(name)(__VA_ARGS__);                     \
        int made = random_below(3) == 0 && REAL(name)(__VA_ARGS__) == 0;      \
        fault(made ? #name "-made" : #name, CHANGED, COUNT(CHANGED));         \
        return -1;                                                            \
    }
int link(const char *from, const char *to) CHANGE(link, to, from, to)
int rename(const char *from, const char *to) CHANGE(rename, to, from, to)
int unlink(const char *path) CHANGE(unlink, path, path)
int mkdir(const char *path, mode_t mode) CHANGE(mkdir, path, path, mode)

int lstat(const char *path, struct stat *found) {
    return fails(path) && fault("lstat", LOOKED, COUNT(LOOKED)) ? -1 : REAL(lstat)(path, found);
}
int lstat64(const char *path, struct stat64 *found) {
    return fails(path) && fault("lstat64", LOOKED, COUNT(LOOKED)) ? -1 : REAL(lstat64)(path, found);
}
DIR *opendir(const char *path) {
    return fails(path) && fault("opendir", READING, COUNT(READING)) ? NULL : REAL(opendir)(path);
}
