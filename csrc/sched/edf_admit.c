/* edf_admit.c - a budget is promised only where it can be kept.
 *
 * On one hart, earliest deadline first keeps all promises exactly if together
 * they demand no more than the hart has. So each vCPU with a budget, running
 * yet or not, is assigned to a hart for good: to the one of those that it may
 * run on that has most left (worst fit), since siblings should run beside each
 * other. One that is running or queued already stays where it is. If any finds
 * no place, all is refused.
 *
 * What a vCPU demands in its period is its budget; three exits with a switch
 * (to it, back, and where its budget is renewed); and one exit that cannot be
 * cut short when the budget ends. Besides, whoever is more urgent may have to
 * wait for one such exit of another's: once in the shortest period. */
#include "sched/edf.h"
#include "sched/sched.h"

/* In cycles, with the costs of abi/costs.def. A switch: trap, exit, pick,
 * world_switch, and a root to be made. An exit: EXIT_BOUND, which no guest
 * exceeds (hyp.h), but where memory that was promised twice runs out: then pages
 * are compared (reclaim.c). tests/sched measures both. */
#define EDF_SWITCH 1500
#define EDF_EXIT   12000

#define WHOLE (1u << 20) /* all that a hart has */

static uint64_t ticks_of(const struct hyp *hyp, uint64_t cycles)
{
    return (cycles + hyp->tick - 1) / hyp->tick;
}

/* Rounded up, as a part of WHOLE. */
static uint64_t part(uint64_t ticks, uint64_t period)
{
    return (ticks * WHOLE + period - 1) / period;
}

/* marker: lab-edf-demand */
static uint64_t demand(const struct hyp *hyp, const struct sched_params *p)
{
    uint64_t more = ticks_of(hyp, 3 * EDF_SWITCH + EDF_EXIT);

    return part(p->budget + more, p->period);
}
/* marker: end */

/* What the hart has promised to others than this VM, and *shortest of their
 * periods. */
static uint64_t promised(const struct hyp_cpu *cpu, const struct vm *but,
                         uint32_t *shortest)
{
    uint64_t sum = 0;

    for (const struct vcpu *v = cpu->reserved; v; v = v->sched.edf.next) {
        const struct sched_params *params = &v->vm->sched;

        if (v->vm == but)
            continue;
        sum += demand(cpu->hyp, params);
        if (params->period < *shortest)
            *shortest = params->period;
    }
    return sum;
}

/* marker: lab-edf-with */
/* What would be promised with `count` more of these. */
static uint64_t with(const struct hyp_cpu *cpu, const struct vm *vm,
                     const struct sched_params *params, uint32_t count)
{
    uint32_t shortest = params->period;
    uint64_t sum = promised(cpu, vm, &shortest);

    return sum + count * demand(cpu->hyp, params) +
           part(ticks_of(cpu->hyp, EDF_EXIT), shortest);
}
/* marker: end */

/* Where it is to go, given how many siblings go to each hart already. */
static struct hyp_cpu *find(const struct vcpu         *vcpu,
                            const struct sched_params *params,
                            const uint32_t            *siblings)
{
    struct hyp     *hyp = vcpu->vm->hyp;
    struct hyp_cpu *best = NULL;
    uint64_t        least = WHOLE + 1;

    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        struct hyp_cpu *cpu = &hyp->cpu[i];
        uint64_t        sum = with(cpu, vcpu->vm, params, siblings[i] + 1);
        bool            stays = vcpu->on || vcpu->sched.queued;

        if (vcpu->sched.affinity >> i & 1 &&
            (!stays || vcpu->sched.home == cpu) && sum < least) {
            best = cpu;
            least = sum;
        }
    }
    return best;
}

static void unlink(struct vcpu *vcpu)
{
    if (!vcpu->sched.home)
        return;
    struct vcpu **at = &vcpu->sched.home->reserved;

    while (*at && *at != vcpu)
        at = &(*at)->sched.edf.next;
    if (*at)
        *at = vcpu->sched.edf.next;
}

void edf_forget(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        unlink(&vm->vcpu[i]);
}

static void assign(struct vcpu *vcpu, struct hyp_cpu *cpu, uint64_t now)
{
    if (vcpu->sched.home != cpu)
        sched_again(cpu); /* its timer goes off there from now on */
    vcpu->sched.home = cpu;
    vcpu->sched.edf.next = cpu->reserved;
    cpu->reserved = vcpu;
    edf_begin(vcpu, now);
}

bool edf_admit(struct vm *vm, const struct sched_params *params,
               const char **why)
{
    uint32_t        n = vm->config.nr_vcpus, siblings[MAX_HARTS] = { 0 };
    struct hyp_cpu *home[MAX_HARTS] = { NULL };
    bool            same = params->budget == vm->sched.budget &&
                           params->period == vm->sched.period;

    *why = "edf: a cap is a budget; give it one";
    if (params->cap)
        return false;
    *why = "edf: no hart that it may run on has so much time left";
    for (uint32_t i = 0; params->budget && i < n; i++) {
        home[i] = find(&vm->vcpu[i], params, siblings);
        if (!home[i])
            return false;
        siblings[home[i]->pcpu->id]++;
    }
    if (same)
        return true;
    edf_forget(vm);
    vm->sched = *params;
    for (uint32_t i = 0; i < n; i++)
        if (params->budget)
            assign(&vm->vcpu[i], home[i], sched_now(vm->hyp));
        else
            sched_unpark(&vm->vcpu[i]);
    return true;
}

void edf_relist(struct hyp *hyp)
{
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        hyp->cpu[i].reserved = NULL;
    for (uint32_t slot = hyp->nr_slots; slot-- > 1;) {
        struct vm *vm = hyp->slot[slot];

        for (uint32_t i = vm ? vm->config.nr_vcpus : 0; i-- > 0;) {
            struct vcpu *vcpu = &vm->vcpu[i];

            if (!edf_reserved(vcpu) || !vcpu->sched.home)
                continue;
            vcpu->sched.edf.next = vcpu->sched.home->reserved;
            vcpu->sched.home->reserved = vcpu;
        }
    }
}

bool edf_keeps(const struct hyp *hyp)
{
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        uint32_t shortest = UINT32_MAX;
        uint64_t sum = promised(&hyp->cpu[i], NULL, &shortest);

        if (hyp->cpu[i].reserved &&
            sum + part(ticks_of(hyp, EDF_EXIT), shortest) > WHOLE)
            return false;
    }
    return true;
}
