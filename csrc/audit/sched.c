/* sched.c - what must hold of queues and accounts. */
#include "audit/recount.h"
#include "hyp/hyp.h"

/* No vCPU is on two queues, or on a hart and a queue. */
static const char *audit_queues(const struct hyp *hyp)
{
    uint32_t queued = 0, found = 0;

    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++)
        for (uint32_t i = 0;
             hyp->slot[slot] && i < hyp->slot[slot]->config.nr_vcpus; i++)
            queued += hyp->slot[slot]->vcpu[i].sched.queued;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        const struct queue *queue = &hyp->cpu[i].queue;
        const struct vcpu  *vcpu = queue->head, *before = NULL;
        uint32_t            len = 0;

        for (; vcpu; before = vcpu, vcpu = vcpu->sched.next, len++) {
            if (!vcpu->sched.queued || vcpu->sched.home != &hyp->cpu[i])
                return "P26: a queue has a vCPU that waits elsewhere";
            if (before && before->sched.key > vcpu->sched.key)
                return "P23: a queue is not in the order of its keys";
            if (len > queued)
                return "P26: a queue has no end";
        }
        if (len != queue->len)
            return "P26: a queue is miscounted";
        found += len;
    }
    return found == queued ? NULL : "P26: a queued vCPU is on no queue";
}

/* Every cycle of a hart is booked, once. */
static const char *audit_accounts(const struct hyp *hyp)
{
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        const struct hyp_cpu *cpu = &hyp->cpu[i];
        uint64_t              sum = 0;

        for (int kind = 0; kind < NR_SPENT; kind++)
            sum += cpu->spent[kind];
        if (sum != cpu->mark || cpu->mark > hal_cycles(cpu->pcpu))
            return "P24: a hart's accounts do not add up to its clock";
    }
    return NULL;
}

const char *audit_sched(const struct hyp *hyp)
{
    const char *bad = audit_queues(hyp);

    return bad ? bad : audit_accounts(hyp);
}
