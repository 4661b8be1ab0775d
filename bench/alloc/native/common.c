#include "common.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void rest_for(uint64_t ns) {
  struct timespec rest = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  while (nanosleep(&rest, &rest) != 0) {
  }
}

/* The second number of a file of /proc. By plain system calls: stdio would allocate. */
static uint64_t second_number(const char *path) {
  char text[128] = {0};
  int file = open(path, O_RDONLY);
  if (file < 0) return 0;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return 0;
  char *at = text;
  strtoull(at, &at, 10);
  return strtoull(at, NULL, 10);
}

int has_processors;

uint64_t waited_ns(void) { return has_processors ? second_number("/proc/thread-self/schedstat") : 0; }

uint64_t resident_bytes(void) { return second_number("/proc/self/statm") * PAGE_BYTES; }

void stop(const char *why) {
  fprintf(stderr, "native peer: %s\n", why);
  exit(1);
}

void *checked(void *memory) {
  if (memory == NULL) stop("out of memory");
  return memory;
}
