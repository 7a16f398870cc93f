/* check_sched.c - what policies promise, from one operation to the next.
 *
 * P23 fairness, P24 exact charging, P26 no hart idles while somebody waits, P19
 * of fixed slots: as laws on the numbers that a policy keeps, said here in
 * other words than there. Each holds between two looks at the same vCPU,
 * whatever ran in between, and for however long. */
#include "hvp/run.h"
#include "sched/credit.h"

/* csrc/sched/fair.c: units of vtime for a cycle of weight 1, and by how much
 * a slice may be longer. */
#define FAIR_SCALE 65536u
#define FAIR_MORE  20000u

static bool ready(const struct vcpu *vcpu)
{
    return vcpu->state == VCPU_RUNNABLE && vcpu->vm->state == VM_LIVE;
}

/* --- before ------------------------------------------------------------------- */

static struct hvp_shares look_at(const struct vcpu *vcpu)
{
    const struct sched_vcpu *s = &vcpu->sched;

    return (struct hvp_shares){
        .vm = vcpu->vm->id,
        .ready = ready(vcpu),
        .parked = s->parked,
        .queued = s->queued,
        .credit = s->credit.credit,
        .charged = vcpu->charged,
        .vtime = s->vtime,
        .deadline = s->edf.deadline,
    };
}

void hvp_check_sched_before(struct hvp_run *run)
{
    const struct hyp  *hyp = &run->host->hal.hyp;
    struct hvp_before *before = &run->before;

    before->period_end = hyp->sched.period_end;
    before->time = UINT64_MAX;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        uint64_t time = hart_time(machine_hart(run->host->machine, i));

        before->time = time < before->time ? time : before->time;
        before->current[i] = hyp->cpu[i].current;
    }
    for (uint32_t i = 0; i < HVP_VMS; i++)
        for (uint32_t n = 0; n < HVP_VCPUS; n++) {
            struct vm *vm = hvp_live(run, &run->vm[i]);

            before->shares[i][n] = (struct hvp_shares){ .vm = 0 };
            if (vm && n < vm->config.nr_vcpus)
                before->shares[i][n] = look_at(&vm->vcpu[n]);
        }
}

/* --- credit -------------------------------------------------------------------- */

/* Within a period every cycle that is charged is taken from the credit, and who
 * has none left comes behind those who have. */
static void check_credit(struct hvp_run *run, const struct vcpu *vcpu,
                         const struct hvp_shares *was)
{
    const struct sched_vcpu *s = &vcpu->sched;
    int64_t                  used = (int64_t)(vcpu->charged - was->charged);

    if (vcpu->vm->hyp->sched.period_end != run->before.period_end)
        return;
    if (was->credit - s->credit.credit != used)
        hvp_fail(run, "P24", "VM %u was charged %d cycles, and paid %d",
                 (unsigned)vcpu->vm->id, (int)used,
                 (int)(was->credit - s->credit.credit));
    if (s->queued && !was->queued && was->credit <= 0 &&
        s->key >> RANK_SHIFT < OVER)
        hvp_fail(run, "P23", "VM %u waits before others, without any credit",
                 (unsigned)vcpu->vm->id);
}

/* --- fair ---------------------------------------------------------------------- */

/* The least vtime of those that were ready all the time, but this one; none if
 * another one came meanwhile, since then it may be that one which counted. Who has
 * used up its cap does not wait: nobody is to be measured by what it has had. */
static uint64_t least_vtime(struct hvp_run *run, const struct vcpu *but)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < HVP_VMS; i++)
        for (uint32_t n = 0; n < HVP_VCPUS; n++) {
            const struct hvp_shares *was = &run->before.shares[i][n];
            const struct vm         *vm = hvp_live(run, &run->vm[i]);

            if (!vm || n >= vm->config.nr_vcpus || &vm->vcpu[n] == but ||
                !ready(&vm->vcpu[n]))
                continue;
            if (was->vm != vm->id || !was->ready)
                return UINT64_MAX;
            if (!was->parked && was->vtime < least)
                least = was->vtime;
        }
    return least;
}

/* Who slept has saved no more than a slice. */
static void check_fair(struct hvp_run *run, const struct vcpu *vcpu,
                       const struct hvp_shares *was)
{
    const struct hyp *hyp = vcpu->vm->hyp;
    uint64_t          least = least_vtime(run, vcpu);
    uint64_t slice = (uint64_t)hyp->config.slice * hyp->tick + FAIR_MORE;
    uint64_t saved = slice * FAIR_SCALE * vcpu->vm->config.nr_vcpus /
                     vcpu->vm->sched.weight;

    if (was->ready || !ready(vcpu) || least == UINT64_MAX)
        return;
    if (vcpu->sched.vtime + saved < least)
        hvp_fail(run, "P23", "VM %u woke, and is far behind all others",
                 (unsigned)vcpu->vm->id);
}

/* --- edf ----------------------------------------------------------------------- */

/* Who slept goes on in its old period only with what it could use up there at
 * the rate that it was admitted with. */
static void check_edf(struct hvp_run *run, const struct vcpu *vcpu,
                      const struct hvp_shares *was)
{
    const struct sched_params *p = &vcpu->vm->sched;
    const struct sched_edf    *e = &vcpu->sched.edf;

    if (!p->budget || was->ready || !ready(vcpu) ||
        e->deadline != was->deadline || e->deadline < run->before.time)
        return;
    uint64_t left = e->left > 0 ? (uint64_t)e->left / vcpu->vm->hyp->tick : 0;
    if (left * p->period > (e->deadline - run->before.time) * p->budget)
        hvp_fail(run, "P23", "VM %u woke with more than its share until then",
                 (unsigned)vcpu->vm->id);
}

/* --- slots --------------------------------------------------------------------- */

/* Whose slot began at this time; 0: nobody's. */
static uint32_t owner_of(const struct hyp *hyp, uint64_t start)
{
    const struct slot_table *table = hyp->sched.table + 1;
    uint64_t                 at;

    if (start < table->begins)
        table--;
    if (!table->nr || start < table->begins)
        return 0;
    at = (start - table->begins) % table->length;
    for (uint32_t i = 0; i < table->nr; at -= table->slot[i++].ticks)
        if (at < table->slot[i].ticks)
            return table->slot[i].vm;
    return 0;
}

static void check_slots(struct hvp_run *run, const struct hyp *hyp)
{
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        const struct hyp_cpu *cpu = &hyp->cpu[i];
        const struct vcpu    *now = cpu->current;

        if (now && now != run->before.current[i] &&
            owner_of(hyp, cpu->ticked) != now->vm->id)
            hvp_fail(run, "P19", "VM %u runs in the slot of another",
                     (unsigned)now->vm->id);
    }
}

/* --- all ----------------------------------------------------------------------- */

/* It waits where it may run. */
static void check_place(struct hvp_run *run, const struct vcpu *vcpu)
{
    const struct sched_vcpu *s = &vcpu->sched;

    if (s->queued && !(s->affinity >> s->home->pcpu->id & 1))
        hvp_fail(run, "P26", "VM %u waits for hart %u, which it may not use",
                 (unsigned)vcpu->vm->id, (unsigned)s->home->pcpu->id);
}

/* Nobody waits who could run on this hart, which has nothing to do and has not
 * been told to look. */
static void check_idle(struct hvp_run *run, const struct hyp *hyp,
                       uint32_t hart)
{
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        const struct hyp_cpu *at = &hyp->cpu[i];

        if (!at->current && at->queue.len == 1)
            continue; /* that one is about to run it */
        for (const struct vcpu *v = at->queue.head; v; v = v->sched.next)
            if (v->sched.affinity >> hart & 1)
                hvp_fail(run, "P26", "VM %u waits, and hart %u is idle",
                         (unsigned)v->vm->id, (unsigned)hart);
    }
}

/* Only the scheduler's own doing: a step of one vCPU goes past it. */
static void check_chosen(struct hvp_run *run, const struct hyp *hyp)
{
    const struct hal *hal = &run->host->hal;

    if (hyp->config.policy == &policy_slots)
        check_slots(run, hyp);
    for (uint32_t i = 0; !hyp->config.policy->partitioned && i < hyp->nr_cpus;
         i++)
        if (!hyp->cpu[i].current && hal->waiting[i] && !hal->kicked[i])
            check_idle(run, hyp, i);
}

void hvp_check_sched(struct hvp_run *run, const struct hvp_act *act)
{
    const struct hyp *hyp = &run->host->hal.hyp;

    if (act->record->op == HVP_reset)
        return; /* nothing went on from there */
    for (uint32_t i = 0; i < HVP_VMS; i++)
        for (uint32_t n = 0; n < HVP_VCPUS; n++) {
            const struct hvp_shares *was = &run->before.shares[i][n];
            const struct vm         *vm = hvp_live(run, &run->vm[i]);

            if (!vm || was->vm != vm->id)
                continue;
            check_place(run, &vm->vcpu[n]);
            if (hyp->config.policy == &policy_credit)
                check_credit(run, &vm->vcpu[n], was);
            else if (hyp->config.policy == &policy_fair)
                check_fair(run, &vm->vcpu[n], was);
            else if (hyp->config.policy == &policy_edf)
                check_edf(run, &vm->vcpu[n], was);
        }
    if (act->record->op == HVP_run)
        check_chosen(run, hyp);
    run->out->checks++;
}
