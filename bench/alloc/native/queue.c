#include "queue.h"

#include <stdlib.h>

#include "common.h"

void open_stack(struct stack *stack) {
  pthread_mutex_init(&stack->lock, NULL);
  pthread_cond_init(&stack->filled, NULL);
  stack->top = NULL;
}

void fill_stack(struct stack *stack, uint32_t batches, uint32_t size) {
  for (uint32_t i = 0; i < batches; i += 1) {
    struct batch *batch = checked(malloc(sizeof *batch));
    batch->blocks = checked(calloc(size, sizeof *batch->blocks));
    push(stack, batch);
  }
}

void push(struct stack *stack, struct batch *batch) {
  pthread_mutex_lock(&stack->lock);
  batch->next = stack->top;
  stack->top = batch;
  pthread_cond_signal(&stack->filled);
  pthread_mutex_unlock(&stack->lock);
}

struct batch *pop(struct stack *stack) {
  pthread_mutex_lock(&stack->lock);
  while (stack->top == NULL) pthread_cond_wait(&stack->filled, &stack->lock);
  struct batch *batch = stack->top;
  stack->top = batch->next;
  pthread_mutex_unlock(&stack->lock);
  return batch;
}
