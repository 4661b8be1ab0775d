/*
 * The house workloads. One step: draw a slot; a full one is freed, an empty one gets a drawn size, is allocated and its
 * first byte written. The same stream as in ../house.ts.
 */

#include "programs.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define BATCH 64
/* Slots that are full when live bytes are at their bound, of a hundred. */
#define BOUNDED_FILL_PERCENT 40

struct house {
  uint32_t state;
  uint32_t *sizes;
  void **slots;
  uint64_t live;
  uint64_t full;
};

static struct options options;
static struct house houses[WORKERS_MAX];
/* What mode_none hands out. */
static char nothing[ALIGNMENT];

INLINE void *take(size_t size, const enum mode mode) {
  if (mode == mode_none) return nothing;
  return mode == mode_aligned ? aligned_alloc(ALIGNMENT, size) : malloc(size);
}

INLINE void give(void *memory, const enum mode mode) {
  if (mode != mode_none) free(memory);
}

INLINE uint32_t draw_size(uint32_t *state, const int mixed) {
  const struct range *range = options.ranges;
  if (mixed) {
    uint32_t percent = below(state, 100);
    while (percent >= range->weight) {
      percent -= range->weight;
      range += 1;
    }
  }
  return range->low + below(state, range->span);
}

static void open_house(struct house *house, uint32_t seed) {
  house->state = seed;
  house->slots = checked(calloc(options.slots, sizeof *house->slots));
  house->sizes = checked(calloc(options.slots, sizeof *house->sizes));
  house->live = 0;
  house->full = 0;
}

static void setup(const struct options *given) {
  options = *given;
  for (uint32_t i = 0; i < options.workers; i += 1) open_house(&houses[i], seed_of(i));
}

/* The loop that is measured. */
INLINE void steady(struct house *house, uint64_t operations, const enum mode mode, const int mixed) {
  uint32_t state = house->state;
  void **slots = house->slots;
  const uint32_t count = options.slots;
  for (uint64_t i = 0; i < operations; i += 1) {
    uint32_t k = below(&state, count);
    void *held = slots[k];
    if (held != NULL) {
      give(held, mode);
      slots[k] = NULL;
    } else {
      char *memory = take(draw_size(&state, mixed), mode);
      if (memory == NULL) stop("out of memory");
      *(volatile char *)memory = 1;
      slots[k] = memory;
    }
  }
  house->state = state;
}

/* Live bytes count in lines of 64, as capacity is handed out. */
INLINE uint64_t lines_of(uint32_t size) { return ((uint64_t)size + 63) & ~(uint64_t)63; }

INLINE void give_slot(struct house *house, uint32_t k, const enum mode mode) {
  give(house->slots[k], mode);
  house->slots[k] = NULL;
  house->live -= lines_of(house->sizes[k]);
  house->full -= 1;
}

/* The same, with live bytes bounded: what would pass the bound frees the next full slot in place of allocating. */
INLINE void bounded(struct house *house, uint64_t operations, const enum mode mode, const int mixed, const int touch) {
  const uint32_t count = options.slots;
  const uint64_t target = options.target == 0 ? UINT64_MAX : options.target;
  for (uint64_t i = 0; i < operations; i += 1) {
    uint32_t k = below(&house->state, count);
    if (house->slots[k] != NULL) {
      give_slot(house, k, mode);
      continue;
    }
    uint32_t size = draw_size(&house->state, mixed);
    if (house->live + lines_of(size) > target && house->full > 0) {
      do {
        k = k + 1 == count ? 0 : k + 1;
      } while (house->slots[k] == NULL);
      give_slot(house, k, mode);
      continue;
    }
    volatile char *memory = take(size, mode);
    if (memory == NULL) stop("out of memory");
    memory[0] = 1;
    if (touch) {
      for (uint32_t at = PAGE_BYTES; at < size; at += PAGE_BYTES) memory[at] = 1;
      memory[size - 1] = 1;
    }
    house->slots[k] = (void *)memory;
    house->sizes[k] = size;
    house->live += lines_of(size);
    house->full += 1;
  }
}

static void run(struct house *house, uint64_t operations) {
  const int mixed = options.range_count > 1;
  if (options.target != 0) {
    if (options.mode == mode_plain && mixed) bounded(house, operations, mode_plain, 1, 0);
    else if (options.mode == mode_plain) bounded(house, operations, mode_plain, 0, 0);
    else if (options.mode == mode_aligned) bounded(house, operations, mode_aligned, mixed, 0);
    else bounded(house, operations, mode_none, mixed, 0);
    return;
  }
  if (options.mode == mode_plain && mixed) steady(house, operations, mode_plain, 1);
  else if (options.mode == mode_plain) steady(house, operations, mode_plain, 0);
  else if (options.mode == mode_aligned && mixed) steady(house, operations, mode_aligned, 1);
  else if (options.mode == mode_aligned) steady(house, operations, mode_aligned, 0);
  else if (mixed) steady(house, operations, mode_none, 1);
  else steady(house, operations, mode_none, 0);
}

/* Nine parts of rest to one of work, where the options ask for bursts. */
static void work(uint32_t index, uint64_t operations, struct result *result) {
  struct house *house = &houses[index];
  const uint64_t burst = options.burst == 0 ? operations : options.burst;
  for (uint64_t done = 0; done < operations; done += burst) {
    uint64_t from = now_ns();
    run(house, operations - done < burst ? operations - done : burst);
    uint64_t elapsed = now_ns() - from;
    if (options.burst == 0) break;
    const uint64_t waited = waited_ns();
    rest_for(9 * elapsed);
    result->rest_ns += now_ns() - from - elapsed - (waited_ns() - waited); /* waiting counts elsewhere */
  }
  result->operations = operations;
  result->state = house->state;
}

static void write_list(FILE *out, const char *name, const uint32_t *values, const uint64_t *counts) {
  fprintf(out, "\"%s\":[", name);
  uint64_t from = 0;
  for (uint32_t r = 0; r < options.range_count; r += 1) {
    fprintf(out, "%s[", r == 0 ? "" : ",");
    for (uint64_t i = 0; i < counts[r]; i += 1) {
      fprintf(out, "%s%u", i == 0 ? "" : ",", values[from + i]);
    }
    fputc(']', out);
    from += counts[r];
  }
  fputc(']', out);
}

/* A full table of blocks of one range of sizes. */
struct shelf {
  uint32_t count;
  void **blocks;
};

INLINE uint64_t time_free(void **blocks, const enum mode mode) {
  uint64_t from = now_ns();
  for (int i = 0; i < BATCH; i += 1) give(blocks[i], mode);
  return now_ns() - from;
}

INLINE uint64_t time_take(void **blocks, const uint32_t *sizes, const enum mode mode) {
  uint64_t from = now_ns();
  for (int i = 0; i < BATCH; i += 1) blocks[i] = take(sizes[i], mode);
  return now_ns() - from;
}

static void time_batch(struct shelf *shelf, const uint32_t *sizes, uint32_t *take_ns, uint32_t *give_ns) {
  switch (options.mode) {
    case mode_plain:
      *give_ns = (uint32_t)time_free(shelf->blocks, mode_plain);
      *take_ns = (uint32_t)time_take(shelf->blocks, sizes, mode_plain);
      break;
    case mode_aligned:
      *give_ns = (uint32_t)time_free(shelf->blocks, mode_aligned);
      *take_ns = (uint32_t)time_take(shelf->blocks, sizes, mode_aligned);
      break;
    case mode_none:
      *give_ns = (uint32_t)time_free(shelf->blocks, mode_none);
      *take_ns = (uint32_t)time_take(shelf->blocks, sizes, mode_none);
      break;
  }
  for (int i = 0; i < BATCH; i += 1) *(volatile char *)checked(shelf->blocks[i]) = 1;
}

/* Frees 64 blocks of one range, chosen at random, and allocates 64 others: each half timed as one. */
static void latency(uint64_t batches, FILE *out) {
  uint32_t state = seed_of(0);
  struct shelf shelves[RANGES_MAX];
  uint64_t counts[RANGES_MAX] = {0};
  for (uint32_t r = 0; r < options.range_count; r += 1) {
    const struct range *range = &options.ranges[r];
    uint32_t full = options.slots * (uint64_t)(options.target == 0 ? 50 : BOUNDED_FILL_PERCENT) / 100;
    uint32_t count = full * (uint64_t)range->weight / 100;
    shelves[r].count = count < 2 * BATCH ? 2 * BATCH : count;
    shelves[r].blocks = checked(calloc(shelves[r].count, sizeof(void *)));
    for (uint32_t i = 0; i < shelves[r].count; i += 1) {
      shelves[r].blocks[i] = checked(take(range->low + below(&state, range->span), options.mode));
    }
  }
  uint32_t *takes = checked(malloc(batches * sizeof *takes));
  uint32_t *gives = checked(malloc(batches * sizeof *gives));
  uint32_t *ranges = checked(malloc(batches * sizeof *ranges));
  for (uint64_t batch = 0; batch < batches; batch += 1) {
    uint32_t percent = below(&state, 100);
    uint32_t r = 0;
    while (percent >= options.ranges[r].weight) percent -= options.ranges[r++].weight;
    struct shelf *shelf = &shelves[r];
    uint32_t sizes[BATCH];
    for (uint32_t i = 0; i < BATCH; i += 1) {
      uint32_t other = i + below(&state, shelf->count - i);
      void *block = shelf->blocks[i];
      shelf->blocks[i] = shelf->blocks[other];
      shelf->blocks[other] = block;
      sizes[i] = options.ranges[r].low + below(&state, options.ranges[r].span);
    }
    time_batch(shelf, sizes, &takes[batch], &gives[batch]);
    ranges[batch] = r;
    counts[r] += 1;
  }
  uint32_t *sorted = checked(malloc(batches * sizeof *sorted));
  for (int pass = 0; pass < 2; pass += 1) {
    uint64_t at = 0;
    for (uint32_t r = 0; r < options.range_count; r += 1) {
      for (uint64_t batch = 0; batch < batches; batch += 1) {
        if (ranges[batch] == r) sorted[at++] = pass == 0 ? takes[batch] : gives[batch];
      }
    }
    if (pass == 1) fputc(',', out);
    write_list(out, pass == 0 ? "allocate" : "free", sorted, counts);
  }
  fprintf(out, ",\"batch\":%d", BATCH);
  free(takes);
  free(gives);
  free(ranges);
  free(sorted);
  for (uint32_t r = 0; r < options.range_count; r += 1) {
    for (uint32_t i = 0; i < shelves[r].count; i += 1) give(shelves[r].blocks[i], options.mode);
    free(shelves[r].blocks);
  }
}

static void write_sample(const struct house *house, uint64_t done, uint64_t base, FILE *out) {
  uint64_t requested = 0, usable = 0;
  for (uint32_t k = 0; k < options.slots; k += 1) {
    if (house->slots[k] == NULL) continue;
    requested += house->sizes[k];
    usable += malloc_usable_size(house->slots[k]);
  }
  uint64_t resident = resident_bytes();
  fprintf(out, "%s[%llu,%llu,%llu,%llu]", done == 0 ? "" : ",", (unsigned long long)done,
          (unsigned long long)requested, (unsigned long long)usable,
          (unsigned long long)(resident > base ? resident - base : 0));
}

/* Every page of every block is written, so that resident memory tells what the allocator holds. */
static void memory(uint64_t operations, uint64_t every, FILE *out) {
  struct house house;
  open_house(&house, seed_of(0));
  memset(house.slots, 0, options.slots * sizeof *house.slots);
  memset(house.sizes, 1, options.slots * sizeof *house.sizes);
  uint64_t base = resident_bytes();
  fputs("\"samples\":[", out);
  const int mixed = options.range_count > 1;
  for (uint64_t done = 0;; done += every) {
    if (done > 0) write_sample(&house, done, base, out);
    else fprintf(out, "[0,0,0,0]");
    if (done >= operations) break;
    if (options.mode == mode_aligned) bounded(&house, every, mode_aligned, mixed, 1);
    else bounded(&house, every, mode_plain, mixed, 1);
  }
  fprintf(out, "],\"state\":%u", house.state);
}

const struct program house_program = {"house", setup, work, latency, memory};
