/*
 * larson: every worker frees a random block of its array and allocates another in its place. After each round the arrays go on
 * to the next worker, which from then on frees what others allocated.
 *
 * slots: blocks of a worker. One range of sizes.
 */

#include <stdlib.h>

#include "programs.h"

static struct options options;
static void **blocks;
static uint32_t states[WORKERS_MAX];
static uint32_t rounds[WORKERS_MAX];

static uint32_t draw_size(uint32_t *state) {
  return options.ranges[0].low + below(state, options.ranges[0].span);
}

static void *take(size_t size) {
  if (options.mode == mode_none) return &options;
  char *block = checked(malloc(size));
  *(volatile char *)block = 1;
  return block;
}

static void setup(const struct options *given) {
  options = *given;
  blocks = checked(calloc((size_t)options.workers * options.slots, sizeof *blocks));
  for (uint32_t i = 0; i < options.workers; i += 1) states[i] = seed_of(i);
}

/* Block k of a worker goes to the array of the (k mod workers)-th after it. */
static void fill(uint32_t index) {
  for (uint32_t k = 0; k < options.slots; k += 1) {
    uint32_t array = (index + k) % options.workers;
    blocks[(size_t)array * options.slots + k] = take(draw_size(&states[index]));
  }
}

static void work(uint32_t index, uint64_t amount, struct result *result) {
  if (rounds[index] == 0) fill(index);
  meet();
  void **array = blocks + (size_t)((index + rounds[index]) % options.workers) * options.slots;
  rounds[index] += 1;
  uint32_t state = states[index];
  for (uint64_t i = 0; i < amount; i += 1) {
    uint32_t k = below(&state, options.slots);
    if (options.mode != mode_none) free(array[k]);
    array[k] = take(draw_size(&state));
  }
  states[index] = state;
  result->state = state;
  result->operations = amount;
}

const struct program larson_program = {"larson", setup, work, NULL, NULL};
