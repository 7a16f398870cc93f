/* proc.h - processes and who runs next. */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include "kernel/space.h"
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
    PROC_HELD,     /* forked, and may not run before its parent waits */
    PROC_RUNNABLE, /* waits for its turn, or has it */
    PROC_SLEEPING, /* waits for `channel` or the tick `wake_at` */
    PROC_ZOMBIE,   /* ended; its parent has not asked how */
};

/* What context_switch() (entry.S) saves on leaving a kernel stack. */
struct context { uint32_t ra, sp, s[12]; };

/* Interrupt handlers make sleeping processes runnable, and touch nothing else
 * here. So interrupts must be off from checking a reason to sleep until the
 * sleep itself, and in schedule(). */
struct proc {
    enum proc_state state;
    uint32_t        pid;
    struct proc    *parent;
    char            name[NAME_SIZE];
    struct space    space;
    uint32_t        stack; /* its kernel stack: one page */
    struct context  context;
    const void     *channel; /* what it sleeps for, or NULL */
    uint32_t        wake_at; /* tick at which it wakes, if channel is NULL */
    uint32_t        status;  /* once it is a zombie */
    bool            killed;  /* must end before it sees user mode again */
};

extern struct proc *proc_current;

/* The present thread becomes the one that runs when no process can. */
void proc_init(void);

/* Start the first process. Panics if that is not possible. */
void proc_start_init(const char *program, const char *args);

/* The loop of the idle thread: returns when the machine is to be switched
 * off and the last process is gone, with the exit status. */
uint32_t proc_run_all(void);

/* Let others run, if any can. */
void proc_yield(void);

/* Sleep until proc_wake(channel), or until a tick. Call with interrupts off
 * and the reason checked, and check it again afterwards. False if the process
 * was killed and must not wait any longer. */
bool proc_sleep(const void *channel);
bool proc_sleep_until(uint32_t tick);
void proc_wake(const void *channel);
void proc_tick(uint32_t now);

/* The frame with which the process last came from user mode. */
struct trapframe *proc_frame(const struct proc *proc);

/* System calls: the result is a pid or 0, negative if it failed. */
int32_t proc_fork(bool held);
int32_t proc_wait(uint32_t *status);
int32_t proc_kill(uint32_t pid);
_Noreturn void proc_exit(uint32_t status);

/* End all processes but this one, and let proc_run_all() return `status` when
 * it has ended too. */
void proc_power_off(uint32_t status);

/* How many times one process took over from another. */
uint32_t proc_count_switches(void);

#endif
