/* proc.c - processes: how they come to be, take turns, wait, and end.
 *
 * Each process has a kernel stack. The kernel itself is never preempted: it
 * gives up the processor in schedule() only, called when a process yields,
 * sleeps or ends, or when a tick came and it is about to return to user mode.
 * Interrupts do come while the kernel works, but their handlers only make
 * processes runnable.
 *
 * The thread that booted is `idle`: not in the table, without user memory, it
 * runs when no process can, and cleans up at the end. */
#include "kernel/proc.h"
#include "kernel/exec.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/page.h"
#include "kernel/priv.h"
#include "lib/string.h"

#define STACK_CANARY 0x57ac0bad

/* entry.S */
void context_switch(struct context *from, const struct context *to);
extern char boot_stack[];

static struct proc  procs[NR_PROCS];
static struct proc  idle;
static struct proc *init; /* adopts orphans; when it ends, all do */
static uint32_t     last_pid, nr_switches;
static bool         going_down;
static uint32_t     exit_status;

struct proc *proc_current = &idle;

/* Taking turns ------------------------------------------------------------ */

void proc_init(void)
{
    idle.space = kernel_space;
    idle.stack = (uint32_t)boot_stack;
    *(uint32_t *)idle.stack = STACK_CANARY;
}

/* The next one that can run, in a circle that starts after the current. */
static struct proc *pick(void)
{
    uint32_t first = 0;

    if (proc_current != &idle)
        first = (uint32_t)(proc_current - procs) + 1;
    for (uint32_t i = 0; i < NR_PROCS; i++) {
        struct proc *proc = &procs[(first + i) % NR_PROCS];

        if (proc->state == PROC_RUNNABLE)
            return proc;
    }
    return &idle;
}

/* Continue whoever is next; returns when it is our turn again. Interrupts are
 * off, here and there. */
static void schedule(void)
{
    struct proc *from = proc_current, *to = pick();

    if (to == from)
        return;
    if (*(uint32_t *)from->stack != STACK_CANARY)
        panic("kernel stack of %u %s overflowed", from->pid, from->name);
    nr_switches++;
    proc_current = to;
    priv_switch(to->space.root, to->stack + KERNEL_STACK_SIZE);
    context_switch(&from->context, &to->context);
}

void proc_yield(void)
{
    bool on = priv_irq_off();

    schedule();
    priv_irq_restore(on);
}

/* The kernel stack is what a zombie still has: it ran on it to the last. */
static void reap(struct proc *proc)
{
    page_free(proc->stack);
    proc->stack = 0;
    proc->state = PROC_FREE;
}

uint32_t proc_run_all(void)
{
    struct proc *last = init;

    priv_irq_off();
    while (init != NULL) {
        schedule();
        priv_background();
        if (pick() == &idle && init != NULL)
            priv_idle();
    }
    reap(last);
    return exit_status;
}

uint32_t proc_count_switches(void)
{
    return nr_switches;
}

/* Waiting ----------------------------------------------------------------- */

static bool sleep_as_set(void)
{
    if (proc_current->killed)
        return false;
    proc_current->state = PROC_SLEEPING;
    schedule();
    return !proc_current->killed;
}

bool proc_sleep(const void *channel)
{
    proc_current->channel = channel;
    return sleep_as_set();
}

bool proc_sleep_until(uint32_t tick)
{
    proc_current->channel = NULL;
    proc_current->wake_at = tick;
    return sleep_as_set();
}

void proc_wake(const void *channel)
{
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc->state == PROC_SLEEPING && proc->channel == channel)
            proc->state = PROC_RUNNABLE;
}

void proc_tick(uint32_t now)
{
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc->state == PROC_SLEEPING && proc->channel == NULL &&
            (int32_t)(now - proc->wake_at) >= 0)
            proc->state = PROC_RUNNABLE;
}

/* Coming to be ------------------------------------------------------------ */

struct trapframe *proc_frame(const struct proc *proc)
{
    return (struct trapframe *)(proc->stack + KERNEL_STACK_SIZE - TF_SIZE);
}

/* A process with a kernel stack and an empty space, which will enter user
 * mode by its frame when it is made runnable. NULL if there is no room. */
static struct proc *proc_create(void)
{
    struct proc *proc = procs;

    while (proc < procs + NR_PROCS && proc->state != PROC_FREE)
        proc++;
    if (proc == procs + NR_PROCS)
        return NULL;
    *proc = (struct proc){ .stack = page_alloc_dirty() };
    if (proc->stack == 0)
        return NULL;
    if (!space_create(&proc->space)) {
        page_free(proc->stack);
        return NULL;
    }
    *(uint32_t *)proc->stack = STACK_CANARY;
    proc->pid = ++last_pid;
    proc->parent = proc_current;
    proc->context.ra = (uint32_t)priv_trap_return;
    proc->context.sp = (uint32_t)proc_frame(proc);
    return proc;
}

void proc_start_init(const char *program, const char *args)
{
    init = proc_create();
    if (init == NULL)
        panic("no memory for the first process");
    proc_current = init;
    if (exec_program(program, args) < 0)
        panic("cannot start program %s", program);
    proc_current = &idle;
    priv_switch(idle.space.root, idle.stack + KERNEL_STACK_SIZE);
    init->state = PROC_RUNNABLE;
}

int32_t proc_fork(bool held)
{
    struct proc *child = proc_create();

    if (child == NULL)
        return -1;
    if (!space_copy(&child->space, &proc_current->space)) {
        space_destroy(&child->space);
        page_free(child->stack);
        return -1;
    }
    space_commit();
    memcpy(child->name, proc_current->name, NAME_SIZE);
    *proc_frame(child) = *proc_frame(proc_current);
    proc_frame(child)->x[10] = 0; /* a0: what fork answers in the child */
    child->state = held ? PROC_HELD : PROC_RUNNABLE;
    return (int32_t)child->pid;
}

/* Coming to an end -------------------------------------------------------- */

/* A process that was held runs now. */
static void release(struct proc *proc)
{
    if (proc->state == PROC_HELD)
        proc->state = PROC_RUNNABLE;
}

static void kill(struct proc *proc)
{
    proc->killed = true;
    release(proc);
    if (proc->state == PROC_SLEEPING)
        proc->state = PROC_RUNNABLE;
}

int32_t proc_kill(uint32_t pid)
{
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc->pid == pid && proc->state != PROC_FREE &&
            proc->state != PROC_ZOMBIE) {
            kill(proc);
            return 0;
        }
    return -1;
}

void proc_power_off(uint32_t status)
{
    going_down = true;
    exit_status = status;
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc != proc_current && proc->state != PROC_FREE)
            kill(proc);
}

static void orphan_children(const struct proc *parent)
{
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc->state != PROC_FREE && proc->parent == parent) {
            proc->parent = init;
            release(proc);
        }
}

/*
 * When init ends, the machine goes down with its status. It leaves last: so
 * that everything can be counted, it first waits for all others.
 */
static void init_exit(uint32_t status)
{
    uint32_t ignored;

    if (!going_down)
        proc_power_off(status);
    proc_current->killed = false; /* it could not wait otherwise */
    while (proc_wait(&ignored) > 0)
        ;
}

_Noreturn void proc_exit(uint32_t status)
{
    struct proc *self = proc_current;

    priv_irq_off();
    if (self == init)
        init_exit(status);
    orphan_children(self);
    priv_switch(kernel_space.root, self->stack + KERNEL_STACK_SIZE);
    space_destroy(&self->space);
    self->space.root = kernel_space.root;
    self->status = status;
    self->state = PROC_ZOMBIE;
    if (self == init)
        init = NULL;
    else
        proc_wake(self->parent);
    schedule();
    panic("a zombie runs");
}

/* Sleeps on the process itself: its children wake that. */
int32_t proc_wait(uint32_t *status)
{
    bool    on = priv_irq_off(), waiting = true;
    int32_t pid = -1;

    while (waiting && pid < 0) {
        waiting = false;
        for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++) {
            if (proc->parent != proc_current || proc->state == PROC_FREE)
                continue;
            waiting = true;
            release(proc);
            if (proc->state == PROC_ZOMBIE) {
                pid = (int32_t)proc->pid;
                *status = proc->status;
                reap(proc);
                break;
            }
        }
        if (waiting && pid < 0)
            waiting = proc_sleep(proc_current);
    }
    priv_irq_restore(on);
    return pid;
}
