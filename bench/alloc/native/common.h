/* What the native side of every workload is made of: the generator, the clock, memory in use, and how a program is run. */

#ifndef CENOTE_BENCH_COMMON_H
#define CENOTE_BENCH_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WORKERS_MAX 64
#define RANGES_MAX 8
#define PAGE_BYTES 4096
#define ALIGNMENT 64

/* How a workload takes memory. `mode_none` takes none: the cost of the loop itself. */
enum mode { mode_plain, mode_aligned, mode_none };

/* Sizes low…high, drawn `weight` times in a hundred. */
struct range {
  uint32_t low, span, weight;
};

struct options {
  uint32_t workers;
  enum mode mode;
  uint32_t slots;
  /* Live bytes are held below this; 0 is no bound. */
  uint64_t target;
  /* Operations between two rests; 0 is no rest. */
  uint64_t burst;
  /* Free numbers of a program. */
  uint64_t a, b, c;
  const char *file;
  uint32_t range_count;
  struct range ranges[RANGES_MAX];
};

/* One worker's share of a round. */
struct result {
  uint64_t operations;
  uint64_t failures;
  /* Where the generator stands: equal for all who drew the same stream. */
  uint32_t state;
  /* Time at rest, not counted. */
  uint64_t rest_ns;
  /* From start to end, without rest and without waiting for a processor. */
  uint64_t busy_ns;
};

struct program {
  const char *name;
  void (*setup)(const struct options *options);
  /* Runs worker `index` of a round. `amount` is what the command asked for: operations, as a rule. */
  void (*work)(uint32_t index, uint64_t amount, struct result *result);
  /* Batches of equal operations, timed apart: writes `"allocate": …, "free": …` */
  void (*latency)(uint64_t batches, FILE *out);
  /* Memory over a run from the start: writes `"samples": …` */
  void (*memory)(uint64_t operations, uint64_t every, FILE *out);
};

/* xorshift32 */
static inline uint32_t next_word(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  *state = x;
  return x;
}

static inline uint32_t below(uint32_t *state, uint32_t bound) {
  return (next_word(state) & 0x7fffffff) % bound;
}

static inline uint32_t seed_of(uint32_t worker) { return 12345 + worker; }

/* Waits until all workers of the round are here. */
void meet(void);
uint64_t now_ns(void);
void rest_for(uint64_t ns);
/* Time that this thread was ready to run and another had the processor; 0 where the kernel does not tell, or where there are more
   workers than processors. */
uint64_t waited_ns(void);
extern int has_processors;
/* Resident bytes of this process. */
uint64_t resident_bytes(void);
void *checked(void *memory);
void stop(const char *why);

#endif
