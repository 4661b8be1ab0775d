/*
 * Writes down what a process does to the files under one folder: preloaded (LD_PRELOAD) into a process whose power is to fail on paper.
 *
 *   CENOTE_RECORD_UNDER  the folder, absolute
 *   CENOTE_RECORD_LOG    where to write, outside of the folder
 *   CENOTE_SYNC_US       how long a sync takes at least, in microseconds
 *   CENOTE_RECORD_MAPPED if set, a sync writes down all of its file: what was written through a mapping, too
 *   CENOTE_BOOT_ID       a file that is read in place of the kernel's boot id: another boot of the machine
 *
 * A record is written after its call has succeeded, both under one lock that all threads and processes share: the order of the log is
 * the order in which things happened. A file named "acknowledged" is no file: what is written to it is what the process has promised.
 *
 * record:  magic  kind   inode  offset  length  pathBytes otherBytes dataBytes flags   path other data
 *          u32    u32    u64    u64     u64     u32       u32        u32       u32
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MAPPED, ACKNOWLEDGED, SYNC_BEGINS, LINK };
enum { IS_FOLDER = 1, IS_SYNCHRONOUS = 2 };
enum { MAGIC = 0x434e5057, FDS = 4096 };

struct record {
  uint32_t magic, kind;
  uint64_t inode, offset, length;
  uint32_t path_bytes, other_bytes, data_bytes, flags;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *under;
static size_t under_bytes;
static int log_fd = -1;
/* Of each descriptor: 0, or 1 + what was said when it was opened. */
static int tracked[FDS];
enum { SYNCHRONOUS_FD = 1, PROMISE_FD = 2 };

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

static void set_up(void) {
  static int done;
  if (done) return;
  done = 1;
  under = getenv("CENOTE_RECORD_UNDER");
  const char *log = getenv("CENOTE_RECORD_LOG");
  if (under == NULL || log == NULL) return;
  under_bytes = strlen(under);
  log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) abort();
}

static int is_under(const char *path) {
  return log_fd >= 0 && strncmp(path, under, under_bytes) == 0 && (path[under_bytes] == '/' || path[under_bytes] == 0);
}

static void begin(void) {
  pthread_mutex_lock(&mutex);
  if (log_fd >= 0) flock(log_fd, LOCK_EX);
}

static void end(void) {
  int saved = errno;
  if (log_fd >= 0) flock(log_fd, LOCK_UN);
  pthread_mutex_unlock(&mutex);
  errno = saved;
}

static void put(uint32_t kind, uint64_t inode, uint64_t offset, uint64_t length, uint32_t flags, const char *path,
                const char *other, const struct iovec *data, int parts, uint32_t data_bytes) {
  struct record head = {MAGIC, kind, inode, offset, length, strlen(path), strlen(other), data_bytes, flags};
  struct iovec all[3 + 1024];
  all[0] = (struct iovec){&head, sizeof head};
  all[1] = (struct iovec){(void *)path, head.path_bytes};
  all[2] = (struct iovec){(void *)other, head.other_bytes};
  int count = 3;
  for (uint32_t left = data_bytes; left > 0 && count < 3 + parts; data++) {
    size_t bytes = data->iov_len < left ? data->iov_len : left;
    all[count++] = (struct iovec){data->iov_base, bytes};
    left -= bytes;
  }
  size_t total = 0;
  for (int i = 0; i < count; i++) total += all[i].iov_len;
  if (REAL(writev)(log_fd, all, count) != (ssize_t)total) abort();
}

static void put_name(uint32_t kind, uint64_t inode, uint32_t flags, const char *path, const char *other) {
  put(kind, inode, 0, 0, flags, path, other, NULL, 0, 0);
}

static uint64_t inode_of(int fd, int *is_folder) {
  struct stat status;
  if (fstat(fd, &status) != 0) return 0;
  if (is_folder != NULL) *is_folder = S_ISDIR(status.st_mode);
  return status.st_ino;
}

static int is_tracked(int fd) { return fd >= 0 && fd < FDS && tracked[fd] != 0; }

/* The name that a descriptor has now. */
static void path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t bytes = readlink(link, path, PATH_MAX - 1);
  path[bytes < 0 ? 0 : bytes] = 0;
}

static int open_recorded(int folder, const char *path, int flags, mode_t mode) {
  set_up();
  const char *boot = getenv("CENOTE_BOOT_ID");
  if (boot != NULL && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) path = boot;
  if (log_fd < 0) return REAL(openat)(folder, path, flags, mode);
  begin();
  int is_new = (flags & O_CREAT) != 0 && faccessat(folder, path, F_OK, 0) != 0;
  int fd = REAL(openat)(folder, path, flags, mode);
  if (fd >= 0 && fd < FDS) {
    char name[PATH_MAX];
    path_of(fd, name);
    tracked[fd] = 0;
    if (is_under(name)) {
      int said = (flags & (O_SYNC | O_DSYNC)) != 0 ? SYNCHRONOUS_FD : 0;
      const char *last = strrchr(name, '/');
      if (last != NULL && strcmp(last, "/acknowledged") == 0) said = PROMISE_FD;
      tracked[fd] = 1 + said;
      uint64_t inode = inode_of(fd, NULL);
      if (said != PROMISE_FD) {
        if (is_new) put_name(CREATE, inode, 0, name, "");
        else if (flags & O_TRUNC) put(TRUNCATE, inode, 0, 0, 0, "", "", NULL, 0, 0);
      }
    }
  }
  end();
  return fd;
}

static mode_t mode_of(int flags, va_list list) {
  return flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

#define OPEN(name)                                            \
  int name(const char *path, int flags, ...) {                \
    va_list list;                                             \
    va_start(list, flags);                                    \
    mode_t mode = mode_of(flags, list);                       \
    va_end(list);                                             \
    return open_recorded(AT_FDCWD, path, flags, mode);        \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                          \
  int name(int folder, const char *path, int flags, ...) {    \
    va_list list;                                             \
    va_start(list, flags);                                    \
    mode_t mode = mode_of(flags, list);                       \
    va_end(list);                                             \
    return open_recorded(folder, path, flags, mode);          \
  }
/* The real openat is what open_recorded calls: openat64 stands for both. */
OPENAT(openat64)

int close(int fd) {
  if (is_tracked(fd)) tracked[fd] = 0;
  return REAL(close)(fd);
}

static void wrote(int fd, const struct iovec *data, int parts, ssize_t bytes, off_t offset) {
  if (bytes <= 0) return;
  int said = tracked[fd] - 1;
  uint32_t kind = said == PROMISE_FD ? ACKNOWLEDGED : WRITE;
  uint32_t flags = said == SYNCHRONOUS_FD ? IS_SYNCHRONOUS : 0;
  put(kind, inode_of(fd, NULL), offset, bytes, flags, "", "", data, parts, bytes);
}

/* A call that writes: made and written down. `at` is where it writes, -1 for the position of the descriptor. */
#define WRITING(fd, data, parts, at, call)                    \
  if (!is_tracked(fd)) return call;                           \
  begin();                                                    \
  int appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;         \
  off_t offset = (at) >= 0 ? (off_t)(at) : lseek(fd, 0, appends ? SEEK_END : SEEK_CUR); \
  ssize_t bytes = call;                                       \
  wrote(fd, data, parts, bytes, offset);                      \
  end();                                                      \
  return bytes;

ssize_t write(int fd, const void *from, size_t count) {
  struct iovec data = {(void *)from, count};
  WRITING(fd, &data, 1, (off_t)-1, REAL(write)(fd, from, count))
}
ssize_t pwrite(int fd, const void *from, size_t count, off_t at) {
  struct iovec data = {(void *)from, count};
  WRITING(fd, &data, 1, at, REAL(pwrite)(fd, from, count, at))
}
ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at) {
  struct iovec data = {(void *)from, count};
  WRITING(fd, &data, 1, at, REAL(pwrite64)(fd, from, count, at))
}
ssize_t writev(int fd, const struct iovec *data, int parts) {
  WRITING(fd, data, parts, (off_t)-1, REAL(writev)(fd, data, parts))
}
ssize_t pwritev(int fd, const struct iovec *data, int parts, off_t at) {
  WRITING(fd, data, parts, at, REAL(pwritev)(fd, data, parts, at))
}
ssize_t pwritev64(int fd, const struct iovec *data, int parts, off64_t at) {
  WRITING(fd, data, parts, at, REAL(pwritev64)(fd, data, parts, at))
}

#define SIZING(fd, sizeBytes, call)                           \
  if (!is_tracked(fd)) return call;                           \
  begin();                                                    \
  int result = call;                                          \
  if (result == 0) put(TRUNCATE, inode_of(fd, NULL), 0, sizeBytes, 0, "", "", NULL, 0, 0); \
  end();                                                      \
  return result;

int ftruncate(int fd, off_t size) { SIZING(fd, size, REAL(ftruncate)(fd, size)) }
int ftruncate64(int fd, off64_t size) { SIZING(fd, size, REAL(ftruncate64)(fd, size)) }

/*
 * A sync covers what was written before it began; others go on meanwhile. `offset` of both records tells which belong together. It takes
 * as long as on a disk.
 */
static void put_content(int fd, uint64_t inode) {
  static char piece[1 << 20];
  struct stat status;
  if (fstat(fd, &status) != 0) return;
  put(TRUNCATE, inode, 0, status.st_size, 0, "", "", NULL, 0, 0);
  for (off_t at = 0; at < status.st_size;) {
    ssize_t bytes = pread(fd, piece, sizeof piece, at);
    if (bytes <= 0) return;
    struct iovec data = {piece, bytes};
    put(WRITE, inode, at, bytes, 0, "", "", &data, 1, bytes);
    at += bytes;
  }
}

static int synced(int fd, int (*call)(int)) {
  if (!is_tracked(fd)) return call(fd);
  static uint64_t syncs;
  char name[PATH_MAX];
  int is_folder = 0;
  begin();
  uint64_t inode = inode_of(fd, &is_folder);
  uint64_t token = ((uint64_t)getpid() << 32) + ++syncs;
  uint32_t flags = is_folder ? IS_FOLDER : 0;
  path_of(fd, name);
  if (!is_folder && getenv("CENOTE_RECORD_MAPPED") != NULL) put_content(fd, inode);
  put(SYNC_BEGINS, inode, token, 0, flags, name, "", NULL, 0, 0);
  end();
  const char *sleep_us = getenv("CENOTE_SYNC_US");
  if (sleep_us != NULL) usleep(atoi(sleep_us));
  int result = call(fd);
  if (result != 0) return result;
  begin();
  put(SYNC, inode, token, 0, flags, name, "", NULL, 0, 0);
  end();
  return 0;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

int rename(const char *from, const char *to) {
  set_up();
  if (log_fd < 0 || !is_under(to)) return REAL(rename)(from, to);
  begin();
  int result = REAL(rename)(from, to);
  if (result == 0) put_name(RENAME, 0, 0, from, to);
  end();
  return result;
}

int link(const char *from, const char *to) {
  set_up();
  if (log_fd < 0 || !is_under(to)) return REAL(link)(from, to);
  begin();
  int result = REAL(link)(from, to);
  if (result == 0) put_name(LINK, 0, 0, from, to);
  end();
  return result;
}

static int unlink_recorded(const char *path, int is_folder) {
  set_up();
  if (log_fd < 0 || !is_under(path)) return is_folder ? REAL(rmdir)(path) : REAL(unlink)(path);
  begin();
  int result = is_folder ? REAL(rmdir)(path) : REAL(unlink)(path);
  if (result == 0) put_name(UNLINK, 0, is_folder ? IS_FOLDER : 0, path, "");
  end();
  return result;
}
int unlink(const char *path) { return unlink_recorded(path, 0); }
int rmdir(const char *path) { return unlink_recorded(path, 1); }

int mkdir(const char *path, mode_t mode) {
  set_up();
  if (log_fd < 0 || !is_under(path)) return REAL(mkdir)(path, mode);
  begin();
  int result = REAL(mkdir)(path, mode);
  if (result == 0) {
    struct stat status;
    put_name(CREATE, stat(path, &status) == 0 ? status.st_ino : 0, IS_FOLDER, path, "");
  }
  end();
  return result;
}

static void *map_recorded(void *found, int protection, int flags, int fd) {
  if (found != MAP_FAILED && (flags & MAP_SHARED) && (protection & PROT_WRITE) && is_tracked(fd)) {
    char name[PATH_MAX];
    begin();
    path_of(fd, name);
    put_name(MAPPED, inode_of(fd, NULL), 0, name, "");
    end();
  }
  return found;
}
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t at) {
  return map_recorded(REAL(mmap)(address, bytes, protection, flags, fd, at), protection, flags, fd);
}
void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off64_t at) {
  return map_recorded(REAL(mmap64)(address, bytes, protection, flags, fd, at), protection, flags, fd);
}
