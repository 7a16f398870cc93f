/* hart.h - the other harts: starting them, and telling them something. */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include <stdint.h>

/* This hart, the first one, has a struct cpu from now on. */
void hart_init(uint32_t id);

/* How many harts there are. */
uint32_t hart_count(void);

/* Start all the others: they run processes from now on. */
void hart_start_others(void);

/* Interrupt harts: there may be something to do. */
void hart_interrupt(uint32_t mask);

/* Make harts forget their translations; when this returns, they have. */
void hart_fence(uint32_t mask);

#endif
