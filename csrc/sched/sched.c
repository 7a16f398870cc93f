/* sched.c - queues, switches, and which hart a vCPU goes to.
 *
 * Each hart has a queue, and takes the first in it (policy.h says in which
 * order); where a policy has good reason to, it takes one from the queue of
 * another hart. Invariants:
 *
 *   a vCPU is queued, on one queue, exactly when it is runnable, its VM is
 *   live, it is on no hart, and it is not parked
 *   it is queued on, or runs on, its home, which its affinity permits
 *   no hart waits while a vCPU is queued that may run there (but for policies
 *   that partition) */
#include "sched/sched.h"
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/hyp.h"
#include "hyp/trace.h"
#include "sched/timer.h"

void sched_init(struct hyp *hyp)
{
    hyp->sched = (struct sched_host){ .period_end = TIME_NEVER };
    if (hyp->config.policy->account)
        hyp->sched.period_end = hyp->config.period;
}

static const struct policy *policy_of(const struct vcpu *vcpu)
{
    return vcpu->vm->hyp->config.policy;
}

static struct pcpu *here(const struct hyp *hyp)
{
    return hyp->inside ? hyp->inside->pcpu : hyp->cpu[0].pcpu;
}

uint64_t sched_now(const struct hyp *hyp)
{
    return hal_time(here(hyp));
}

bool sched_runnable(const struct vcpu *vcpu)
{
    return vcpu->state == VCPU_RUNNABLE && vcpu->vm->state == VM_LIVE;
}

static bool permits(const struct vcpu *vcpu, const struct hyp_cpu *cpu)
{
    return vcpu->sched.affinity >> cpu->pcpu->id & 1;
}

void cpu_kick(struct hyp_cpu *cpu)
{
    if (cpu == cpu->hyp->inside)
        return;
    trace(here(cpu->hyp), EVENT_kick, cpu->current, cpu->pcpu->id);
    hal_kick(cpu->pcpu);
}

void sched_again(struct hyp_cpu *cpu)
{
    cpu->resched = true;
    cpu_kick(cpu);
}

const struct vcpu *sched_front(const struct hyp_cpu *cpu)
{
    return cpu->queue.head;
}

uint32_t sched_active(const struct vm *vm)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        n += sched_runnable(&vm->vcpu[i]);
    return n;
}

/* Where to wait ------------------------------------------------------------ */

static bool idle(const struct hyp_cpu *cpu)
{
    return !cpu->current && !cpu->queue.head;
}

/* How much there is to do before a new one of this VM; its own siblings count
 * most, since they would rather run beside it. */
static uint32_t load(const struct hyp_cpu *cpu, const struct vm *vm)
{
    uint32_t n = cpu->queue.len + (cpu->current != NULL);

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        const struct vcpu *vcpu = &vm->vcpu[i];

        if (vcpu->sched.home == cpu && (vcpu->on || vcpu->sched.queued))
            n += MAX_VMS;
    }
    return n;
}

/* At home if it is free, since the TLB may remember; on any free hart; at home
 * if it was there before; where there is least to do. */
static struct hyp_cpu *place(struct vcpu *vcpu)
{
    struct hyp     *hyp = vcpu->vm->hyp;
    struct hyp_cpu *home = vcpu->sched.home, *best = NULL;

    if (home &&
        (policy_of(vcpu)->partitioned || (idle(home) && permits(vcpu, home))))
        return home;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        struct hyp_cpu *cpu = &hyp->cpu[i];

        if (permits(vcpu, cpu) &&
            (!best || load(cpu, vcpu->vm) < load(best, vcpu->vm)))
            best = cpu;
    }
    HV_ASSERT(hyp->hal, best); /* no affinity is empty */
    return home && permits(vcpu, home) && !idle(best) ? home : best;
}

static void set_home(struct vcpu *vcpu, struct hyp_cpu *cpu)
{
    const struct policy *policy = policy_of(vcpu);

    if (vcpu->sched.home == cpu)
        return;
    if (vcpu->sched.home && policy->move)
        policy->move(vcpu, cpu);
    if (vcpu->sched.home)
        trace(cpu->pcpu, EVENT_move, vcpu, vcpu->sched.home->pcpu->id);
    vcpu->sched.home = cpu;
}

/* Is the hart to choose anew, now that this one waits there? One whose timer
 * is not set waits for nothing else. */
static bool calls_for(const struct vcpu *vcpu, const struct hyp_cpu *cpu)
{
    const struct policy *policy = policy_of(vcpu);

    if (policy->pick)
        return cpu->armed == TIME_NEVER || policy->pick(cpu) == vcpu;
    return !cpu->current ||
           (policy->preempts && policy->preempts(vcpu, cpu->current));
}

/* Its key is set. Whoever is there stops for it, if the policy says so. */
static void enqueue(struct vcpu *vcpu, struct hyp_cpu *cpu)
{
    set_home(vcpu, cpu);
    queue_insert(&cpu->queue, vcpu);
    if (calls_for(vcpu, cpu))
        sched_again(cpu);
}

/* By what it has now. */
static void new_key(struct vcpu *vcpu)
{
    vcpu->sched.key = policy_of(vcpu)->requeue(vcpu, sched_now(vcpu->vm->hyp));
}

static void dequeue(struct vcpu *vcpu)
{
    if (vcpu->sched.queued)
        queue_remove(&vcpu->sched.home->queue, vcpu);
}

/* What happens to a vCPU ---------------------------------------------------- */

void sched_wake(struct vcpu *vcpu)
{
    struct sched_vcpu *s = &vcpu->sched;
    struct hyp        *hyp = vcpu->vm->hyp;
    uint64_t           now = sched_now(hyp);

    if (!sched_runnable(vcpu) || vcpu->on || s->queued)
        return;
    runstate_update(vcpu);
    if (s->seen < hal_cycles(here(hyp)))
        s->seen = hal_cycles(here(hyp));
    s->parked = s->parked || cap_spent(vcpu->vm);
    if (policy_of(vcpu)->wake)
        policy_of(vcpu)->wake(vcpu, now);
    if (!s->parked)
        enqueue(vcpu, place(vcpu));
    else /* somebody has to look when its time comes */
        cpu_kick(s->home ? s->home : &hyp->cpu[0]);
    trace(here(hyp), EVENT_wake, vcpu, s->home ? s->home->pcpu->id : 0);
}

void sched_sleep(struct vcpu *vcpu)
{
    dequeue(vcpu);
    runstate_update(vcpu);
    trace(here(vcpu->vm->hyp), EVENT_sleep, vcpu, vcpu->state == VCPU_STOPPED);
    if (vcpu->on)
        sched_again(vcpu->on->hyp);
}

void sched_end(struct vm *vm)
{
    trace(here(vm->hyp), EVENT_end, &vm->vcpu[0], 0);
}

void sched_park(struct vcpu *vcpu)
{
    if (vcpu->sched.parked)
        return;
    vcpu->sched.parked = true;
    trace(here(vcpu->vm->hyp), EVENT_park, vcpu, 0);
    dequeue(vcpu);
    if (vcpu->on)
        sched_again(vcpu->on->hyp);
}

void sched_unpark(struct vcpu *vcpu)
{
    if (!vcpu->sched.parked)
        return;
    vcpu->sched.parked = false;
    if (!sched_runnable(vcpu) || vcpu->on)
        return;
    /* What it was parked with says nothing of what it has now. */
    new_key(vcpu);
    enqueue(vcpu, place(vcpu));
    trace(here(vcpu->vm->hyp), EVENT_unpark, vcpu, vcpu->sched.home->pcpu->id);
}

void sched_give_way(struct vcpu *vcpu)
{
    vcpu->sched.yielded = true;
    if (vcpu->on)
        sched_again(vcpu->on->hyp);
}

void sched_give_way_to(struct vcpu *vcpu, struct vcpu *to)
{
    struct hyp_cpu *cpu = vcpu->on->hyp;

    if (to->sched.queued && permits(to, cpu) &&
        (!policy_of(to)->partitioned || to->sched.home == cpu))
        cpu->favoured = to;
    sched_give_way(vcpu);
}

void sched_charge(struct vcpu *vcpu, uint64_t cycles)
{
    cap_charge(vcpu, cycles);
    if (policy_of(vcpu)->charge)
        policy_of(vcpu)->charge(vcpu, cycles);
}

void sched_rekey(struct vcpu *vcpu, uint64_t key)
{
    if (!vcpu->sched.queued)
        return;
    dequeue(vcpu);
    vcpu->sched.key = key;
    enqueue(vcpu, vcpu->sched.home);
}

/* Parameters ---------------------------------------------------------------- */

/* Periods begin with the first who needs them. */
static void begin_periods(struct hyp *hyp)
{
    if (hyp->sched.period_end == TIME_NEVER)
        hyp->sched.period_end = sched_now(hyp) + hyp->config.period;
}

const char *sched_params_bad(const struct sched_params *params)
{
    if (params->weight < 1 || params->weight > WEIGHT_MAX)
        return "weight must be in 1..65535";
    if (params->cap > 100 * MAX_HARTS)
        return "cap is in percent of one hart: 1 to 800, or 0 for none";
    if (params->budget > params->period ||
        (params->budget == 0) != (params->period == 0))
        return "budget must be in 1..period, or both 0";
    return NULL;
}

bool sched_admit(struct vm *vm, const struct sched_params *params,
                 const char **why)
{
    const struct policy *policy = vm->hyp->config.policy;
    bool                 capped = vm->sched.cap != params->cap;
    uint32_t             was = vm->sched.cap != 0;

    *why = sched_params_bad(params);
    if (*why)
        return false;
    if (policy->admit && !policy->admit(vm, params, why))
        return false;
    vm->sched = *params;
    if (!capped)
        return true;
    vm->hyp->sched.nr_capped += (params->cap != 0) - was;
    vm->cap_left = 0;
    cap_refill(vm);
    if (params->cap)
        begin_periods(vm->hyp);
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        vm->vcpu[i].sched.granted = 0;
        sched_unpark(&vm->vcpu[i]);
        if (vm->vcpu[i].on)
            sched_again(vm->vcpu[i].on->hyp);
    }
    return true;
}

void sched_forget(struct vm *vm)
{
    struct hyp *hyp = vm->hyp;

    hyp->sched.nr_capped -= vm->sched.cap != 0;
    if (hyp->sched.gang == vm)
        hyp->sched.gang = NULL;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (hyp->cpu[i].favoured && hyp->cpu[i].favoured->vm == vm)
            hyp->cpu[i].favoured = NULL;
    if (hyp->config.policy->forget)
        hyp->config.policy->forget(vm);
}

bool sched_set_affinity(struct vcpu *vcpu, uint32_t harts, const char **why)
{
    struct hyp_cpu *home = vcpu->sched.home;

    *why = "no hart of the machine is among them";
    if (!(harts & ((1u << vcpu->vm->hyp->nr_cpus) - 1)))
        return false;
    *why = "this policy has assigned it to a hart for good";
    if (policy_of(vcpu)->partitioned && home && !(harts >> home->pcpu->id & 1))
        return false;
    vcpu->sched.affinity = harts;
    if (vcpu->sched.queued) {
        dequeue(vcpu);
        enqueue(vcpu, place(vcpu));
    } else if (vcpu->on && !permits(vcpu, vcpu->on->hyp)) {
        sched_again(vcpu->on->hyp);
    }
    return true;
}

/* Choosing ------------------------------------------------------------------ */

static void new_period(struct hyp *hyp, uint64_t now)
{
    uint64_t period = hyp->config.period;

    hyp->sched.period_end += ((now - hyp->sched.period_end) / period + 1) *
                             period;
    if (hyp->config.policy->account)
        hyp->config.policy->account(hyp, now);
    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        struct vm *vm = hyp->slot[slot];

        if (!vm || !vm->sched.cap)
            continue;
        cap_refill(vm);
        for (uint32_t i = 0; !cap_spent(vm) && i < vm->config.nr_vcpus; i++)
            sched_unpark(&vm->vcpu[i]);
    }
}

struct vcpu *sched_tick(struct pcpu *pcpu, uint64_t now)
{
    struct hyp_cpu *cpu = pcpu->hyp;
    struct hyp     *hyp = cpu->hyp;
    struct vcpu    *owner = timer_expire(cpu, now);

    if (now >= hyp->sched.period_end)
        new_period(hyp, now);
    if (hyp->config.policy->tick)
        hyp->config.policy->tick(cpu, now);
    if (now >= cpu->slice_end && !cpu->new_slice)
        cpu->resched = true;
    return owner;
}

/* Out of the queues of others, the one with the smallest key, if it is worth
 * it: it would be a pity to leave `mine` (NULL: none) for less. */
static struct vcpu *from_others(const struct hyp_cpu *cpu,
                                const struct vcpu *mine, const struct vm *vm)
{
    const struct hyp    *hyp = cpu->hyp;
    const struct policy *policy = hyp->config.policy;
    struct vcpu         *best = NULL;

    if (policy->partitioned)
        return NULL;
    for (uint32_t n = 1; n < hyp->nr_cpus; n++) {
        const struct hyp_cpu *other =
            &hyp->cpu[(cpu->pcpu->id + n) % hyp->nr_cpus];
        struct vcpu *first = queue_first(&other->queue, cpu->pcpu->id, vm);

        if (!other->current && other->queue.len == 1)
            continue; /* it was kicked, and is about to run this one */
        if (first && (!best || first->sched.key < best->sched.key))
            best = first;
    }
    if (best && mine && !(policy->steals && policy->steals(best, mine)))
        return NULL;
    return best;
}

/* While a gang has the machine, its vCPUs go first; *theirs says so. */
static struct vcpu *of_gang(struct hyp_cpu *cpu, struct vcpu *old, uint64_t now)
{
    struct sched_host *sched = &cpu->hyp->sched;
    struct vcpu       *next;

    if (!sched->gang)
        return NULL;
    if (now >= sched->gang_until) {
        sched->gang = NULL;
        return NULL;
    }
    if (old && old->vm == sched->gang)
        return old;
    next = queue_first(&cpu->queue, cpu->pcpu->id, sched->gang);
    return next ? next : from_others(cpu, NULL, sched->gang);
}

/* The best of all; old, if it may go on, is one of them. */
static struct vcpu *best(struct hyp_cpu *cpu, struct vcpu *old, uint64_t now)
{
    struct vcpu *mine = queue_first(&cpu->queue, cpu->pcpu->id, NULL);
    struct vcpu *favoured = cpu->favoured;
    struct vcpu *gang = of_gang(cpu, old, now);

    cpu->favoured = NULL;
    if (gang)
        return gang;
    if (favoured && favoured->sched.queued)
        return favoured;
    if (old && (!mine || old->sched.key <= mine->sched.key))
        mine = old;
    struct vcpu *theirs = from_others(cpu, mine, NULL);
    return theirs ? theirs : mine;
}

/* One of its vCPUs was chosen, and some vCPU of another VM was not. */
static bool was_preferred(const struct vm *vm, const struct vcpu *old)
{
    const struct hyp *hyp = vm->hyp;

    if (old && old->vm != vm)
        return true;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        for (const struct vcpu *v = hyp->cpu[i].queue.head; v;
             v = v->sched.next)
            if (v->vm != vm)
                return true;
    return false;
}

/* Its vCPUs have the machine for one slice, if that is their turn: where nobody
 * else waits, a hart that is left over would begin one turn after the other, and
 * take the rest of the machine from those that run there. */
static void gang_begin(struct hyp_cpu *cpu, struct vm *vm,
                       const struct vcpu *old, uint64_t now)
{
    struct hyp *hyp = cpu->hyp;

    if (!vm->sched.gang || hyp->sched.gang || hyp->nr_cpus == 1 ||
        !was_preferred(vm, old))
        return;
    hyp->sched.gang = vm;
    hyp->sched.gang_until = now + hyp->config.slice;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (&hyp->cpu[i] != cpu &&
            !(hyp->cpu[i].current && hyp->cpu[i].current->vm == vm))
            sched_again(&hyp->cpu[i]);
}

static struct vcpu *choose(struct hyp_cpu *cpu, struct vcpu *old)
{
    const struct policy *policy = cpu->hyp->config.policy;
    uint64_t             now = hal_time(cpu->pcpu);
    struct vcpu         *next;

    if (old)
        old->sched.key = old->sched.yielded ? UINT64_MAX
                                            : policy->requeue(old, now);
    next = policy->pick ? policy->pick(cpu) : best(cpu, old, now);
    if (old && old->sched.yielded)
        old->sched.key = policy->requeue(old, now);
    if (old)
        old->sched.yielded = false;
    if (next)
        gang_begin(cpu, next->vm, old, now);
    return next;
}

/* Switching ----------------------------------------------------------------- */

/* Off the hart; wherever it goes from here, that is done by the caller. */
static void take_off(struct vcpu *vcpu)
{
    struct pcpu *pcpu = vcpu->on;

    vcpu_leave_world(vcpu);
    vcpu->saved = *pcpu->regs;
    vcpu->sched.seen = hal_cycles(pcpu);
    cap_return(vcpu);
    vcpu->on = NULL;
    vcpu->vm->style->paging->release(vcpu);
    pcpu->hyp->current = NULL;
    hal_wait(pcpu);
    trace(pcpu, EVENT_stop, vcpu, sched_runnable(vcpu));
    runstate_update(vcpu);
    if (sched_runnable(vcpu))
        steal_tell(vcpu, false);
}

/* It has been running, and still could: back to a queue, with the key that it
 * was given for that, or to wait for the next period. */
static void put_back(struct vcpu *vcpu)
{
    if (!sched_runnable(vcpu))
        return;
    if (cap_spent(vcpu->vm))
        sched_park(vcpu);
    if (!vcpu->sched.parked)
        enqueue(vcpu, place(vcpu));
}

static void make_room(struct vcpu *vcpu)
{
    take_off(vcpu);
    new_key(vcpu);
    put_back(vcpu);
}

void sched_deschedule(struct vcpu *vcpu)
{
    struct pcpu *pcpu = vcpu->on;

    if (!pcpu)
        return;
    make_room(vcpu);
    sched_again(pcpu->hyp); /* others wait for it */
}

/* Clocks of two harts may differ by a quantum, and a vCPU that moves must not
 * see its own go back. */
static void catch_up(struct hyp_cpu *cpu, uint64_t cycle)
{
    uint64_t before = hal_cycles(cpu->pcpu);

    hal_pad(cpu->pcpu, cycle);
    cpu->mark += hal_cycles(cpu->pcpu) - before;
    cpu->spent[SPENT_IDLE] += hal_cycles(cpu->pcpu) - before;
}

static void sched_run(struct pcpu *pcpu, struct vcpu *vcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    HV_ASSERT(pcpu->hal, vcpu->sched.queued && permits(vcpu, cpu));
    dequeue(vcpu);
    set_home(vcpu, cpu);
    catch_up(cpu, vcpu->sched.seen);
    vcpu->on = pcpu;
    *pcpu->regs = vcpu->saved;
    cpu->current = vcpu;
    vcpu->fruitless = 0; /* who has no time for more gets nowhere */
    cpu->new_slice = true;
    runstate_update(vcpu);
    vcpu_resume(vcpu);
    vcpu->vm->count.switches++;
    hal_charge(pcpu, HAL_COST_world_switch, 1);
    steal_tell(vcpu, true);
    trace(pcpu, EVENT_run, vcpu, 0);
    trace(pcpu, EVENT_queue, NULL, cpu->queue.len);
}

/* It took one from elsewhere, or two came at once: who is left behind need not
 * wait for this hart if another has nothing to do. */
static void offer(const struct hyp_cpu *cpu)
{
    struct hyp        *hyp = cpu->hyp;
    const struct vcpu *left = cpu->queue.head;

    if (!left || !cpu->current || hyp->config.policy->partitioned)
        return;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (idle(&hyp->cpu[i]) && permits(left, &hyp->cpu[i])) {
            sched_again(&hyp->cpu[i]);
            return;
        }
}

bool hyp_switch_to(struct pcpu *pcpu, struct vcpu *vcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    if (cpu->current == vcpu)
        return true;
    if (!vcpu->sched.queued || !permits(vcpu, cpu))
        return false;
    if (cpu->current) {
        vcpu_account(cpu->current);
        make_room(cpu->current);
    }
    sched_run(pcpu, vcpu);
    cpu->resched = false;
    offer(cpu);
    return true;
}

static void sched_pick(struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;
    struct vcpu    *old = cpu->current;

    if (old)
        cap_return(old); /* or its own grant would look spent */
    bool goes_on = old && sched_runnable(old) && !old->sched.parked &&
                   !cap_spent(old->vm) && permits(old, cpu);

    cpu->resched = false;
    hal_charge(pcpu, HAL_COST_pick, 1);
    if (old && sched_runnable(old) && !permits(old, cpu))
        new_key(old); /* elsewhere, what it has had here counts */
    struct vcpu *next = choose(cpu, goes_on ? old : NULL);
    if (next && next == old) {
        cpu->new_slice = true;
        return;
    }
    if (old)
        take_off(old);
    if (next)
        sched_run(pcpu, next);
    if (old)
        put_back(old);
    offer(cpu);
    cpu->resched = false;
}

void sched_leave(struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    if (cpu->resched || !cpu->current)
        sched_pick(pcpu);
}

/* A guest can sleep until the end of time. What would end after it, never
 * ends; a sum that wrapped would lie in the past, and every slice with it. */
static uint64_t after(uint64_t now, uint64_t ticks)
{
    return ticks < TIME_NEVER - now ? now + ticks : TIME_NEVER;
}

static void begin_slice(struct hyp_cpu *cpu)
{
    const struct policy *policy = cpu->hyp->config.policy;
    struct vcpu         *vcpu = cpu->current;
    uint64_t             now = hal_time(cpu->pcpu);
    uint64_t             ticks = cpu->hyp->config.slice;

    if (vcpu && policy->limit)
        ticks = policy->limit(vcpu, now);
    if (vcpu && vcpu->vm == cpu->hyp->sched.gang &&
        cpu->hyp->sched.gang_until > now &&
        ticks > cpu->hyp->sched.gang_until - now)
        ticks = cpu->hyp->sched.gang_until - now;
    if (vcpu)
        ticks = cap_take(vcpu, ticks, now);
    cpu->slice_end = after(now, ticks);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Somebody waits for the next period. */
static bool awaits_period(const struct hyp *hyp)
{
    if (!hyp->sched.nr_capped)
        return false;
    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        const struct vm *vm = hyp->slot[slot];

        for (uint32_t i = 0; vm && vm->sched.cap && i < vm->config.nr_vcpus;
             i++)
            if (vm->vcpu[i].sched.parked && sched_runnable(&vm->vcpu[i]))
                return true;
    }
    return false;
}

void sched_arm(struct pcpu *pcpu)
{
    struct hyp_cpu      *cpu = pcpu->hyp;
    const struct policy *policy = cpu->hyp->config.policy;

    if (policy->pad && cpu->current)
        hal_pad(pcpu, policy->pad(cpu));
    if (cpu->new_slice)
        begin_slice(cpu);
    cpu->new_slice = false;
    uint64_t next = earlier(timer_next(cpu), cpu->hyp->reclaim.at);
    if (cpu->current || awaits_period(cpu->hyp))
        next = earlier(next, cpu->hyp->sched.period_end);
    if (policy->next)
        next = earlier(next, policy->next(cpu));
    if (cpu->current)
        next = earlier(next, cpu->slice_end);
    if (next != cpu->armed)
        hal_set_timer(pcpu, next);
    cpu->armed = next;
}
