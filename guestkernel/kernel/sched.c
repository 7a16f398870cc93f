/* sched.c - which process runs where.
 *
 * Each hart has a queue of runnable processes and takes the first; if it has
 * none, one of another hart's. A process that becomes runnable goes to an idle
 * hart if there is one, else back to where it ran last.
 *
 * The kernel itself is never preempted: a process gives up the processor only
 * here, when it yields, sleeps or ends, or when a tick came and it is about to
 * return to user mode. Interrupts do come while the kernel works, but their
 * handlers only make processes runnable.
 *
 * Nobody may run a process before the hart that ran it has left its stack. So
 * what makes that possible is done after the switch, by the thread that was
 * switched to, in sched_switched(): queue the one that yielded, or release
 * table_lock, without which one that sleeps or ended is not touched.
 *
 * The thread that a hart started with is `idle`: not in the table, without
 * user memory, it runs when no process can. A hart that is about to sleep says
 * so and then looks at all queues; who queues a process looks afterwards
 * whether a hart is idle. With a full fence in between on both sides, one of
 * the two sees the other. */
#include "kernel/sched.h"
#include "kernel/cpu.h"
#include "kernel/hart.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/lock.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "kernel/space.h"

enum after { NOTHING, QUEUE_LEFT, UNLOCK_TABLE };

struct queue {
    struct lock  lock;
    struct proc *first, *last;
};

static struct queue queues[MAX_HARTS];
static struct proc  idles[MAX_HARTS];

/* entry.S */
void context_switch(struct context *from, const struct context *to);

void sched_init(struct cpu *cpu)
{
    struct proc *idle = &idles[cpu->id];

    idle->space = &kernel_space;
    idle->stack = cpu->stack;
    *(uint32_t *)idle->stack = STACK_CANARY;
    queues[cpu->id].lock.rank = LOCK_QUEUE;
    cpu->current = idle;
}

/* Queues ------------------------------------------------------------------- */

static bool is_empty(const struct queue *queue)
{
    return __atomic_load_n(&queue->first, __ATOMIC_RELAXED) == NULL;
}

static void put(struct queue *queue, struct proc *proc)
{
    lock_take(&queue->lock);
    proc->next = NULL;
    if (queue->first == NULL)
        __atomic_store_n(&queue->first, proc, __ATOMIC_RELAXED);
    else
        queue->last->next = proc;
    queue->last = proc;
    lock_drop(&queue->lock);
}

/* NULL if there is none, also if somebody else was faster. */
static struct proc *take(struct queue *queue)
{
    struct proc *proc;

    if (is_empty(queue))
        return NULL;
    lock_take(&queue->lock);
    proc = queue->first;
    if (proc != NULL)
        __atomic_store_n(&queue->first, proc->next, __ATOMIC_RELAXED);
    lock_drop(&queue->lock);
    return proc;
}

/* The next one that this hart can run: its own first. */
static struct proc *take_any(void)
{
    struct proc *proc = take(&queues[cpu_self()->id]);

    for (uint32_t id = 0; proc == NULL && id < boot_info.hart_end; id++)
        proc = take(&queues[id]);
    return proc;
}

static bool all_empty(void)
{
    for (uint32_t id = 0; id < boot_info.hart_end; id++)
        if (!is_empty(&queues[id]))
            return false;
    return true;
}

/* Placement ---------------------------------------------------------------- */

static bool is_idle(uint32_t id)
{
    return __atomic_load_n(&cpus[id].idle, __ATOMIC_RELAXED);
}

/* An idle hart, the given one if possible; MAX_HARTS: there is none. */
static uint32_t find_idle(uint32_t best)
{
    if (is_idle(cpu_self()->id))
        return cpu_self()->id;
    if (is_idle(best))
        return best;
    for (uint32_t id = 0; id < boot_info.hart_end; id++)
        if (is_idle(id))
            return id;
    return MAX_HARTS;
}

/* Only one of those who want to, has to. */
static void note(uint32_t id)
{
    struct cpu *self = cpu_self();

    if (__atomic_exchange_n(&cpus[id].idle, false, __ATOMIC_RELAXED) &&
        id != self->id)
        self->to_wake |= (uint8_t)(1u << id);
}

void sched_wake(void)
{
    struct cpu *self = cpu_self();
    uint32_t    mask = self->to_wake;

    self->to_wake = 0;
    hart_interrupt(mask);
}

void sched_add(struct proc *proc)
{
    uint32_t id = find_idle(proc->hart);

    put(&queues[id < MAX_HARTS ? id : proc->hart], proc);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (id == MAX_HARTS)
        id = find_idle(proc->hart); /* it will steal */
    if (id < MAX_HARTS)
        note(id);
}

void sched_interrupt(const struct proc *proc)
{
    for (uint32_t id = 0; id < boot_info.hart_end; id++)
        if (__atomic_load_n(&cpus[id].current, __ATOMIC_RELAXED) == proc &&
            id != cpu_self()->id)
            cpu_self()->to_wake |= (uint8_t)(1u << id);
}

/* Taking turns ------------------------------------------------------------ */

/* Continue `to`; returns when it is our turn again, perhaps on another hart.
 * Interrupts are off, here and there. */
static void schedule(struct proc *to, enum after after)
{
    struct cpu  *cpu = cpu_self();
    struct proc *from = cpu->current;

    if (*(uint32_t *)from->stack != STACK_CANARY)
        panic("kernel stack of %u %s overflowed", from->pid, from->name);
    cpu->switches++;
    cpu->left = from;
    cpu->after = (uint8_t)after;
    __atomic_store_n(&cpu->current, to, __ATOMIC_RELAXED);
    to->hart = cpu->id;
    space_enter(to->space, to->stack + KERNEL_STACK_SIZE);
    context_switch(&from->context, &to->context);
    sched_switched();
}

void sched_switched(void)
{
    struct cpu *cpu = cpu_self();

    if (cpu->after == QUEUE_LEFT)
        sched_add(cpu->left);
    else if (cpu->after == UNLOCK_TABLE)
        lock_drop(&table_lock);
    sched_wake();
}

void sched_yield(void)
{
    bool         on = priv_irq_off();
    struct proc *to = take(&queues[cpu_self()->id]);

    if (to != NULL)
        schedule(to, QUEUE_LEFT);
    priv_irq_restore(on);
}

void sched_leave(void)
{
    struct proc *to = take_any();

    lock_must_be_mine(&table_lock);
    schedule(to != NULL ? to : &idles[cpu_self()->id], UNLOCK_TABLE);
}

/* One round of an idle thread: run others as long as there are some, then sleep
 * until an interrupt. */
static void idle(void)
{
    struct cpu  *cpu = cpu_self();
    struct proc *to = take_any();

    if (to != NULL)
        schedule(to, NOTHING);
    priv_background();
    __atomic_store_n(&cpu->idle, true, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (all_empty() && !proc_all_gone())
        priv_idle();
    __atomic_store_n(&cpu->idle, false, __ATOMIC_RELAXED);
}

void sched_run_all(void)
{
    priv_irq_off();
    while (!proc_all_gone())
        idle();
}

_Noreturn void sched_run_forever(void)
{
    for (;;)
        idle();
}

uint32_t sched_count_switches(void)
{
    uint32_t count = 0;

    for (uint32_t id = 0; id < boot_info.hart_end; id++)
        count += cpus[id].switches;
    return count;
}
