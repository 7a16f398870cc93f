/* sched.h - which process runs where. */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct proc;

/* Give a hart its idle thread: the present one, or the one to come. */
void sched_init(struct cpu *cpu);

/* A process that became runnable: have some hart run it, after sched_wake() at
 * the latest. Interrupts are off, table_lock is held. */
void sched_add(struct proc *proc);

/* Wake the harts that this one has given work since. Not with table_lock, since
 * it is what a process that begins to run wants next. */
void sched_wake(void);

/* Let others run, if any wait for this hart. */
void sched_yield(void);

/* Give up the processor, table_lock held and interrupts off; the lock is free
 * when this returns, which it does after sched_add(). */
void sched_leave(void);

/* If another hart runs the process just now, sched_wake() interrupts it. */
void sched_interrupt(const struct proc *proc);

/* The loops of the idle threads; that of the first hart ends when the last
 * process is gone. */
void sched_run_all(void);
_Noreturn void sched_run_forever(void);

/* A thread's first instructions (entry.S): what is to be done when the stack of
 * the one before was left. */
void sched_switched(void);

/* How many times one process took over from another. */
uint32_t sched_count_switches(void);

#endif
