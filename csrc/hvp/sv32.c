/* sv32.c - what an access must see: Sv32, written from the specification.
 *
 * The RISC-V Privileged Specification 20240411, 4.3.2, step by step, on a VM's
 * own memory. It shares no code with hyp/walk.c or machine/mmu.c, of which it
 * is to find the mistakes. Style `direct` has entries that name machine frames;
 * for those the frame table says which guest frame that is. */
#include "hvp/run.h"
#include <string.h>

struct device { uint32_t base, size; };

/* The board that a VM has: abi/memmap.h, without the CLINT. Under style
 * `direct` there is none. */
static bool device_at(const struct hvp_vm *vm, uint32_t gpa)
{
    static const struct device devices[] = {
        { TEST_BASE, TEST_SIZE },
        { PLIC_BASE, PLIC_SIZE },
        { UART_BASE, UART_SIZE },
    };

    if (vm->style == HV_STYLE_DIRECT)
        return false;
    for (uint32_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        uint32_t page = devices[i].base >> PAGE_SHIFT;
        uint32_t last = (devices[i].base + devices[i].size - 1) >> PAGE_SHIFT;

        if (gpa >> PAGE_SHIFT >= page && gpa >> PAGE_SHIFT <= last)
            return true;
    }
    return false;
}

static bool ram_at(struct hvp_run *run, const struct hvp_vm *vm, uint32_t gpa)
{
    const struct vm *found = hyp_vm(&run->host->hal.hyp, vm->id);
    uint32_t         page = (gpa - RAM_BASE) >> PAGE_SHIFT;

    return found && page < found->p2m.count &&
           !(found->p2m.state[page] & P2M_GONE);
}

static struct hvp_sight fault(struct hvp_sight sight, bool page,
                              enum access access)
{
    static const uint32_t causes[NR_ACCESS][2] = {
        [ACCESS_FETCH] = { CAUSE_FETCH_ACCESS, CAUSE_FETCH_PAGE },
        [ACCESS_LOAD] = { CAUSE_LOAD_ACCESS, CAUSE_LOAD_PAGE },
        [ACCESS_STORE] = { CAUSE_STORE_ACCESS, CAUSE_STORE_PAGE },
    };

    sight.ok = false;
    sight.cause = causes[access][page];
    return sight;
}

/* Physical memory, and what of it answers: PMAs, as 3.6 has it. */
static struct hvp_sight arrive(struct hvp_run *run, const struct hvp_vm *vm,
                               struct hvp_sight sight, uint64_t gpa,
                               enum access access)
{
    if (gpa >> 32)
        return fault(sight, false, access);
    sight.ok = true;
    sight.gpa = (uint32_t)gpa;
    sight.ram = ram_at(run, vm, sight.gpa);
    if (sight.ram || (access != ACCESS_FETCH && device_at(vm, sight.gpa)))
        return sight;
    return fault(sight, false, access);
}

/* Step 6: is the access allowed by R, W, X and U, given mode, SUM and MXR? */
static bool allowed(uint32_t pte, enum access access, bool kernel,
                    uint32_t sstatus)
{
    if (kernel && (pte & PTE_U) &&
        (access == ACCESS_FETCH || !(sstatus & MSTATUS_SUM)))
        return false;
    if (!kernel && !(pte & PTE_U))
        return false;
    if (access == ACCESS_FETCH)
        return pte & PTE_X;
    if (access == ACCESS_STORE)
        return pte & PTE_W;
    return (pte & PTE_R) || ((sstatus & MSTATUS_MXR) && (pte & PTE_X));
}

static struct hvp_sight walk(struct hvp_run *run, const struct hvp_act *act,
                             struct vcpu *vcpu, uint32_t va, enum access access)
{
    struct hvp_sight sight = { .ok = false };
    uint64_t         a = (uint64_t)(vcpu->csr.satp & SATP_PPN_MASK) << 12;

    for (int i = 1; i >= 0; i--) {
        uint64_t at = a + 4u * (i ? va >> 22 : va >> 12 & 0x3ff);

        if (at >> 32 || !ram_at(run, act->vm, (uint32_t)at))
            return fault(sight, false, access);
        uint32_t pte = hvp_peek(run, act->vm, (uint32_t)at);
        sight.pte[sight.nr_ptes++] = (uint32_t)at;
        if (!(pte & PTE_V) || ((pte & PTE_W) && !(pte & PTE_R)))
            return fault(sight, true, access);
        a = (uint64_t)(pte >> PTE_PPN_SHIFT) << 12;
        if (!(pte & (PTE_R | PTE_X))) {
            if (pte & (PTE_D | PTE_A | PTE_U)) /* reserved: 4.3.1 */
                return fault(sight, true, access);
            continue;
        }
        if (!allowed(pte, access, act->kernel, vcpu->csr.sstatus))
            return fault(sight, true, access);
        if (i && (pte >> PTE_PPN_SHIFT & 0x3ff)) /* misaligned megapage */
            return fault(sight, true, access);
        a |= i ? va & 0x3fffff : va & 0xfff;
        return arrive(run, act->vm, sight, a, access);
    }
    return fault(sight, true, access);
}

/* Machine frames are what the tables of style `direct` name. */
static struct hvp_sight walk_direct(struct hvp_run       *run,
                                    const struct hvp_act *act,
                                    struct vcpu *vcpu, uint32_t va,
                                    enum access access)
{
    struct hvp_sight sight = { .ok = false };
    struct frames   *frames = &run->host->hal.hyp.frames;
    uint32_t         table = act->kernel ? vcpu->roots.kernel.raw
                                         : vcpu->roots.user.raw;

    for (int i = 1; i >= 0; i--) {
        const uint8_t *page = machine_ram(run->host->machine, table << 12);
        uint32_t       pte;

        if (!page)
            return fault(sight, false, access);
        memcpy(&pte, page + 4 * (i ? va >> 22 : va >> 12 & 0x3ff), 4);
        if (!(pte & PTE_V) || ((pte & PTE_W) && !(pte & PTE_R)))
            return fault(sight, true, access);
        table = pte >> PTE_PPN_SHIFT;
        if (!frame_exists(frames, (hfn_t){ table }))
            return fault(sight, false, access);
        if (!(pte & (PTE_R | PTE_X)))
            continue;
        if (i || !allowed(pte, access, false, 0))
            return fault(sight, true, access);
        uint32_t gfn = frame_of(frames, (hfn_t){ table })->gfn;
        return arrive(run, act->vm, sight, (uint64_t)gfn << 12 | (va & 0xfff),
                      access);
    }
    return fault(sight, true, access);
}

/* Untranslated, a VM of style `direct` cannot store to its tables either. */
static bool is_table(struct hvp_run *run, const struct vm *vm, gfn_t gfn)
{
    uint32_t page = gfn.raw - HVP_FIRST;
    hfn_t    hfn = { page < vm->p2m.count ? vm->p2m.hfn[page] : NO_FRAME };

    return frame_exists(&run->host->hal.hyp.frames, hfn) &&
           frame_of(&run->host->hal.hyp.frames, hfn)->type != FRAME_PLAIN;
}

struct hvp_sight hvp_sight(struct hvp_run *run, const struct hvp_act *act,
                           uint32_t va, enum access access)
{
    struct vm       *vm = hvp_live(run, act->vm);
    struct hvp_sight sight = { .ok = false };

    if (!vm)
        return sight;
    struct vcpu *vcpu = &vm->vcpu[act->vcpu];

    vcpu_pull(vcpu);
    if (direct_loaded(vcpu))
        return walk_direct(run, act, vcpu, va, access);
    if (vm->style->direct && access == ACCESS_STORE &&
        is_table(run, vm, gpa_frame((gpa_t){ va })))
        return fault(sight, true, access);
    if (!(vcpu->csr.satp & SATP_MODE))
        return arrive(run, act->vm, sight, va, access);
    return walk(run, act, vcpu, va, access);
}
