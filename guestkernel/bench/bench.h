/* bench.h - what every benchmark program has: main(), whose value says that
 * the work was done right, and how often it does its work.
 *
 * `rounds` is a word of the image, so that a runner can change it where the
 * image lies, in a file or in memory; main() gets it as its argument. A program
 * about the kernel itself has supervisor() instead, see harness.S. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

extern uint32_t rounds;

uint32_t main(uint32_t n);
uint32_t supervisor(uint32_t n);

/* Where the code of supervisor() lies: on the harness's page. */
#define KERNEL_CODE __attribute__((section(".text.start.supervisor")))

/* Mix a value into a checksum. */
static inline uint32_t mix(uint32_t sum, uint32_t val)
{
    return (sum ^ val) * 16777619u;
}

#endif
