/* balloon.c - a guest gives frames back that it can spare.
 *
 * The hypervisor does not know which pages a guest needs; the guest does. So
 * the host sets a target, a driver in the guest asks for it from time to time,
 * takes pages from its own allocator and names them to us. From then on such a
 * page is no memory: an access to it faults as beyond the end of RAM, until
 * the guest takes it up again; it is then zero. */
#include "abi/pv.h"
#include "hyp/hyp.h"
#include "hyp/services.h"

#define OK(v)  ((struct sbi_ret){ SBI_SUCCESS, (v) })
#define ERR(e) ((struct sbi_ret){ (e), 0 })

uint32_t balloon_actual(const struct vm *vm)
{
    return vm->p2m.count - vm->p2m.gone;
}

uint32_t balloon_target(const struct vm *vm)
{
    uint32_t target = vm->balloon.target, most = reclaim_fair(vm->hyp);

    if (!vm->hyp->reclaim.scarce)
        return target;
    if (most < vm->p2m.minimum)
        most = vm->p2m.minimum;
    return most < target ? most : target;
}

struct sbi_ret balloon_tell(struct vcpu *vcpu, uint32_t said)
{
    if (said != PV_BALLOON_WORKS && said != PV_BALLOON_STUCK)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (!vcpu->vm->style->paging->zap)
        return ERR(SBI_ERR_NOT_SUPPORTED);
    vcpu->vm->balloon.said = said;
    return OK(balloon_actual(vcpu->vm) - balloon_target(vcpu->vm));
}

/* marker: balloon-list */
/* Copy the list in, once. Each must be RAM of the VM and be there (or, to be
 * taken, in the balloon), and none may come twice. */
static int32_t list_in(struct vcpu *vcpu, gpa_t list, uint32_t count,
                       bool there, uint32_t *gfn)
{
    struct vm *vm = vcpu->vm;

    if (!vm->style->paging->zap)
        return SBI_ERR_NOT_SUPPORTED;
    if (count < 1 || count > PV_BALLOON_MAX || list.raw % 4 != 0)
        return SBI_ERR_INVALID_PARAM;
    if (!vm_read(vm, list, gfn, 4 * count))
        return SBI_ERR_INVALID_ADDRESS;
    hal_charge(vcpu->on, HAL_COST_guest_read, count);
    for (uint32_t i = 0; i < count; i++) {
        if (gfn[i] - vm->p2m.first >= vm->p2m.count ||
            p2m_has(vm, (gfn_t){ gfn[i] }) != there)
            return SBI_ERR_INVALID_ADDRESS;
        if (there && vm_holds(vm, (gfn_t){ gfn[i] }))
            return SBI_ERR_DENIED;
        for (uint32_t k = 0; k < i; k++)
            if (gfn[k] == gfn[i])
                return SBI_ERR_INVALID_PARAM;
    }
    return SBI_SUCCESS;
}
/* marker: end */

/* What takes long is to forget what is derived from the pages, and shows to
 * nobody: that first, in as many exits as it takes. */
struct sbi_ret balloon_give(struct vcpu *vcpu, gpa_t list, uint32_t count)
{
    uint32_t gfn[PV_BALLOON_MAX], done = 0;
    int32_t  error = list_in(vcpu, list, count, true, gfn);

    if (error)
        return ERR(error);
    for (uint32_t i = 0; i < count; i++)
        if (!shadow_wipe(vcpu->vm, vcpu->on, (gfn_t){ gfn[i] }, &done))
            return ERR(CALL_AGAIN);
    p2m_give(vcpu->vm, vcpu->on, gfn, count);
    vcpu->vm->count.ballooned += count;
    return OK(count);
}

/* Not beyond what the host wants it to have. */
struct sbi_ret balloon_take(struct vcpu *vcpu, gpa_t list, uint32_t count)
{
    struct vm *vm = vcpu->vm;
    uint32_t   gfn[PV_BALLOON_MAX];
    int32_t    error = list_in(vcpu, list, count, false, gfn);

    if (error)
        return ERR(error);
    if (balloon_actual(vm) + count > balloon_target(vm))
        return ERR(SBI_ERR_DENIED);
    return p2m_take(vm, gfn, count) ? OK(count) : ERR(SBI_ERR_FAILED);
}
