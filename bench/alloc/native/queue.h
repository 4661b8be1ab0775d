/* Batches of blocks on their way from those who allocate to those who free: a fixed number, either full or empty. */

#ifndef CENOTE_BENCH_QUEUE_H
#define CENOTE_BENCH_QUEUE_H

#include <pthread.h>
#include <stdint.h>

struct batch {
  void **blocks;
  struct batch *next;
};

struct stack {
  pthread_mutex_t lock;
  pthread_cond_t filled;
  struct batch *top;
};

void open_stack(struct stack *stack);
/* Batches of `size` blocks, all empty. */
void fill_stack(struct stack *stack, uint32_t batches, uint32_t size);
void push(struct stack *stack, struct batch *batch);
/* Waits for one. */
struct batch *pop(struct stack *stack);

#endif
