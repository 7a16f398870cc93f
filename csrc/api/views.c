/* views.c - looking inside: frames, shadow tables, and what a vCPU runs on.
 *
 * Nothing here changes anything: the host's hash is the same before and after,
 * and no time passes. What is read of machine memory is what the bus has
 * there, so that a view can check the hypervisor's own word for it. */
#include "api/host.h"
#include "hyp/shadow_set.h"

/* hv.h says the same to those who cannot see hyp/. */
_Static_assert(HV_OWNER_FREE == OWNER_FREE && HV_OWNER_HYP == OWNER_HYP &&
                   HV_OWNER_SHARED == OWNER_SHARED && HV_NONE == NO_FRAME,
               "owners");
_Static_assert((int)HV_FRAME_PLAIN == (int)FRAME_PLAIN &&
                   (int)HV_FRAME_SHADOW == (int)FRAME_SHADOW &&
                   (int)HV_FRAME_STAGE2 == (int)FRAME_STAGE2 &&
                   (int)HV_FRAME_LEAF_TABLE == (int)FRAME_LEAF_TABLE &&
                   (int)HV_FRAME_ROOT_TABLE == (int)FRAME_ROOT_TABLE,
               "frame types");
_Static_assert((int)HV_SHADOW_ROOT == (int)SHADOW_ROOT &&
                   (int)HV_SHADOW_LEAF == (int)SHADOW_LEAF &&
                   (int)HV_SHADOW_FRAGMENT == (int)SHADOW_FRAGMENT &&
                   (int)HV_SHADOW_BARE == (int)SHADOW_BARE,
               "shadow kinds");
_Static_assert((int)HV_ROLE_USER == (int)ROLE_USER &&
                   (int)HV_ROLE_KERNEL == (int)ROLE_KERNEL &&
                   (int)HV_ROLE_KERNEL_SUM == (int)ROLE_KERNEL_SUM &&
                   (int)HV_ROLE_ASSIST == (int)ROLE_ASSIST,
               "shadow roles");

int hv_machine_read(hv_host *host, uint32_t hpa, void *to, size_t len)
{
    if (!host || (!to && len))
        return HV_ERR_INVALID;
    if (len > UINT32_MAX ||
        !machine_ram_read(host->machine, hpa, to, (uint32_t)len))
        return HV_ERR_ADDRESS;
    return HV_OK;
}

/* What needs the frame table: HV_OK if there is one to look at. */
static int host_frames(const hv_host *host)
{
    if (!host_has_hyp(host))
        return HV_ERR_UNSUPPORTED;
    return host->hal.broken ? HV_ERR_BROKEN : HV_OK;
}

/* --- frames ------------------------------------------------------------------- */

/* A table that the hypervisor made for a VM? */
static bool ours(const struct frame *frame)
{
    return frame->type == FRAME_SHADOW || frame->type == FRAME_STAGE2;
}

/* The shadow entries that name this frame, counted. */
static void count_entries(struct hyp *hyp, const struct frame *frame,
                          struct hv_frame *out)
{
    struct rmap_entry entry;
    uint32_t          at = frame->map;

    while (rmap_next(hyp, &at, &entry)) {
        out->entries++;
        out->foreign += !ours(frame) && frame->owner != OWNER_SHARED &&
                        entry.vm->id != frame->owner;
    }
}

static struct hv_frame frame_facts(struct hyp *hyp, const struct frame *frame)
{
    bool            used = frame->owner != OWNER_FREE;
    bool            shared = frame->owner == OWNER_SHARED;
    struct hv_frame out = {
        .owner = frame->owner,
        .type = frame->type,
        .refs = frame->refs,
        .uses = frame->uses,
        .gfn = used && !shared && !ours(frame) ? frame->gfn : NO_FRAME,
        .serves = ours(frame) ? frame->vm : 0,
        .traced = frame->traced,
    };

    count_entries(hyp, frame, &out);
    return out;
}

int hv_frames(hv_host *host, uint32_t first, uint32_t n, struct hv_frame *out)
{
    if (!host || (!out && n))
        return HV_ERR_INVALID;
    int status = host_frames(host);
    if (status != HV_OK)
        return status;
    struct frames *frames = &host->hal.hyp.frames;
    uint32_t       at = first - frames->first;

    if (at > frames->count || n > frames->count - at)
        return HV_ERR_ADDRESS;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    for (uint32_t i = 0; i < n; i++)
        out[i] = frame_facts(&host->hal.hyp, &frames->table[at + i]);
    return HV_OK;
}

int hv_frame_info(hv_host *host, uint32_t hfn, struct hv_frame *out)
{
    return hv_frames(host, hfn, 1, out);
}

int hv_frame_entries(hv_host *host, uint32_t hfn, struct hv_entry *out,
                     uint32_t max, uint32_t *count)
{
    struct rmap_entry entry;

    if (!host || (!out && max) || !count)
        return HV_ERR_INVALID;
    int status = host_frames(host);
    if (status != HV_OK)
        return status;
    struct hyp *hyp = &host->hal.hyp;
    if (!frame_exists(&hyp->frames, (hfn_t){ hfn }))
        return HV_ERR_ADDRESS;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    uint32_t at = frame_of(&hyp->frames, (hfn_t){ hfn })->map;
    *count = 0;
    while (rmap_next(hyp, &at, &entry)) {
        if (*count < max)
            out[*count] = (struct hv_entry){
                .vm = entry.vm->id,
                .shadow = (uint32_t)(entry.shadow - entry.vm->shadows.pool),
                .index = entry.index,
                .pte = shadow_read(entry.vm, entry.shadow, entry.index),
            };
        ++*count;
    }
    return HV_OK;
}

/* --- shadow tables ------------------------------------------------------------ */

static uint32_t used_entries(const struct shadow *shadow)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        n += shadow->used[i / 32] >> i % 32 & 1;
    return n;
}

/* VM `id` and table `n` of its pool: HV_OK and both set. */
static int host_shadow(hv_host *host, uint32_t id, uint32_t n, struct vm **vm,
                       struct shadow **shadow)
{
    int status = host_guest(host, id, vm);

    if (status != HV_OK)
        return status;
    if (!*vm)
        return HV_ERR_UNSUPPORTED;
    if (n >= (*vm)->shadows.count)
        return HV_ERR_INVALID;
    *shadow = &(*vm)->shadows.pool[n];
    return HV_OK;
}

int hv_shadow(hv_host *host, uint32_t id, uint32_t n, struct hv_shadow *out)
{
    struct vm     *vm;
    struct shadow *shadow;
    int            status = host_shadow(host, id, n, &vm, &shadow);

    if (status != HV_OK || !out)
        return status != HV_OK ? status : HV_ERR_INVALID;
    *out = (struct hv_shadow){ .hfn = shadow->hfn.raw };
    if (!shadow->live)
        return HV_OK;
    *out = (struct hv_shadow){
        .live = 1,
        .kind = (uint32_t)shadow_kind(shadow),
        .role = (uint32_t)shadow_role(shadow),
        .rights = shadow_rights_of(shadow),
        .gfn = shadow_gfn(shadow),
        .hfn = shadow->hfn.raw,
        .holds = shadow->holds,
        .links = shadow->links,
        .traced = shadow->traced,
        .entries = used_entries(shadow),
        .asid = tag_valid(vm, TAG_ASID, &shadow->tag) ? shadow->tag.id
                                                      : HV_NONE,
    };
    return HV_OK;
}

int hv_shadow_entry(hv_host *host, uint32_t id, uint32_t n, uint32_t index,
                    uint32_t *pte)
{
    struct vm     *vm;
    struct shadow *shadow;
    int            status = host_shadow(host, id, n, &vm, &shadow);

    if (status != HV_OK)
        return status;
    if (!pte || index >= PT_ENTRIES)
        return HV_ERR_INVALID;
    if (!shadow->live)
        return HV_ERR_STATE;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    *pte = shadow_read(vm, shadow, index);
    return HV_OK;
}

/* --- what a vCPU runs on ------------------------------------------------------ */

static void real_shadow(struct vcpu *vcpu, struct hv_real *out)
{
    struct vm     *vm = vcpu->vm;
    struct shadow  wanted = { .key = shadow_root_key(vcpu) };
    struct shadow *root = out->running ? vcpu->root : NULL;

    if (!root)
        root = shadow_find(vm, wanted.key);
    out->shadow = root ? (uint32_t)(root - vm->shadows.pool) : HV_NONE;
    out->kind = (uint32_t)shadow_kind(&wanted);
    out->role = (uint32_t)shadow_role(&wanted);
    out->rights = shadow_rights_of(&wanted);
    out->gfn = shadow_gfn(&wanted);
}

/* A root of it that is no shadow: which frame, or NO_FRAME? */
static uint32_t real_root(const struct vcpu *vcpu)
{
    const struct vm *vm = vcpu->vm;

    if (vm->style->direct)
        return vcpu->mode == PRIV_U ? vcpu->roots.user.raw
                                    : vcpu->roots.kernel.raw;
    return vm->style->paging == &paging_stage2 && vm->stage2.made
               ? vm->stage2.root.raw
               : NO_FRAME;
}

int hv_real(hv_host *host, uint32_t id, uint32_t n, struct hv_real *out)
{
    struct vm *vm;
    int        status = host_vcpu(host, id, n, &vm);

    if (status != HV_OK || !out)
        return status != HV_OK ? status : HV_ERR_INVALID;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    struct vcpu *vcpu = &vm->vcpu[n];
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    vcpu_pull(vcpu);
    *out = (struct hv_real){
        .running = vcpu->on && vcpu->entered,
        .mode = vm->style->in_hart ? vcpu->mode : PRIV_U,
        .shadow = HV_NONE,
        .root = real_root(vcpu),
    };
    if (out->running)
        out->satp = vcpu->on->hyp->real_satp;
    if (vm->style->paging != &paging_stage2 &&
        (out->root == HV_NONE || vm->p2m.logging))
        real_shadow(vcpu, out);
    return HV_OK;
}
