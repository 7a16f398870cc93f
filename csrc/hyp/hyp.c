/* hyp.c - the hypervisor comes up and goes away. */
#include "hyp/hyp.h"
#include "sched/sched.h"
#include "sched/timer.h"

bool hyp_init(struct hyp *hyp, struct hal *hal, const struct hyp_config *config)
{
    hyp->hal = hal;
    hyp->config = *config;
    tags_init(&hyp->tags[TAG_ASID], hal_asids(hal));
    tags_init(&hyp->tags[TAG_VMID], hal_vmids(hal));
    hyp->nr_vms = 0;
    hyp->nr_cpus = 0;
    hyp->ended = 0;
    hyp->refused = false;
    hyp->share = (struct share){ .bucket = NULL };
    hyp->reclaim = (struct reclaim){ .at = TIME_NEVER };
    hyp->timers = NULL;
    hyp->inside = NULL;
    hyp->tick = hal_tick(hal);
    hyp->nr_slots = 0;
    for (uint32_t i = 0; i < MAX_VMS; i++) {
        hyp->slot[i] = NULL;
        hyp->generation[i] = 0;
    }
    sched_init(hyp);
    return frames_init(&hyp->frames, hal);
}

void hyp_add_cpu(struct hyp *hyp, struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = &hyp->cpu[hyp->nr_cpus++];

    *cpu = (struct hyp_cpu){ .hyp = hyp, .pcpu = pcpu, .armed = TIME_NEVER };
    cpu->mark = hal_cycles(pcpu);
    pcpu->hyp = cpu;
    hal_set_timer(pcpu, cpu->armed);
    hal_wait(pcpu);
}

void hyp_fini(struct hyp *hyp)
{
    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++)
        if (hyp->slot[slot])
            vm_destroy(hyp->slot[slot]);
    share_fini(hyp);
    frames_fini(&hyp->frames);
}
