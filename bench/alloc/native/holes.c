/*
 * Free holes: memory full of free runs of one to four pages, each between blocks in use. Then a large block is allocated and
 * freed again and again: the allocator must not look at every hole.
 *
 * slots: holes. a: bytes of the large block.
 */

#include <stdlib.h>

#include "programs.h"

static struct options options;

static void setup(const struct options *given) {
  options = *given;
  void **holes = checked(calloc(options.slots, sizeof *holes));
  uint32_t state = seed_of(0);
  for (uint32_t k = 0; k < options.slots; k += 1) {
    holes[k] = checked(malloc((1 + below(&state, 4)) * PAGE_BYTES));
    checked(malloc(PAGE_BYTES)); /* stays, and keeps holes apart */
  }
  for (uint32_t k = 0; k < options.slots; k += 1) free(holes[k]);
  free(holes);
}

static void work(uint32_t index, uint64_t amount, struct result *result) {
  (void)index;
  for (uint64_t i = 0; i < amount; i += 1) {
    char *block = checked(malloc(options.a));
    *(volatile char *)block = 1;
    free(block);
  }
  result->operations = amount;
}

const struct program holes_program = {"holes", setup, work, NULL, NULL};
