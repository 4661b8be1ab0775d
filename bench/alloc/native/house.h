#ifndef CENOTE_BENCH_HOUSE_H
#define CENOTE_BENCH_HOUSE_H

#include "common.h"

extern const struct program house_program;

#endif
