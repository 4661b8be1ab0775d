#ifndef CENOTE_BENCH_PROGRAMS_H
#define CENOTE_BENCH_PROGRAMS_H

#include "common.h"

extern const struct program house_program;
extern const struct program larson_program;
extern const struct program xmalloc_program;
extern const struct program scratch_program;
extern const struct program free_only_program;
extern const struct program holes_program;
extern const struct program replay_program;

#endif
