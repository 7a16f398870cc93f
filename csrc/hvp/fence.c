/* fence.c - who may still see an old translation.
 *
 * The architecture lets a vCPU use what its tables said at any moment since its
 * last fence. What an access must see is known only if nothing has changed
 * since then; so every change is noted here, for each vCPU of the VM. Unless a
 * program wants to go without, the fence that is owed is made before the next
 * access. */
#include "hvp/run.h"

void hvp_owe(struct hvp_vm *vm, bool one, uint32_t va)
{
    for (uint32_t i = 0; i < HVP_VCPUS; i++) {
        struct hvp_vcpu *vcpu = &vm->vcpu[i];

        if (vcpu->owes == HVP_OWES_PROGRAM)
            continue;
        if (one && vcpu->owes == HVP_OWES_NOTHING) {
            vcpu->owes = HVP_OWES_ONE;
            vcpu->owes_va = va & ~(uint32_t)PAGE_MASK;
        } else if (!one || vcpu->owes_va != (va & ~(uint32_t)PAGE_MASK)) {
            vcpu->owes = HVP_OWES_ALL;
        }
    }
}

void hvp_owe_forgotten(struct hvp_vm *vm)
{
    for (uint32_t i = 0; i < HVP_VCPUS; i++)
        vm->vcpu[i].owes = HVP_OWES_PROGRAM;
}

void hvp_owe_if_table(struct hvp_run *run, struct hvp_vm *vm, uint32_t gpa)
{
    uint32_t page = (gpa - RAM_BASE) >> PAGE_SHIFT;

    (void)run;
    if (page < HVP_PAGES && (vm->tables >> page & 1))
        hvp_owe(vm, false, 0);
}

void hvp_owe_unknown(struct hvp_vm *vm)
{
    for (uint32_t i = 0; i < HVP_VCPUS; i++)
        vm->vcpu[i].linked = true; /* for all we know */
    hvp_owe(vm, false, 0);
}

/* Of one page, or of everything, which is never too little. A call names a range of
 * bytes; here it begins in the page before, for those who count pages. */
static void fence(struct hvp_run *run, struct hvp_act *act, bool one)
{
    struct hvp_act   kernel = *act;
    struct hvp_vcpu *vcpu = &act->vm->vcpu[act->vcpu];
    const uint32_t   arg[4] = { one ? vcpu->owes_va - 16 : 0, one ? 32 : 0 };
    int32_t          error;
    bool             done;

    kernel.kernel = true;
    if (act->vm->pv) {
        done = hvp_call(run, &kernel, SBI_EXT_HV, HCALL_fence, arg, &error) &&
               error == 0;
    } else {
        hvp_do(run, &kernel, one ? HVP_SLOT_SFENCE : HVP_SLOT_SFENCE_ALL,
               vcpu->owes_va, 0);
        done = run->last.done && !run->last.trapped;
    }
    if (done)
        vcpu->owes = HVP_OWES_NOTHING;
}

void hvp_pay(struct hvp_run *run, struct hvp_act *act)
{
    enum hvp_owes owes = (enum hvp_owes)act->vm->vcpu[act->vcpu].owes;

    if ((owes == HVP_OWES_ONE || owes == HVP_OWES_ALL) &&
        !(run->flags & HVP_UNFENCED))
        fence(run, act, owes == HVP_OWES_ONE && run->single);
}

void hvp_op_do_sfence(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_vcpu *vcpu = &act->vm->vcpu[act->vcpu];
    const uint32_t   arg[4] = { act->b ? act->a : 0, act->b ? PAGE_SIZE : 0 };
    int32_t          error = 0;
    bool             done;

    if (act->vm->pv) {
        done = hvp_call(run, act, SBI_EXT_HV, HCALL_fence, arg, &error);
    } else {
        uint32_t slot = act->b ? HVP_SLOT_SFENCE : HVP_SLOT_SFENCE_ALL;

        hvp_do(run, act, slot, act->a, 0);
        done = run->last.done && !run->last.trapped;
    }
    if (!done || error)
        return;
    if (!act->b || (vcpu->owes == HVP_OWES_ONE &&
                    vcpu->owes_va == (act->a & ~(uint32_t)PAGE_MASK)))
        vcpu->owes = HVP_OWES_NOTHING;
}
