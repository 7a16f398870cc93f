/* lock.h - spinlocks, and in which order they are taken.
 *
 * A lock has a rank, and a hart takes locks in ascending order of rank only,
 * so no two harts can wait for each other; lock_take() checks it. What each
 * rank guards:
 *
 *   LOCK_CONSOLE  output: a line, or one write, goes out in one piece
 *   LOCK_SPACE    one address space: its tables, and reaching user memory
 *                 through them, since a thread could unmap it meanwhile
 *   LOCK_SPACES   which spaces are in use, and by how many
 *   LOCK_PAGE     the free pages
 *   LOCK_TALLY    the tally of syscall.c
 *   ------------- interrupt handlers take those below, none of those above
 *   LOCK_INPUT    what arrived from the console
 *   LOCK_TABLE    the process table: state, parent, what a process sleeps for
 *   LOCK_QUEUE    one hart's queue of runnable processes
 *
 * Interrupts must be off while one of the last three is held, or the handler
 * could wait for what it interrupted: lock_take_irq() sees to it. The others
 * are held with interrupts on, because turning them off is two exits in a VM
 * whose kernel is deprivileged; a handler then makes the wait longer, no more.
 *
 * No lock is held while a process sleeps, but for one: a process that gives up
 * the processor for good holds LOCK_TABLE until its hart has left its stack, so
 * that nobody can wake or bury it before (sched.c).
 *
 * No lock is needed for what one hart has alone: a space that no process runs
 * in yet, a process that is being made, struct cpu. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
    LOCK_CONSOLE,
    LOCK_SPACE,
    LOCK_SPACES,
    LOCK_PAGE,
    LOCK_TALLY,
    LOCK_INPUT,
    LOCK_TABLE,
    LOCK_QUEUE,
    NR_LOCK_RANKS
};

/* Zero but for its rank: nobody holds it. */
struct lock {
    enum lock_rank rank;
    uint32_t       next;    /* the ticket that the next one to come takes */
    uint32_t       serving; /* the ticket whose turn it is */
    uint32_t       holder;  /* hart id + 1; 0: nobody */
};

/* The command line and the hypervisor are known: how is to be waited? */
void lock_init(void);

/* Panics if that breaks the order. */
void lock_take(struct lock *lock);
/* Panics if it is not this hart's. */
void lock_drop(struct lock *lock);
void lock_must_be_mine(const struct lock *lock);

/* The same, with interrupts off in between. */
bool lock_take_irq(struct lock *lock);
void lock_drop_irq(struct lock *lock, bool on);

/* With `lockstat` on the command line, print one line for each rank: how often
 * such locks were taken, how often somebody else had it, how many times the
 * waiting looked at it, and how often it slept instead. */
void lock_print_statistics(void);

#endif
