/* assist.c - the style `assist`: first-generation hardware help.
 *
 * The guest kernel runs in real S-mode and its programs in real U-mode. Its
 * CSRs are the hart's own, so that sret, sstatus, sscratch, a system call and
 * a timer tick into its handler cost no exit. What would reach beyond the VM
 * still traps: satp and sfence.vma (mstatus.TVM), wfi (TW), the counters
 * (mcounteren). These traps are illegal instructions, which cannot be told
 * from the guest's own by their cause, so none is delegated; emulate.c serves
 * them as it does for a deprivileged kernel.
 *
 * While the guest's satp is Bare the machine walks a table all the same: one
 * with U bits for user mode, one without for the kernel. The guest changes mode
 * unseen, but not for long: the very next fetch finds the table of the other
 * mode, faults, and gets its own. */
#include "hyp/hyp.h"

/* marker: assist-enter */
static void assist_enter(struct vcpu *vcpu, struct world *world)
{
    world->kind = WORLD_ASSISTED;
    world->mode = vcpu->mode;
    world->sip = vcpu_sip(vcpu);
    world->csr = &vcpu->csr;
}
/* marker: end */

const struct style style_assist = {
    .name = "assist",
    .paging = &paging_shadow,
    .illegal = emulate_illegal,
    .inject = emulate_inject,
    .pending = emulate_pending,
    .wakes = emulate_wakes,
    .enter = assist_enter,
    .in_hart = true,
};
