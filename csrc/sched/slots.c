/* slots.c - a fixed table of time slots: the one policy that keeps secrets.
 *
 * All harts follow the same table at the same time, over and over; in a VM's
 * slot, hart i runs its vCPU i or nothing. (As avionics does it: ARINC 653.)
 * Nobody gets what another leaves, and that is the point: how long others ran,
 * and whether at all, cannot be told from inside. Therefore
 *
 *   a slot begins for its VM a fixed time after it began by the table, long
 *   enough for whatever exit the last VM was in to end, and for the switch; no
 *   VM pays for that time
 *   the TLB is empty then, and no tag is in use
 *   only the timers of the VM whose slot it is go off
 *
 * and what would let VMs meet elsewhere is refused: direct (it sees machine
 * frames), caps, budgets and gangs here, over-commit and page sharing above. */
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/trace.h"
#include "sched/sched.h"
#include "sched/timer.h"

/* In cycles, with the costs of abi/costs.def: an exit, which is never longer
 * (EXIT_BOUND: hyp.h says why), and a switch with what it takes to rebuild the
 * world and to deliver an interrupt. Less would do for the exits that tests can
 * make; it is what the longest pieces come to when all that is in them is dear.
 * With other costs something may come late, which is then told: the argument of
 * the event `slot`. */
#define PAD_EXIT   12000
#define PAD_SWITCH 2000
#define PAD        (PAD_EXIT + PAD_SWITCH)

_Static_assert(PAD_EXIT == EXIT_BOUND, "exits are waited for as they last");

/* Whose turn it is, and from when to when; before the first table, nobody's. */
struct turn {
    uint32_t vm;
    uint64_t start, end;
};

static struct turn turn_at(const struct hyp *hyp, uint64_t now)
{
    const struct slot_table *next = &hyp->sched.table[1], *table = next;
    uint64_t                 end = TIME_NEVER;

    if (next->nr && now < next->begins) {
        table = &hyp->sched.table[0];
        end = next->begins;
    }
    if (!table->nr || now < table->begins)
        return (struct turn){ .vm = 0, .start = 0, .end = end };
    uint64_t start = now - (now - table->begins) % table->length;
    uint32_t i = 0;
    while (now - start >= table->slot[i].ticks)
        start += table->slot[i++].ticks;
    return (struct turn){ .vm = table->slot[i].vm,
                          .start = start,
                          .end = start + table->slot[i].ticks };
}

/* The slot that this hart is in is the one whose beginning it has served. */
static struct turn turn_of(const struct hyp_cpu *cpu)
{
    return turn_at(cpu->hyp, cpu->ticked);
}

static struct vcpu *slots_pick(const struct hyp_cpu *cpu)
{
    struct turn turn = turn_at(cpu->hyp, sched_now(cpu->hyp));
    struct vm  *vm = turn.vm ? hyp_vm(cpu->hyp, turn.vm) : NULL;

    if (!vm || turn.start != cpu->ticked ||
        cpu->pcpu->id >= vm->config.nr_vcpus)
        return NULL;
    struct vcpu *vcpu = &vm->vcpu[cpu->pcpu->id];
    bool         runs = vcpu == cpu->current && vcpu->state == VCPU_RUNNABLE &&
                        vm->state == VM_LIVE;
    return vcpu->sched.queued || runs ? vcpu : NULL;
}

static void slots_wake(struct vcpu *vcpu, uint64_t now)
{
    (void)now;
    vcpu->sched.key = ++vcpu->vm->hyp->sched.seq;
}

static uint64_t slots_requeue(struct vcpu *vcpu, uint64_t now)
{
    (void)now;
    return ++vcpu->vm->hyp->sched.seq;
}

static uint64_t slots_limit(struct vcpu *vcpu, uint64_t now)
{
    uint64_t end = turn_of(vcpu->on->hyp).end;

    return end > now ? end - now : 1;
}

static uint64_t slots_pad(const struct hyp_cpu *cpu)
{
    return cpu->ticked * cpu->hyp->tick + PAD;
}

/* Its VM will have a turn: by the present table, or the one that is to come. */
static bool has_slot(const struct vcpu *vcpu, uint64_t now)
{
    const struct slot_table *table = vcpu->vm->hyp->sched.table;

    for (uint32_t which = now >= table[1].begins; which < 2; which++)
        for (uint32_t i = 0; i < table[which].nr; i++)
            if (table[which].slot[i].vm == vcpu->vm->id)
                return true;
    return false;
}

/* Is there nobody for whom slots have to go on, on this hart? */
static bool quiet(const struct hyp_cpu *cpu, uint64_t now)
{
    const struct vcpu *timer = cpu->hyp->timers, *waits = cpu->queue.head;

    while (timer && (timer->sched.home != cpu || !has_slot(timer, now)))
        timer = timer->timer_next;
    while (waits && !has_slot(waits, now))
        waits = waits->sched.next;
    return !timer && !cpu->current && !waits;
}

static uint64_t slots_next(const struct hyp_cpu *cpu)
{
    uint64_t    now = hal_time(cpu->pcpu);
    struct turn turn = turn_at(cpu->hyp, now);

    if (quiet(cpu, now))
        return TIME_NEVER;
    return turn.start == cpu->ticked ? turn.end : now;
}

/* By how much it begins later than it should; one that was not waited for, by
 * a hart that had nothing to do, may. */
static uint32_t late(const struct hyp_cpu *cpu, uint64_t start)
{
    uint64_t by = start * cpu->hyp->tick + PAD_EXIT;
    uint64_t now = hal_cycles(cpu->pcpu);

    return cpu->armed <= start && now > by ? (uint32_t)(now - by) : 0;
}

static void slots_tick(struct hyp_cpu *cpu, uint64_t now)
{
    struct hyp *hyp = cpu->hyp;
    struct turn turn = turn_at(hyp, now);
    struct vm  *vm = turn.vm ? hyp_vm(hyp, turn.vm) : NULL;

    if (turn.start == cpu->ticked)
        return;
    cpu->ticked = turn.start;
    trace(cpu->pcpu, EVENT_slot, vm ? &vm->vcpu[0] : NULL,
          late(cpu, turn.start));
    hal_pad(cpu->pcpu, turn.start * hyp->tick + PAD_EXIT);
    account(cpu, SPENT_HYP, NULL);
    if (hyp->sched.slot_at < turn.start) { /* the first hart here */
        hyp->sched.slot_at = turn.start;
        tags_renew(hyp);
    }
    timer_expire(cpu, hal_time(cpu->pcpu));
    cpu->resched = true;
}

static bool slots_hears(const struct hyp_cpu *cpu, const struct vcpu *vcpu)
{
    return vcpu->vm->id == turn_of(cpu).vm;
}

static bool slots_admit(struct vm *vm, const struct sched_params *params,
                        const char **why)
{
    struct hyp *hyp = vm->hyp;

    *why = "slots: its style is direct, which sees what others do to memory";
    if (vm->style->direct)
        return false;
    *why = "slots: it has more vCPUs than the machine has harts";
    if (vm->config.nr_vcpus > hyp->nr_cpus)
        return false;
    *why = "slots: the table alone says how long it runs: no cap, budget, gang";
    if (params->cap || params->budget || params->gang)
        return false;
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        vm->vcpu[i].sched.home = &hyp->cpu[i];
    return true;
}

/* Whatever hart is furthest: all are before that, or in its slot. */
static uint64_t latest(const struct hyp *hyp)
{
    uint64_t now = 0;

    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (hal_time(hyp->cpu[i].pcpu) > now)
            now = hal_time(hyp->cpu[i].pcpu);
    return now;
}

bool slot_long_enough(const struct hyp *hyp, uint32_t ticks)
{
    return (uint64_t)ticks * hyp->tick > PAD;
}

static bool rows_ok(struct hyp *hyp, const struct slot *slot, uint32_t nr,
                    const char **why)
{
    *why = "slots: a table has 1 to 64 rows";
    if (nr < 1 || nr > MAX_SLOTS)
        return false;
    for (uint32_t i = 0; i < nr; i++) {
        const struct vm *vm = hyp_vm(hyp, slot[i].vm);

        *why = "slots: no such VM, or it has ended";
        if (slot[i].vm && (!vm || vm_ended(vm)))
            return false;
        *why = "slots: a slot must be longer than its padding, 14000 cycles";
        if (!slot_long_enough(hyp, slot[i].ticks))
            return false;
    }
    return true;
}

bool slots_set(struct hyp *hyp, const struct slot *slot, uint32_t nr,
               const char **why)
{
    struct slot_table *table = hyp->sched.table, *last = &table[1];
    uint64_t           now = latest(hyp);

    if (!rows_ok(hyp, slot, nr, why))
        return false;
    if (now >= last->begins) { /* else it replaces one that has not begun */
        table[0] = *last;
        last->begins = now + 1;
        if (table[0].nr)
            last->begins = now + table[0].length -
                           (now - table[0].begins) % table[0].length;
    }
    last->nr = nr;
    last->length = 0;
    for (uint32_t i = 0; i < nr; i++) {
        last->slot[i] = slot[i];
        last->length += slot[i].ticks;
    }
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (!table[0].nr || hyp->cpu[i].armed == TIME_NEVER)
            sched_again(&hyp->cpu[i]);
    return true;
}

const struct policy policy_slots = {
    .name = "slots",
    .partitioned = true,
    .admit = slots_admit,
    .wake = slots_wake,
    .requeue = slots_requeue,
    .limit = slots_limit,
    .pick = slots_pick,
    .pad = slots_pad,
    .next = slots_next,
    .tick = slots_tick,
    .hears = slots_hears,
};
