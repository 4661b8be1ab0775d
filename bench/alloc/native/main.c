/*
 * A native peer: runs one workload with the allocator it is linked to or preloaded with, a round at a time.
 *
 *   peer PROGRAM KEY=VALUE…
 *
 * Each line of stdin is a command; each is answered by one line of JSON:
 *
 *   round N            N operations per worker     {"ns", "operations", "failures", "states"}: the slowest worker's time
 *   latency N          N batches                   {"allocate", "free", "batch"}: ns per batch, a list per range of sizes
 *   reserved 0         resident bytes              {"bytes"}
 *   memory N EVERY     N operations from the start {"samples": [[operations, requested, usable, resident], …]}
 */

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "programs.h"

static const struct program *const known[] = {
    &house_program,   &larson_program, &xmalloc_program, &scratch_program,
    &free_only_program, &holes_program,  &replay_program,
};

static const struct program *program;
static struct options options;
static struct result results[WORKERS_MAX];
static uint64_t amount;
/* Opens and closes a round: the workers and the main thread. */
static pthread_barrier_t gate;
/* The workers among themselves. */
static pthread_barrier_t team;

void meet(void) {
  if (options.workers > 1) pthread_barrier_wait(&team);
}

static void read_ranges(char *text) {
  for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
    uint32_t low, high, weight;
    if (options.range_count == RANGES_MAX || sscanf(part, "%u-%u:%u", &low, &high, &weight) != 3) {
      stop("ranges are LOW-HIGH:WEIGHT,…");
    }
    options.ranges[options.range_count++] = (struct range){low, high - low + 1, weight};
  }
}

static void read_option(char *text) {
  char *value = strchr(text, '=');
  if (value == NULL) stop("options are KEY=VALUE");
  *value++ = 0;
  uint64_t number = strtoull(value, NULL, 10);
  if (strcmp(text, "workers") == 0) options.workers = (uint32_t)number;
  else if (strcmp(text, "slots") == 0) options.slots = (uint32_t)number;
  else if (strcmp(text, "target") == 0) options.target = number;
  else if (strcmp(text, "burst") == 0) options.burst = number;
  else if (strcmp(text, "a") == 0) options.a = number;
  else if (strcmp(text, "b") == 0) options.b = number;
  else if (strcmp(text, "c") == 0) options.c = number;
  else if (strcmp(text, "file") == 0) options.file = value;
  else if (strcmp(text, "ranges") == 0) read_ranges(value);
  else if (strcmp(text, "mode") == 0)
    options.mode = strcmp(value, "none") == 0      ? mode_none
                   : strcmp(value, "aligned") == 0 ? mode_aligned
                                                   : mode_plain;
  else stop("unknown option");
  if (options.workers > WORKERS_MAX) stop("too many workers");
}

static void play(uint32_t index) {
  struct result *result = &results[index];
  uint64_t waited = waited_ns();
  uint64_t from = now_ns();
  program->work(index, amount, result);
  uint64_t elapsed = now_ns() - from;
  result->busy_ns = elapsed - result->rest_ns - (waited_ns() - waited);
}

/* A worker that lives as long as the process and runs its share of each round. */
static void *worker(void *argument) {
  uint32_t index = (uint32_t)(uintptr_t)argument;
  for (;;) {
    pthread_barrier_wait(&gate);
    play(index);
    pthread_barrier_wait(&gate);
  }
  return NULL;
}

static void run_round(uint32_t threads, FILE *out) {
  memset(results, 0, sizeof results);
  if (threads > 1) {
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
  } else {
    play(0);
  }
  struct result sum = {0};
  for (uint32_t i = 0; i < threads; i += 1) {
    sum.operations += results[i].operations;
    sum.failures += results[i].failures;
    if (results[i].busy_ns > sum.busy_ns) sum.busy_ns = results[i].busy_ns;
  }
  fprintf(out, "\"ns\":%llu,\"operations\":%llu,\"failures\":%llu,\"states\":[", (unsigned long long)sum.busy_ns,
          (unsigned long long)sum.operations, (unsigned long long)sum.failures);
  for (uint32_t i = 0; i < threads; i += 1) fprintf(out, "%s%u", i == 0 ? "" : ",", results[i].state);
  fputc(']', out);
}

static void answer(const char *command, uint32_t threads) {
  unsigned long long every = 0, number = 0;
  char word[16];
  if (sscanf(command, "%15s %llu %llu", word, &number, &every) < 2) stop("commands are WORD N");
  amount = number;
  fputc('{', stdout);
  if (strcmp(word, "round") == 0) run_round(threads, stdout);
  else if (strcmp(word, "reserved") == 0) fprintf(stdout, "\"bytes\":%llu", (unsigned long long)resident_bytes());
  else if (strcmp(word, "latency") == 0 && program->latency != NULL) program->latency(number, stdout);
  else if (strcmp(word, "memory") == 0 && program->memory != NULL) program->memory(number, every, stdout);
  else stop("unknown command");
  fputs("}\n", stdout);
  fflush(stdout);
}

int main(int count, char **words) {
  if (count < 2) stop("name a program");
  for (size_t i = 0; i < sizeof known / sizeof *known; i += 1) {
    if (strcmp(known[i]->name, words[1]) == 0) program = known[i];
  }
  if (program == NULL) stop("unknown program");
  options.workers = 1;
  for (int i = 2; i < count; i += 1) read_option(words[i]);
  program->setup(&options);
  cpu_set_t processors;
  has_processors = sched_getaffinity(0, sizeof processors, &processors) == 0 &&
                   options.workers <= (uint32_t)CPU_COUNT(&processors);
  const uint32_t threads = options.workers;
  if (threads > 1) {
    pthread_barrier_init(&team, NULL, threads);
    pthread_barrier_init(&gate, NULL, threads + 1);
    for (uint32_t i = 0; i < threads; i += 1) {
      pthread_t thread;
      if (pthread_create(&thread, NULL, worker, (void *)(uintptr_t)i) != 0) stop("no thread");
      pthread_detach(thread);
    }
  }
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) answer(line, threads);
  return 0;
}
