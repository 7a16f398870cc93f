/* image_make.c - a new VM of the shape that an image has, if this host has room
 * for it and can be what it needs. */
#include "api/image.h"

uint64_t vm_frames(const hv_host *host, const struct image_vm *r,
                   uint32_t minimum, uint32_t least)
{
    uint32_t pages = r->mem_size / PAGE_SIZE;
    uint64_t sum = r->shadow_frames;

    if (host->hal.hyp.config.overcommit && minimum < pages)
        pages = minimum;
    if (r->style == HV_STYLE_NESTED)
        sum += STAGE2_ROOT_FRAMES + (r->mem_size - 1) / MEGAPAGE_SIZE + 1;
    return sum + (pages > least ? pages : least);
}

uint64_t vm_wanted(const hv_host *host, const struct image *image)
{
    return vm_frames(host, &image->vm, image->vm.minimum, image->populated);
}

/* marker: fits */
/* What this host cannot give it, or NULL. */
const char *image_unfit(const hv_host *host, const struct image *image)
{
    const struct image_vm *r = &image->vm;
    uint32_t               harts = (1u << host->config.harts) - 1;

    if (r->ad_fault != host->config.ad_fault)
        return "its machine had another way to set A and D bits (ad_fault)";
    if (r->leaky != (host->config.profile == HV_PROFILE_LEAKY))
        return "its machine had another profile";
    if (!host_pool_ok(host, r->shadow_frames, r->vcpus))
        return "its shadow pool is too small for so many harts";
    for (uint32_t i = 0; i < r->vcpus; i++)
        if (!(image->vcpu[i].affinity & harts))
            return "a vCPU may run on none of the harts of this machine";
    return NULL;
}
/* marker: end */

struct vm_config image_config(const struct image_vm *r)
{
    return (struct vm_config){
        .style = vm_styles[r->style],
        .mem_size = r->mem_size,
        .nr_vcpus = r->vcpus,
        .shadow_frames = r->shadow_frames,
        .sync = sync_policy(r->sync, vm_styles[r->style]),
        .max_insns = r->max_insns,
        .minimum = r->minimum,
        .sched = {
            .weight = r->weight,
            .cap = r->cap,
            .budget = r->budget,
            .period = r->period,
            .gang = r->gang,
        },
    };
}

static bool refill(hv_host *host, struct channel *channel,
                   const struct image_in *text)
{
    bool failed = false;

    for (size_t i = 0; i < text->left && !failed; i++)
        channel_put(channel, host->hal.arena, text->at[i], &failed);
    return !failed;
}

bool image_refill(hv_host *host, uint32_t vm, const struct image *image)
{
    struct channels *of = channels_make(&host->hal, vm);

    return of && refill(host, &of->out, &image->out) &&
           refill(host, &of->in, &image->in);
}

/* Nobody has been told of it yet: its id is free again, too. */
static void unmake(hv_host *host, struct vm *vm)
{
    uint32_t slot = vm->id % MAX_VMS;

    vm_destroy(vm);
    host->hal.hyp.generation[slot]--;
    channels_free(&host->hal, slot);
}

/* If admission has chosen harts, are they such as its vCPUs may run on? */
static bool homes_ok(const struct vm *vm, const struct image *image)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        const struct hyp_cpu *home = vm->vcpu[i].sched.home;

        if (home && !(image->vcpu[i].affinity >> home->pcpu->id & 1))
            return false;
    }
    return true;
}

int vm_remake(hv_host *host, const struct image *image, struct vm **vm,
              struct image_why why)
{
    struct hyp      *hyp = &host->hal.hyp;
    struct vm_config config = image_config(&image->vm);
    const char      *reason = image_unfit(host, image);

    if (reason) {
        host_say(why.text, why.n, "%s", reason);
        return HV_ERR_UNSUPPORTED;
    }
    reason = sched_params_bad(&config.sched);
    if (reason) {
        host_say(why.text, why.n, "%s", reason);
        return HV_ERR_IMAGE;
    }
    *vm = NULL;
    if (vm_wanted(host, image) <= frames_available(&hyp->frames))
        *vm = vm_create(hyp, &config, &reason);
    if (*vm && !image_refill(host, (*vm)->id, image)) {
        unmake(host, *vm);
        *vm = NULL;
    }
    if (*vm && !homes_ok(*vm, image)) {
        unmake(host, *vm);
        host_say(why.text, why.n,
                 "this policy gives a vCPU a hart that it may not run on");
        return HV_ERR_STATE;
    }
    if (*vm)
        return HV_OK;
    if (hyp->refused && reason) {
        host_say(why.text, why.n, "%s", reason);
        return HV_ERR_STATE;
    }
    host_say(why.text, why.n, "%s: it wants %u frames, %u are free",
             reason ? reason : "not enough machine memory",
             (unsigned)vm_wanted(host, image),
             (unsigned)frames_available(&hyp->frames));
    return HV_ERR_NO_MEMORY;
}
