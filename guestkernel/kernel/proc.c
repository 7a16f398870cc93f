/* proc.c - processes: how they come to be, wait, and end.
 *
 * Each has a kernel stack and an address space, its own or one that it shares.
 * Who of them runs when, is in sched.c. */
#include "kernel/proc.h"
#include "abi/regs.h"
#include "kernel/exec.h"
#include "kernel/hart.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/page.h"
#include "kernel/priv.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/trap.h"
#include "lib/string.h"

/* entry.S */
extern char proc_entry[];

struct lock table_lock = { .rank = LOCK_TABLE };

static struct proc  procs[NR_PROCS];
static struct proc *init; /* adopts orphans; when it ends, all do */
static uint32_t     last_pid;
static bool         going_down, all_gone;
static uint32_t     exit_status;

bool proc_all_gone(void)
{
    return __atomic_load_n(&all_gone, __ATOMIC_RELAXED);
}

/* The lock is free as soon as its hart has left its stack. */
uint32_t proc_bury_init(void)
{
    lock_take(&table_lock);
    init->state = PROC_FREE;
    lock_drop(&table_lock);
    page_free(init->stack);
    return exit_status;
}

static void table_drop(void)
{
    lock_drop(&table_lock);
    sched_wake();
}

static void table_drop_irq(bool on)
{
    table_drop();
    priv_irq_restore(on);
}

/* Waiting ------------------------------------------------------------------ */

/* With table_lock, as all that is static below. */
static void make_runnable(struct proc *proc)
{
    proc->state = PROC_RUNNABLE;
    sched_add(proc);
}

/* On the way, table_lock is released and taken again. */
static bool sleep_as_set(void)
{
    struct proc *self = proc_current;

    if (self->killed)
        return false;
    self->state = PROC_SLEEPING;
    sched_leave();
    lock_take(&table_lock);
    return !self->killed;
}

bool proc_sleep(const void *channel, struct lock *lock)
{
    bool fine;

    lock_take(&table_lock);
    lock_drop(lock);
    proc_current->channel = channel;
    fine = sleep_as_set();
    lock_drop(&table_lock);
    lock_take(lock);
    return fine;
}

bool proc_sleep_until(uint32_t tick)
{
    bool fine = true;

    lock_take(&table_lock);
    if ((int32_t)(tick - trap_ticks()) > 0) {
        proc_current->channel = NULL;
        proc_current->wake_at = tick;
        fine = sleep_as_set();
    }
    lock_drop(&table_lock);
    return fine;
}

static void wake_all(const void *channel)
{
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc->state == PROC_SLEEPING && proc->channel == channel)
            make_runnable(proc);
}

void proc_wake(const void *channel)
{
    bool on = lock_take_irq(&table_lock);

    wake_all(channel);
    table_drop_irq(on);
}

void proc_tick(uint32_t now)
{
    lock_take(&table_lock);
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc->state == PROC_SLEEPING && proc->channel == NULL &&
            (int32_t)(now - proc->wake_at) >= 0)
            make_runnable(proc);
    table_drop();
}

/* Coming to be ------------------------------------------------------------ */

struct trapframe *proc_frame(const struct proc *proc)
{
    return (struct trapframe *)(proc->stack + KERNEL_STACK_SIZE - TF_SIZE);
}

/* An entry of the table that nobody else touches; NULL if all are in use. */
static struct proc *reserve(void)
{
    bool         on = lock_take_irq(&table_lock);
    struct proc *proc = procs;

    while (proc < procs + NR_PROCS && proc->state != PROC_FREE)
        proc++;
    if (proc == procs + NR_PROCS)
        proc = NULL;
    else
        *proc = (struct proc){ .state = PROC_NEW, .hart = cpu_self()->id };
    table_drop_irq(on);
    return proc;
}

static void give_up(struct proc *proc)
{
    if (proc->stack != 0)
        page_free(proc->stack);
    __atomic_store_n(&proc->state, PROC_FREE, __ATOMIC_RELEASE);
}

/* A process with a kernel stack, which will enter user mode by its frame when
 * it is published. NULL if there is no room. */
static struct proc *create(void)
{
    struct proc *proc = reserve();

    if (proc == NULL)
        return NULL;
    proc->stack = page_alloc_dirty();
    if (proc->stack == 0) {
        give_up(proc);
        return NULL;
    }
    *(uint32_t *)proc->stack = STACK_CANARY;
    proc->context.ra = (uint32_t)proc_entry;
    proc->context.sp = (uint32_t)proc_frame(proc);
    memcpy(proc->name, proc_current->name, NAME_SIZE);
    return proc;
}

/* It is complete: from now on others know it. */
static int32_t publish(struct proc *proc, bool held)
{
    bool    on = lock_take_irq(&table_lock);
    int32_t pid = (int32_t)++last_pid;

    proc->pid = (uint32_t)pid;
    proc->parent = proc_current;
    proc->killed = going_down;
    if (held && !going_down)
        proc->state = PROC_HELD;
    else
        make_runnable(proc);
    table_drop_irq(on);
    return pid;
}

void proc_start_init(const char *program, const char *args)
{
    struct cpu  *cpu = cpu_self();
    struct proc *idle = cpu->current;

    init = create();
    if (init == NULL || (init->space = space_create()) == NULL)
        panic("no memory for the first process");
    cpu->current = init;
    if (exec_program(program, args) < 0)
        panic("cannot start program %s", program);
    cpu->current = idle;
    space_enter(idle->space, idle->stack + KERNEL_STACK_SIZE);
    publish(init, false);
}

int32_t proc_fork(bool held)
{
    struct proc  *child = create();
    struct space *own = proc_current->space;
    bool          fine;

    if (child == NULL)
        return -1;
    child->space = space_create();
    if (child->space == NULL) {
        give_up(child);
        return -1;
    }
    lock_take(&own->lock);
    fine = space_copy(child->space, own);
    lock_drop(&own->lock);
    if (!fine) {
        space_leave(child->space);
        give_up(child);
        return -1;
    }
    space_commit(child->space);
    *proc_frame(child) = *proc_frame(proc_current);
    proc_frame(child)->x[REG_A0] = 0; /* what fork answers in the child */
    return publish(child, held);
}

int32_t proc_thread(uint32_t entry, uint32_t arg, uint32_t stack)
{
    struct proc *thread = create();

    if (thread == NULL)
        return -1;
    thread->space = space_share(proc_current->space);
    struct trapframe *frame = proc_frame(thread);
    *frame = (struct trapframe){ .epc = entry & ~3u };
    frame->x[REG_A0] = arg;
    frame->x[REG_SP] = stack & ~15u;
    priv_frame_enter_user(frame);
    return publish(thread, false);
}

/* Coming to an end -------------------------------------------------------- */

/* A process that was held runs now. */
static void release(struct proc *proc)
{
    if (proc->state == PROC_HELD)
        make_runnable(proc);
}

static void kill(struct proc *proc)
{
    proc->killed = true;
    release(proc);
    if (proc->state == PROC_SLEEPING)
        make_runnable(proc);
    else
        sched_interrupt(proc);
}

static bool is_alive(const struct proc *proc)
{
    return proc->state != PROC_FREE && proc->state != PROC_NEW &&
           proc->state != PROC_ZOMBIE;
}

int32_t proc_kill(uint32_t pid)
{
    bool    on = lock_take_irq(&table_lock);
    int32_t result = -1;

    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc->pid == pid && is_alive(proc)) {
            kill(proc);
            result = 0;
            break;
        }
    table_drop_irq(on);
    return result;
}

void proc_power_off(uint32_t status)
{
    bool on = lock_take_irq(&table_lock);

    going_down = true;
    exit_status = status;
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++)
        if (proc != proc_current && is_alive(proc))
            kill(proc);
    table_drop_irq(on);
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

/* The first hart may be asleep. */
static void tell_all_gone(void)
{
    __atomic_store_n(&all_gone, true, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (cpu_self()->id != boot_info.hart)
        hart_interrupt(1u << boot_info.hart);
}

/* The kernel stack is what a zombie still has: it runs on it to the last. */
_Noreturn void proc_exit(uint32_t status)
{
    struct proc *self = proc_current;

    if (self == init)
        init_exit(status);
    space_enter(&kernel_space, self->stack + KERNEL_STACK_SIZE);
    space_leave(self->space);
    self->space = &kernel_space;
    lock_take_irq(&table_lock); /* for good */
    orphan_children(self);
    self->status = status;
    self->state = PROC_ZOMBIE;
    if (self == init)
        tell_all_gone();
    else
        wake_all(self->parent);
    sched_leave();
    panic("a zombie runs");
}

/* A zombie that is a child of ours: its entry is free then. */
static struct proc *find_zombie(bool *waiting)
{
    *waiting = false;
    for (struct proc *proc = procs; proc < procs + NR_PROCS; proc++) {
        if (proc->parent != proc_current || proc->state == PROC_FREE)
            continue;
        *waiting = true;
        release(proc);
        if (proc->state == PROC_ZOMBIE)
            return proc;
    }
    return NULL;
}

/* Sleeps on the process itself: its children wake that. */
int32_t proc_wait(uint32_t *status)
{
    bool         on = lock_take_irq(&table_lock), waiting;
    struct proc *zombie;
    uint32_t     stack = 0;
    int32_t      pid = -1;

    while ((zombie = find_zombie(&waiting)) == NULL && waiting) {
        proc_current->channel = proc_current;
        if (!sleep_as_set())
            break;
    }
    if (zombie != NULL) {
        pid = (int32_t)zombie->pid;
        *status = zombie->status;
        stack = zombie->stack;
        zombie->state = PROC_FREE;
    }
    table_drop_irq(on);
    if (stack != 0)
        page_free(stack);
    return pid;
}
