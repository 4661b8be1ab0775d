/*
 * Free-only worker: all workers but the last hold a fixed number of blocks and replace them at random; the last one frees what
 * they replaced and allocates nothing. Memory must not pile up.
 *
 * slots: blocks of a worker. a: batches that may be on their way. b: blocks of a batch. c: bytes of a block.
 */

#include <stdlib.h>

#include "programs.h"
#include "queue.h"

static struct options options;
static struct stack full, empty;
static void **blocks[WORKERS_MAX];
static uint32_t states[WORKERS_MAX];

static void setup(const struct options *given) {
  options = *given;
  open_stack(&full);
  open_stack(&empty);
  fill_stack(&empty, (uint32_t)options.a, (uint32_t)options.b);
  for (uint32_t i = 0; i < options.workers; i += 1) states[i] = seed_of(i);
}

static void *take(void) {
  char *block = checked(malloc(options.c));
  *(volatile char *)block = 1;
  return block;
}

static void fill(uint32_t index) {
  blocks[index] = checked(calloc(options.slots, sizeof **blocks));
  for (uint32_t k = 0; k < options.slots; k += 1) blocks[index][k] = take();
}

static void replace(uint32_t index) {
  struct batch *batch = pop(&empty);
  for (uint64_t i = 0; i < options.b; i += 1) {
    uint32_t k = below(&states[index], options.slots);
    batch->blocks[i] = blocks[index][k];
    blocks[index][k] = take();
  }
  push(&full, batch);
}

static void free_one(void) {
  struct batch *batch = pop(&full);
  for (uint64_t i = 0; i < options.b; i += 1) free(batch->blocks[i]);
  push(&empty, batch);
}

static void work(uint32_t index, uint64_t amount, struct result *result) {
  const uint32_t producers = options.workers - 1;
  const uint64_t batches = (amount + options.b - 1) / options.b;
  if (index < producers) {
    if (blocks[index] == NULL) fill(index);
    for (uint64_t i = 0; i < batches; i += 1) replace(index);
  } else {
    for (uint64_t i = 0; i < batches * producers; i += 1) free_one();
    result->operations = batches * producers * options.b;
  }
  result->state = states[index];
}

const struct program free_only_program = {"free-only", setup, work, NULL, NULL};
