/*
 * A recorded trace, played from the first operation to the last and again.
 *
 * file: two 32-bit words per operation: slot, and bytes to allocate, or 0 to free what is there. slots: of the table.
 */

#include <stdlib.h>

#include "programs.h"

static struct options options;
static int32_t *words;
static uint64_t count;
static uint64_t at;
static void **slots;

static void setup(const struct options *given) {
  options = *given;
  FILE *file = options.file == NULL ? NULL : fopen(options.file, "rb");
  if (file == NULL) stop("replay needs file=PATH");
  fseek(file, 0, SEEK_END);
  long bytes = ftell(file);
  rewind(file);
  words = checked(malloc((size_t)bytes));
  if (fread(words, 1, (size_t)bytes, file) != (size_t)bytes) stop("the trace cannot be read");
  fclose(file);
  count = (uint64_t)bytes / 8;
  slots = checked(calloc(options.slots, sizeof *slots));
}

static void work(uint32_t index, uint64_t amount, struct result *result) {
  (void)index;
  const int takes = options.mode != mode_none;
  for (uint64_t i = 0; i < amount; i += 1) {
    const int32_t slot = words[2 * at];
    const int32_t size = words[2 * at + 1];
    at = at + 1 == count ? 0 : at + 1;
    if (size == 0) {
      if (takes) free(slots[slot]);
    } else {
      char *block = takes ? checked(malloc((size_t)size)) : (char *)&options;
      *(volatile char *)block = 1;
      slots[slot] = block;
    }
  }
  result->operations = amount;
  result->state = (uint32_t)at;
}

const struct program replay_program = {"replay", setup, work, NULL, NULL};
