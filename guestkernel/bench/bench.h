/* bench.h - what every benchmark program has: main(), whose value says that
 * the work was done right, and a size that the build may change. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

uint32_t main(void);

/* Mix a value into a checksum. */
static inline uint32_t mix(uint32_t sum, uint32_t val)
{
    return (sum ^ val) * 16777619u;
}

#endif
