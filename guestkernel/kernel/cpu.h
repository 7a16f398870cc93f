/* cpu.h - what the kernel knows of each hart.
 *
 * While a hart is in the kernel, its tp holds the address of its struct cpu:
 * the trap entry puts it there (priv_native.S, priv_pv.S). Each hart writes
 * its own only, but for `idle`. A thread may continue on another hart after it
 * gave up the processor (sched.c), and nowhere else, so a pointer from
 * cpu_self() is good until then. */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include "abi/memmap.h"

/* For assembly. */
#define CPU_SIZE   64
#define CPU_SHARED 0
#define CPU_STACK  4

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lock;
struct proc;
struct space;

struct cpu {
    uint32_t      shared;  /* priv_pv.c: its part of the shared-info page */
    uint32_t      stack;   /* of its idle thread: one page */
    uint32_t      id;      /* hart id, and index in cpus[] */
    struct proc  *current; /* whom it runs */
    struct space *space;   /* where it runs */

    /* trap.c */
    bool     slice_over; /* the current process has had its turn */
    uint64_t next_tick;

    /* sched.c */
    bool         idle; /* sleeps, or is about to: who queues work, wakes it */
    uint8_t      after;
    uint8_t      to_wake; /* a bit for each hart */
    struct proc *left;
    uint32_t     switches;

    /* priv_*.c: page-table entries that were set, but are not certain yet */
    uint32_t pte_pending;

    /* lock.c */
    uint8_t            held;        /* a bit for each rank */
    uint32_t           wait_ticket; /* it sleeps for this turn of that lock */
    const struct lock *wait_lock;
} __attribute__((aligned(CPU_SIZE)));

_Static_assert(sizeof(struct cpu) == CPU_SIZE, "CPU_SIZE");
_Static_assert(offsetof(struct cpu, shared) == CPU_SHARED, "CPU_SHARED");
_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "CPU_STACK");

extern struct cpu cpus[MAX_HARTS];

/* The hart that asks. */
static inline struct cpu *cpu_self(void)
{
    struct cpu *cpu;

    __asm__ volatile("mv %0, tp" : "=r"(cpu));
    return cpu;
}

#define proc_current (cpu_self()->current)
#endif

#endif
