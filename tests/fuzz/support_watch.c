/* The simulator's invariants, for the fuzzers too. */
#include "../sim/watch.c"
