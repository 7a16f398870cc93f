/* race.h - what the racing kernels share: two harts, one mistake.
 *
 * Each kernel defines first() and second(), which run on harts 0 and 1 at the
 * same time, in kernel mode, untranslated, without interrupts. When both have
 * returned, the kernel powers off with success. It is written to be explored:
 * as few steps as possible, no clock, no console. */
#ifndef RACE_H
#define RACE_H

#include "abi/csr.h"
#include "abi/memmap.h"
#include "abi/pte.h"
#include "abi/sbi.h"
#include <stdbool.h>
#include <stdint.h>

/* Before the second hart starts; does nothing unless a kernel defines it. */
void prepare(void);
void first(void);
void second(void);

/* Power off with failure, unless this holds. */
void must(bool holds);

/* A word that both harts use. */
typedef volatile uint32_t shared_t;

/* An access has faulted, and was skipped. */
extern shared_t faulted;

static inline void fence(void)
{
    __asm__ volatile("fence rw, rw" ::: "memory");
}

void send_ipi(uint32_t hart);
/* When it returns, that hart has forgotten all translations. */
void fence_remote(uint32_t hart);
/* Sleep until there is one; it is taken. */
void wait_for_ipi(void);

#endif
