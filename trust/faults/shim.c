/* Stands between a process and its files under one folder (LD_PRELOAD): counts what it does to them, fails or
 * kills at the k-th such operation, and can write each one down with its data, for power.py to replay. It also
 * stands before C++'s operator new, of the thread that armed it.
 *
 * The state lies in shared memory, so that a parent can read what a child did that was killed. Operations on
 * other files pass untouched. Not seen: memory-mapped writes (SQLite's -shm, which no power loss may be asked
 * to keep), and what libc does inside itself (fopen).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE = 2, FSYNC = 4, RENAME = 8, CLOSE = 16, UNLINK = 32, TRUNCATE = 64, MKDIR = 128,
       LINK = 256, READ = 512, NEW = 1024 };
enum { ONCE, FOR_GOOD, SHORT, KILL_BEFORE, KILL_HALFWAY, KILL_AFTER };
enum { MOST_FILES = 4096, MOST_PATH = 4096 };

static struct state {
  char under[MOST_PATH];
  size_t n_under;
  int armed, mode, error;
  unsigned kinds;
  long k;                      /* the operation of these kinds that is hit */
  volatile long seen, hits;    /* operations of these kinds, and those that were hit, since arming */
  volatile long changes;       /* writes, renames, ... since `trust_mark` that went well */
  int log;
} *s;

static unsigned char watched[MOST_FILES]; /* whether a descriptor is of a file under the folder */
static __thread int armed_here; /* whether memory runs out in this thread */
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ({ static __typeof__(&name) f; if (!f) f = (__typeof__(f))dlsym(RTLD_NEXT, #name); f; })

__attribute__((constructor)) static void begin(void) {
  s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (s == MAP_FAILED) abort();
  s->log = -1;
}

/* What the tests call, through ctypes. */

__attribute__((visibility("default"))) void trust_watch(const char *folder, int log) {
  s->armed = 0;
  memset(watched, 0, sizeof watched);
  s->n_under = strlen(folder);
  memcpy(s->under, folder, s->n_under + 1);
  s->log = log;
}

__attribute__((visibility("default"))) void trust_arm(unsigned kinds, long k, int mode, int error) {
  s->kinds = kinds, s->k = k, s->mode = mode, s->error = error;
  s->seen = s->hits = 0;
  armed_here = 1;
  s->armed = 1;
}

__attribute__((visibility("default"))) void trust_disarm(void) { s->armed = armed_here = 0; }
__attribute__((visibility("default"))) void trust_mark(void) { s->changes = 0; }
__attribute__((visibility("default"))) long trust_seen(void) { return s->seen; }
__attribute__((visibility("default"))) long trust_hits(void) { return s->hits; }
__attribute__((visibility("default"))) long trust_changes(void) { return s->changes; }

/* What is done at an operation. */

static int is_under(const char *path) {
  return s && s->n_under && path && !strncmp(path, s->under, s->n_under) &&
         (path[s->n_under] == '/' || !path[s->n_under]);
}

static int is_watched(int fd) { return s && s->n_under && fd >= 0 && fd < MOST_FILES && watched[fd]; }

/* The mode in which an operation is hit, or -1. Sets errno. */
static int hit(unsigned kind) {
  if (!s->armed || !(s->kinds & kind)) return -1;
  const long n = __atomic_add_fetch(&s->seen, 1, __ATOMIC_RELAXED);
  if (s->mode == FOR_GOOD ? n < s->k : n != s->k) return -1;
  __atomic_add_fetch(&s->hits, 1, __ATOMIC_RELAXED);
  if (s->mode == KILL_BEFORE) kill(getpid(), SIGKILL);
  errno = s->error;
  return s->mode;
}

static void done(int mode, int changes) {
  if (changes) __atomic_add_fetch(&s->changes, 1, __ATOMIC_RELAXED);
  if (mode == KILL_HALFWAY || mode == KILL_AFTER) kill(getpid(), SIGKILL);
}

static int fails(int mode) { return mode == ONCE || mode == FOR_GOOD || mode == SHORT; }

static void note(const char *head, const void *data, size_t n) {
  struct iovec parts[2] = {{(void *)head, strlen(head)}, {(void *)data, n}};
  if (s->log >= 0 && writev(s->log, parts, n ? 2 : 1) < 0) abort();
}

#define NOTE(...) do { if (s->log >= 0) { char line[2 * MOST_PATH + 64]; \
  snprintf(line, sizeof line, __VA_ARGS__); note(line, NULL, 0); } } while (0)

__attribute__((visibility("default"))) void trust_note(const char *text) {
  pthread_mutex_lock(&busy);
  NOTE("A %s\n", text);
  pthread_mutex_unlock(&busy);
}

static unsigned long long inode_of(int fd) {
  struct stat found;
  return fstat(fd, &found) ? 0 : found.st_ino;
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  if (!is_under(path)) {
    const int fd = real(path, flags, mode);
    if (fd >= 0 && fd < MOST_FILES) watched[fd] = 0;
    return fd;
  }
  const int how = hit(OPEN);
  if (fails(how)) return -1;
  pthread_mutex_lock(&busy);
  const int is_new = (flags & O_CREAT) && access(path, F_OK);
  const int fd = real(path, flags, mode);
  if (fd >= 0) {
    if (fd < MOST_FILES) watched[fd] = 1;
    if (is_new) NOTE("C %llu %s\n", inode_of(fd), path);
    else if (flags & O_TRUNC) NOTE("T %llu 0\n", inode_of(fd));
  }
  pthread_mutex_unlock(&busy);
  done(how, fd >= 0 && is_new);
  return fd;
}

#define OPENER(name) \
  int name(const char *path, int flags, ...) { \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
    return opened(REAL(name), path, flags, mode); \
  }
OPENER(open)
OPENER(open64)

#define OPENER_AT(name, base) \
  int name(int at, const char *path, int flags, ...) { \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
    if (path[0] == '/') return opened(REAL(base), path, flags, mode); \
    const int fd = REAL(name)(at, path, flags, mode); \
    if (fd >= 0 && fd < MOST_FILES) watched[fd] = 0; \
    return fd; \
  }
OPENER_AT(openat, open)
OPENER_AT(openat64, open64)

int close(int fd) {
  if (!is_watched(fd)) return REAL(close)(fd);
  const int how = hit(CLOSE), error = errno;
  watched[fd] = 0;
  const int result = REAL(close)(fd); /* the descriptor is gone, whatever close says: so it is on Linux */
  done(how, 0);
  if (!fails(how)) return result;
  errno = error;
  return -1;
}

static ssize_t wrote(int fd, const void *data, size_t n, off_t at, int placed) {
  const int how = hit(WRITE);
  if (how == ONCE || how == FOR_GOOD) return -1;
  if ((how == SHORT || how == KILL_HALFWAY) && n > 1) n /= 2;
  pthread_mutex_lock(&busy);
  if (!placed && s->log >= 0) at = lseek(fd, 0, SEEK_CUR);
  const ssize_t result = placed ? REAL(pwrite)(fd, data, n, at) : REAL(write)(fd, data, n);
  if (result > 0 && s->log >= 0) {
    char line[128];
    snprintf(line, sizeof line, "W %llu %lld %lld\n", inode_of(fd), (long long)at, (long long)result);
    note(line, data, (size_t)result);
  }
  pthread_mutex_unlock(&busy);
  done(how, result > 0);
  return result;
}

ssize_t write(int fd, const void *data, size_t n) {
  return is_watched(fd) ? wrote(fd, data, n, 0, 0) : REAL(write)(fd, data, n);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
  return is_watched(fd) ? wrote(fd, data, n, at, 1) : REAL(pwrite)(fd, data, n, at);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  return is_watched(fd) ? wrote(fd, data, n, at, 1) : REAL(pwrite64)(fd, data, n, at);
}

/* Of a read "half of it" is no failure: it is what a signal does. */
static ssize_t was_read(int fd, void *data, size_t n, off_t at, int placed) {
  const int how = hit(READ);
  if (how == ONCE || how == FOR_GOOD) return -1;
  if (how == SHORT && n > 1) n /= 2;
  return placed ? REAL(pread)(fd, data, n, at) : REAL(read)(fd, data, n);
}
ssize_t read(int fd, void *data, size_t n) {
  return is_watched(fd) ? was_read(fd, data, n, 0, 0) : REAL(read)(fd, data, n);
}
ssize_t pread(int fd, void *data, size_t n, off_t at) {
  return is_watched(fd) ? was_read(fd, data, n, at, 1) : REAL(pread)(fd, data, n, at);
}
ssize_t pread64(int fd, void *data, size_t n, off64_t at) {
  return is_watched(fd) ? was_read(fd, data, n, at, 1) : REAL(pread64)(fd, data, n, at);
}

/* Memory. */

extern void _ZSt17__throw_bad_allocv(void); /* libstdc++'s std::__throw_bad_alloc */

/* pybind11 registers each new object in a table whose nodes have this size. Where there is no memory for one it
   deletes the object twice (seen in 3.1, all holders): nothing that a module made with it can do about. */
enum { PYBIND_NODE = 24 };

static void *allocated(size_t n) {
  void *memory = armed_here && n != PYBIND_NODE && hit(NEW) >= 0 ? NULL : malloc(n ? n : 1);
  if (!memory) _ZSt17__throw_bad_allocv();
  return memory;
}
void *_Znwm(size_t n) { return allocated(n); }
void *_Znam(size_t n) { return allocated(n); }

/* The rest is alike: may it, do it, write it down. */
#define CHANGE(kind, seen, call, letter, ...) \
  do { \
    if (!(seen)) return call; \
    const int how = hit(kind); \
    if (fails(how)) { \
      const int error = errno; \
      if ((kind) == FSYNC) NOTE("F" __VA_ARGS__); /* for good: what was to be synced may be gone */ \
      errno = error; \
      return -1; \
    } \
    pthread_mutex_lock(&busy); \
    const int result = call; \
    if (!result) NOTE(letter __VA_ARGS__); \
    pthread_mutex_unlock(&busy); \
    done(how, !result && (kind) != FSYNC); \
    return result; \
  } while (0)

int fsync(int fd) { CHANGE(FSYNC, is_watched(fd), REAL(fsync)(fd), "S", " %llu\n", inode_of(fd)); }
int fdatasync(int fd) { CHANGE(FSYNC, is_watched(fd), REAL(fdatasync)(fd), "S", " %llu\n", inode_of(fd)); }
int ftruncate(int fd, off_t n) {
  CHANGE(TRUNCATE, is_watched(fd), REAL(ftruncate)(fd, n), "T", " %llu %lld\n", inode_of(fd), (long long)n);
}
int ftruncate64(int fd, off64_t n) {
  CHANGE(TRUNCATE, is_watched(fd), REAL(ftruncate64)(fd, n), "T", " %llu %lld\n", inode_of(fd), (long long)n);
}
int rename(const char *from, const char *to) {
  CHANGE(RENAME, is_under(from) || is_under(to), REAL(rename)(from, to), "R", " %s\t%s\n", from, to);
}
int link(const char *from, const char *to) {
  CHANGE(LINK, is_under(to), REAL(link)(from, to), "L", " %s\t%s\n", from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
  CHANGE(LINK, is_under(to), REAL(linkat)(a, from, b, to, flags), "L", " %s\t%s\n", from, to);
}
int unlink(const char *path) { CHANGE(UNLINK, is_under(path), REAL(unlink)(path), "U", " %s\n", path); }
int rmdir(const char *path) { CHANGE(UNLINK, is_under(path), REAL(rmdir)(path), "U", " %s\n", path); }

static unsigned long long folder_of(const char *path) {
  struct stat found;
  return stat(path, &found) ? 0 : found.st_ino;
}
int mkdir(const char *path, mode_t mode) {
  CHANGE(MKDIR, is_under(path), REAL(mkdir)(path, mode), "M", " %llu %s\n", folder_of(path), path);
}
