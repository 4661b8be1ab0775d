/*
 * xmalloc-test: the first half of the workers allocate batches of blocks, the other half frees them. Every free is one of
 * another thread's block.
 *
 * slots: blocks of a batch. a: batches that may be on their way. b: bytes of a block; 0 draws 8, 16 … 2048.
 */

#include <stdlib.h>

#include "programs.h"
#include "queue.h"

#define MIXED_SIZES 9

static struct options options;
static struct stack full, empty;
static uint32_t states[WORKERS_MAX];

static void setup(const struct options *given) {
  options = *given;
  open_stack(&full);
  open_stack(&empty);
  fill_stack(&empty, (uint32_t)options.a, options.slots);
  for (uint32_t i = 0; i < options.workers; i += 1) states[i] = seed_of(i);
}

static void produce(uint32_t *state) {
  struct batch *batch = pop(&empty);
  for (uint32_t i = 0; i < options.slots; i += 1) {
    size_t size = options.b != 0 ? options.b : (size_t)8 << below(state, MIXED_SIZES);
    char *block = checked(malloc(size));
    *(volatile char *)block = 1;
    batch->blocks[i] = block;
  }
  push(&full, batch);
}

static void consume(void) {
  struct batch *batch = pop(&full);
  for (uint32_t i = 0; i < options.slots; i += 1) free(batch->blocks[i]);
  push(&empty, batch);
}

/* Operations are frees; each worker of either half does its share of the batches. */
static void work(uint32_t index, uint64_t amount, struct result *result) {
  const int produces = index < options.workers / 2;
  const uint64_t batches = (amount + options.slots - 1) / options.slots;
  for (uint64_t i = 0; i < batches; i += 1) {
    if (produces) produce(&states[index]);
    else consume();
  }
  result->operations = produces ? 0 : batches * options.slots;
  result->state = states[index];
}

const struct program xmalloc_program = {"xmalloc", setup, work, NULL, NULL};
