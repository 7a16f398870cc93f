/* fence.c - who may still see an old translation.
 *
 * The architecture lets a vCPU use what its tables said at any moment since its
 * last fence. What an access must see is known only if nothing has changed
 * since then; so every change is noted here, for each vCPU of the VM. Unless a
 * program wants to go without, the fence that is owed is made before the next
 * access. */
#include "hvp/run.h"
#include <string.h>

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

/* Some entry of this table but that of this index names this frame. */
static bool links(const uint8_t *table, uint32_t number, uint32_t index)
{
    for (uint32_t i = 0; table && i < PT_ENTRIES; i++) {
        uint32_t pte;

        memcpy(&pte, table + 4 * i, 4);
        if ((pte & PTE_V) && pte >> PTE_PPN_SHIFT == number && i != index)
            return true;
    }
    return false;
}

/* Some entry of its root tables but those of this index names this frame. */
static bool linked_elsewhere(struct hvp_run *run, const struct hvp_vm *vm,
                             uint32_t page, uint32_t index)
{
    uint32_t number = hvp_frame_number(run, vm, HVP_FIRST + page);

    return links(hvp_frame(run, vm, HVP_PAGE_ROOT), number, index) ||
           links(hvp_frame(run, vm, HVP_PAGE_ROOT2), number, index);
}

/* Some vCPU walks from another table than those that are roots at first. */
static bool other_root(struct hvp_run *run, const struct hvp_vm *vm)
{
    struct vm *found = hvp_live(run, vm);

    for (uint32_t i = 0; found && i < found->config.nr_vcpus; i++) {
        vcpu_pull(&found->vcpu[i]);
        uint32_t satp = found->vcpu[i].csr.satp;
        uint32_t page = (satp & SATP_PPN_MASK) - HVP_FIRST;

        if ((satp & SATP_MODE) && page != HVP_PAGE_ROOT &&
            page != HVP_PAGE_ROOT2)
            return true;
    }
    return false;
}

void hvp_owe_entry(struct hvp_run *run, struct hvp_vm *vm, uint32_t gpa)
{
    uint32_t page = (gpa - RAM_BASE) >> PAGE_SHIFT;
    uint32_t first = page == HVP_PAGE_WINDOW ? HVP_WINDOW : RAM_BASE;

    /* An entry is about one address, if its table is where it was at first. */
    bool one = (page == HVP_PAGE_WINDOW || page == HVP_PAGE_IDENTITY) &&
               !linked_elsewhere(run, vm, page, first >> MEGAPAGE_SHIFT) &&
               !other_root(run, vm);

    hvp_owe(vm, one, first + (gpa & PAGE_MASK) / 4 * PAGE_SIZE);
}

void hvp_owe_if_table(struct hvp_run *run, struct hvp_vm *vm, uint32_t gpa)
{
    uint32_t page = (gpa - RAM_BASE) >> PAGE_SHIFT;

    if (page < HVP_PAGES && (vm->tables >> page & 1))
        hvp_owe_entry(run, vm, gpa);
}

void hvp_owe_unknown(struct hvp_vm *vm)
{
    for (uint32_t i = 0; i < HVP_VCPUS; i++) {
        vm->vcpu[i].linked = true; /* for all we know */
        vm->vcpu[i].left = false;
    }
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

/* The page of this address; for who calls, every page that a byte of so many
 * from there on lies in. */
static bool covers(const struct hvp_act *act, uint32_t va)
{
    uint32_t last = act->vm->pv ? act->a + PAGE_SIZE - 1 : act->a;

    return va >> PAGE_SHIFT == act->a >> PAGE_SHIFT ||
           va >> PAGE_SHIFT == last >> PAGE_SHIFT;
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
    if (!act->b || (vcpu->owes == HVP_OWES_ONE && covers(act, vcpu->owes_va)))
        vcpu->owes = HVP_OWES_NOTHING;
}
