/*
 * cache-scratch: one thread allocates a byte for each worker. A worker frees its byte; then, again and again, it allocates a
 * byte, writes it many times, and frees it. Workers whose bytes share a cache line slow each other down.
 *
 * a: writes of all workers together to one byte each.
 */

#include <stdlib.h>

#include "programs.h"

static struct options options;
static char *first[WORKERS_MAX];

static void setup(const struct options *given) {
  options = *given;
  for (uint32_t i = 0; i < options.workers; i += 1) {
    first[i] = checked(malloc(1));
    *first[i] = 1;
  }
}

static void work(uint32_t index, uint64_t amount, struct result *result) {
  free(first[index]);
  first[index] = NULL;
  meet();
  const uint64_t writes = options.a / options.workers;
  for (uint64_t i = 0; i < amount; i += 1) {
    volatile char *byte = checked(malloc(1));
    *byte = 1;
    for (uint64_t w = 0; w < writes; w += 1) *byte = (char)(*byte + 1);
    free((void *)byte);
  }
  result->operations = index == 0 ? amount : 0; /* time is of a round of all */
}

const struct program scratch_program = {"scratch", setup, work, NULL, NULL};
