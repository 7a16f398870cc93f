/* host_image_make.c - a new host gets the VMs that an image has, with their
 * numbers and their memory. None of them runs yet.
 *
 * Admission has been through this before, on the host that was saved: VMs are
 * made without asking for a share, and get what they had. So where one is, and
 * what it was promised, does not depend on the order of making. */
#include "api/host_image.h"
#include <stdlib.h>

/* Its number is to be this one, of a slot behind all that are in use. Nothing
 * has its number yet but the table of slots. */
static void renumber(struct vm *vm, uint32_t id)
{
    struct hyp *hyp = vm->hyp;

    hyp->slot[vm->id % MAX_VMS] = NULL;
    vm->id = id;
    hyp->slot[id % MAX_VMS] = vm;
    if (id % MAX_VMS >= hyp->nr_slots)
        hyp->nr_slots = id % MAX_VMS + 1;
}

/* What the policy would have refused, or NULL. */
static const char *against_policy(const hv_host            *host,
                                  const struct host_image  *image,
                                  const struct image_guest *guest)
{
    const struct image_vm *r = &guest->vm.vm;
    bool                   shares = r->cap || r->budget || r->gang;

    if (host_slots(host) && (shares || r->vcpus > host->config.harts))
        return "it has what policy slots gives nobody";
    if (image->host.policy == HV_POLICY_EDF && r->cap)
        return "it has a cap, which policy edf gives nobody";
    if (guest->place.let_go &&
        (r->state != VM_KILLED || !host->hal.hyp.config.overcommit))
        return "it was promised no memory";
    return NULL;
}

/* A VM of that shape; NULL, with *why said. */
static struct vm *make_vm(hv_host *host, const struct host_image *image,
                          const struct image_guest *guest, int *status,
                          struct image_why why)
{
    const struct image_vm *r = &guest->vm.vm;
    struct vm_config       config = image_config(r);
    struct sched_params    params = config.sched;
    const char            *bad = image_unfit(host, &guest->vm);

    *status = HV_ERR_IMAGE;
    if (!bad)
        bad = sched_params_bad(&params);
    if (!bad)
        bad = against_policy(host, image, guest);
    config.minimum = guest->place.let_go ? 0 : r->minimum;
    if (!bad && vm_frames(host, r, config.minimum, 0) >
                    frames_available(&host->hal.hyp.frames))
        bad = "its machine has not the memory that is promised to it";
    if (bad) {
        host_say(why.text, why.n, "VM %u: %s", (unsigned)guest->place.id, bad);
        return NULL;
    }
    *status = HV_ERR_NO_MEMORY;
    config.sched = (struct sched_params){ .weight = WEIGHT_DEFAULT };
    struct vm *vm = vm_create(&host->hal.hyp, &config, &bad);
    if (!vm || !image_refill(host, guest->place.id, &guest->vm)) {
        host_say(why.text, why.n, "VM %u: %s", (unsigned)guest->place.id,
                 vm ? "no memory for its console" : bad);
        return NULL;
    }
    vm->config.minimum = r->minimum;
    vm->config.sched = vm->sched = params;
    vm->cap_left = (int64_t)guest->place.cap_left;
    host->hal.hyp.sched.nr_capped += params.cap != 0;
    renumber(vm, guest->place.id);
    return vm;
}

/* Frames that are shared, by content. */
static uint32_t *no_frames(const struct host_image *image)
{
    size_t    n = image->data.left / PAGE_SIZE;
    uint32_t *frame = malloc((n + 1) * sizeof(*frame));

    if (!frame)
        return NULL;
    for (size_t i = 0; i < n; i++)
        frame[i] = NO_FRAME;
    return frame;
}

/* Policy slots keeps VMs apart. */
static bool apart(const struct host_image *image, const uint32_t *shared)
{
    size_t n = image->data.left / PAGE_SIZE;

    for (size_t i = 0; i < n; i++)
        if (shared[i] != NO_FRAME)
            return false;
    return true;
}

static int make_all(hv_host *host, const struct host_image *image,
                    uint32_t *shared, struct image_why why)
{
    for (uint32_t i = 0; i < image->host.vms; i++) {
        const struct image_guest *guest = &image->guest[i];
        int                       status;
        struct vm *vm = make_vm(host, image, guest, &status, why);

        if (!vm)
            return status;
        if (!pages_fill(vm, &guest->vm, shared)) {
            host_say(why.text, why.n,
                     "VM %u: the machine has not the memory that it has",
                     (unsigned)guest->place.id);
            return HV_ERR_IMAGE;
        }
    }
    if (!host_slots(host) || apart(image, shared))
        return HV_OK;
    host_say(why.text, why.n, "policy slots lets VMs share no memory");
    return HV_ERR_IMAGE;
}

int host_image_make(hv_host *host, struct host_image *image,
                    struct image_why why)
{
    uint32_t *shared = no_frames(image);
    int       status = HV_ERR_NO_MEMORY;

    if (shared)
        status = make_all(host, image, shared, why);
    else
        host_say(why.text, why.n, "no memory for what it says");
    free(shared);
    return status;
}
