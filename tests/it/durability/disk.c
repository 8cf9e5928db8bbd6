/* Lets writes and syncs of SQLite's files fail in the program that loads this. The order comes from a file that the
 * test shares with it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

struct order {
    _Atomic int32_t error;  /* which error comes; none while it is 0 */
    _Atomic int32_t passes; /* calls that pass before it */
    _Atomic int32_t always; /* whether it stays until it is lifted */
    _Atomic int32_t met;    /* calls that met it */
};

static struct order *order;

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("ENSEMBLE_TEST_DISK");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED)
        order = shared;
}

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static int fails(int file)
{
    if (!order || atomic_load(&order->error) == 0)
        return 0;
    int before = errno;
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name - 1);
    errno = before;
    if (length <= 0)
        return 0;
    name[length] = 0;
    if (!ends_with(name, ".db-wal") && !ends_with(name, ".db"))
        return 0;
    if (atomic_fetch_sub(&order->passes, 1) > 0)
        return 0;
    int error = atomic_load(&order->always) ? atomic_load(&order->error) : atomic_exchange(&order->error, 0);
    if (error == 0)
        return 0;
    atomic_fetch_add(&order->met, 1);
    errno = error;
    return 1;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t length)
{
    REAL(write);
    return fails(file) ? -1 : real(file, bytes, length);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at)
{
    REAL(pwrite);
    return fails(file) ? -1 : real(file, bytes, length, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at)
{
    REAL(pwrite64);
    return fails(file) ? -1 : real(file, bytes, length, at);
}

int fsync(int file)
{
    REAL(fsync);
    return fails(file) ? -1 : real(file);
}

int fdatasync(int file)
{
    REAL(fdatasync);
    return fails(file) ? -1 : real(file);
}

int ftruncate(int file, off_t length)
{
    REAL(ftruncate);
    return fails(file) ? -1 : real(file, length);
}

int ftruncate64(int file, off64_t length)
{
    REAL(ftruncate64);
    return fails(file) ? -1 : real(file, length);
}
