/* Makes the disk of one process fail on demand. Preloaded into the proxy by scripts/faults.
 *
 * The environment variable STREAMGAUGE_FAULT names a file. While it is there, the calls that SQLite writes with fail with
 * the error that the file's first letter names: `f`: fsync and fdatasync fail with EIO; `r`: every write fails with EROFS.
 * Nothing else in the proxy uses these calls: sockets are written with send, and the log goes to a pipe. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static char fault(void) {
    static const char *path;
    if (path == NULL && (path = getenv("STREAMGAUGE_FAULT")) == NULL) {
        path = "";
    }
    if (*path == '\0' || access(path, F_OK) != 0) {
        return 0;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char word = 0;
    if (fd >= 0) {
        if (read(fd, &word, 1) != 1) {
            word = 0;
        }
        close(fd);
    }
    return word;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(when, error)      \
    if (fault() == (when)) {   \
        errno = (error);       \
        return -1;             \
    }

int fsync(int fd) {
    FAIL('f', EIO)
    return NEXT(fsync)(fd);
}

int fdatasync(int fd) {
    FAIL('f', EIO)
    return NEXT(fdatasync)(fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    FAIL('r', EROFS)
    return NEXT(pwrite)(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    FAIL('r', EROFS)
    return NEXT(pwrite64)(fd, bytes, count, offset);
}

int ftruncate(int fd, off_t length) {
    FAIL('r', EROFS)
    return NEXT(ftruncate)(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    FAIL('r', EROFS)
    return NEXT(ftruncate64)(fd, length);
}
