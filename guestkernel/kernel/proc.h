/* proc.h - processes and who runs next. */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include "kernel/cpu.h"
#include "kernel/lock.h"
#include "kernel/trapframe.h"
#include <stdbool.h>
#include <stdint.h>

#define NR_PROCS  64
#define NAME_SIZE 16

/* What wait reports for a process that did not end by itself: this, plus the
 * cause of the trap that it should not have made. */
#define STATUS_FAULT  128
#define STATUS_KILLED 255

enum proc_state {
    PROC_FREE,     /* this entry is not in use */
    PROC_NEW,      /* being made by another process */
    PROC_HELD,     /* made, and may not run before its parent waits */
    PROC_RUNNABLE, /* waits for its turn in a queue (sched.c), or has it */
    PROC_SLEEPING, /* waits for `channel` or the tick `wake_at` */
    PROC_ZOMBIE,   /* ended; its parent has not asked how */
};

/* What context_switch() (entry.S) saves on leaving a kernel stack. */
struct context { uint32_t ra, sp, s[12]; };

/* What is at the far end of a kernel stack. */
#define STACK_CANARY 0x57ac0bad

/* Others change, and look at, the first group only with table_lock, and the
 * last never; `next` and `hart` are sched.c's. */
struct proc {
    enum proc_state state;
    uint32_t        pid;
    struct proc    *parent;
    const void     *channel; /* what it sleeps for, or NULL */
    uint32_t        wake_at; /* tick at which it wakes, if channel is NULL */
    uint32_t        status;  /* once it is a zombie */
    bool            killed;  /* must end before it sees user mode again */

    struct proc *next; /* in the queue of a hart */
    uint32_t     hart; /* where it ran last, or runs */

    char           name[NAME_SIZE];
    struct space  *space; /* threads share one */
    uint32_t       stack; /* its kernel stack: one page */
    struct context context;
};

/* Held from checking a reason to sleep, where the process table says it, until
 * the sleep itself. */
extern struct lock table_lock;

/* Start the first process. Panics if that is not possible. */
void proc_start_init(const char *program, const char *args);

/* Is the machine to be switched off, and the last process gone? Then give back
 * what it had last; with which status is it to be? */
bool proc_all_gone(void);
uint32_t proc_bury_init(void);

/* Sleep until proc_wake(channel), or until a tick. Call with interrupts off,
 * the reason checked, and the lock held that makes it true, which is free
 * during the sleep; and check again afterwards. False if the process was
 * killed and must not wait any longer. proc_sleep_until() checks the ticks
 * itself, and needs no lock. */
bool proc_sleep(const void *channel, struct lock *lock);
bool proc_sleep_until(uint32_t tick);
void proc_wake(const void *channel);
/* Time goes on. */
void proc_tick(uint32_t now);

/* The frame with which the process last came from user mode. */
struct trapframe *proc_frame(const struct proc *proc);

/* System calls: the result is a pid or 0, negative if it failed. A thread is a
 * process in the same space, which begins at `entry` with that argument and
 * stack. */
int32_t proc_fork(bool held);
int32_t proc_thread(uint32_t entry, uint32_t arg, uint32_t stack);
int32_t proc_wait(uint32_t *status);
int32_t proc_kill(uint32_t pid);
_Noreturn void proc_exit(uint32_t status);

/* End all processes but this one, and let proc_all_gone() be true when it has
 * ended too. */
void proc_power_off(uint32_t status);

#endif
