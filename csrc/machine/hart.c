/* hart.c - one hart's clock, its interrupt lines, and what happens between
 * two of its instructions.
 *
 * Looking at timer, interrupts and the end of the run before every instruction
 * would cost more than the instruction. So hart_boundary() looks once and says
 * in hart->event until which cycle nothing can change by itself; whatever
 * changes the answer earlier (a trap, a CSR write, a device access) sets event
 * to 0. */
#include "machine/internal.h"

uint64_t hart_time(const struct hart *hart)
{
    return hart->cycle / hart->machine->config.time_div;
}

uint64_t hart_timer_cycle(const struct hart *hart)
{
    const struct machine *m = hart->machine;

    return machine_time_to_cycle(m, m->clint.mtimecmp[hart->id]);
}

uint32_t hart_mip(const struct hart *hart)
{
    const struct machine *m = hart->machine;
    uint32_t              mip = hart->csr.mip;

    if (clint_software(&m->clint, hart->id))
        mip |= MIP_MSIP;
    if (hart_timer_due(hart))
        mip |= MIP_MTIP;
    if (plic_pending(&m->plic, 2 * hart->id))
        mip |= MIP_MEIP;
    if (plic_pending(&m->plic, 2 * hart->id + 1))
        mip |= MIP_SEIP;
    return mip;
}

bool hart_timer_due(const struct hart *hart)
{
    return hart->cycle >= hart_timer_cycle(hart);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The timer, if mie lets it end this hart's wfi. */
static uint64_t hart_wait_end(const struct hart *hart)
{
    return hart->csr.mie & MIP_MTIP ? hart_timer_cycle(hart) : CYCLE_NEVER;
}

uint64_t hart_ready_cycle(const struct hart *hart)
{
    if (hart->stopped)
        return CYCLE_NEVER;
    if (!hart->waiting || (hart_mip(hart) & hart->csr.mie))
        return hart->cycle;
    return hart_wait_end(hart);
}

/*
 * A hart waits in wfi and its clock is below `until`. Move the clock to what
 * comes first: the timer, if mie lets it wake the hart, or `until`. False, and
 * the clock unmoved, if nothing of this hart's own will ever come. Nothing
 * happens in between, so the wait may be cut into any number of runs.
 */
static bool hart_wait(struct hart *hart, uint64_t until)
{
    if (hart_mip(hart) & hart->csr.mie) {
        hart->waiting = false;
        return true;
    }
    uint64_t wake = hart_wait_end(hart);
    if (wake == CYCLE_NEVER)
        return false;
    hart_skip(hart, earlier(wake, until));
    return true;
}

/* Whether the run ends at this boundary, whatever the hart would do next. */
static bool hart_ends(const struct hart *hart, uint64_t until,
                      enum hart_exit *why)
{
    const struct machine *m = hart->machine;

    if (hart->priv == PRIV_M && m->config.native_m)
        *why = HART_TRAP_M;
    else if (m->power.off)
        *why = HART_OFF;
    else if (hart->cycle >= until)
        *why = HART_UNTIL;
    else
        return false;
    return true;
}

bool hart_boundary(struct hart *hart, uint64_t until, enum hart_exit *why)
{
    for (;;) {
        if (hart_ends(hart, until, why))
            return false;
        if (hart->waiting) {
            if (!hart_wait(hart, until)) {
                *why = HART_IDLE;
                return false;
            }
        } else if (!trap_interrupt(hart)) {
            break;
        }
    }
    uint64_t timer = hart_timer_cycle(hart);
    hart->event = timer > hart->cycle ? earlier(timer, until) : until;
    return true;
}

enum hart_exit hart_run(struct hart *hart, uint64_t until)
{
    const struct machine *m = hart->machine;

    if (m->power.off)
        return HART_OFF;
    if (hart->stopped || (hart->priv == PRIV_M && m->config.native_m))
        return HART_IDLE;
    hart->regs.x[0] = 0;
    hart->event = 0;
    mmu_refresh_if_stale(hart);
    return m->engine->run(hart, until);
}

enum hart_exit hart_step(struct hart *hart)
{
    const struct machine *m = hart->machine;

    if (m->power.off)
        return HART_OFF;
    if (hart->stopped || (hart->priv == PRIV_M && m->config.native_m))
        return HART_IDLE;
    hart->regs.x[0] = 0;
    mmu_refresh_if_stale(hart);
    while (hart->waiting)
        if (!hart_wait(hart, CYCLE_NEVER))
            return HART_IDLE;
    if (!trap_interrupt(hart))
        m->engine->step(hart);
    if (hart->priv == PRIV_M && m->config.native_m)
        return HART_TRAP_M;
    return m->power.off ? HART_OFF : HART_UNTIL;
}

void hart_set_priv(struct hart *hart, uint32_t priv)
{
    hart_set_mode(hart, priv, false);
}

void hart_set_mode(struct hart *hart, uint32_t priv, bool virt)
{
    if (priv == PRIV_U || priv == PRIV_S || priv == PRIV_M)
        hart->priv = priv;
    hart->virt = virt && hart_has_h(hart) && hart->priv != PRIV_M;
    hart->event = 0;
    mmu_refresh_if_stale(hart);
}

void hart_skip(struct hart *hart, uint64_t cycle)
{
    if (hart->cycle >= cycle)
        return;
    hart->count.idle_cycles += cycle - hart->cycle;
    hart->cycle = cycle;
}

void hart_charge(struct hart *hart, enum cost kind, uint32_t n)
{
    hart_pay(hart, kind, n);
}

static void hart_fence_space(struct hart *hart, bool one_va, uint32_t va,
                             uint64_t mask, uint64_t space)
{
    tlb_fence(&hart->tlb, one_va, va, mask, space);
    hart->count.fences++;
    hart_charge(hart, COST_fence, 1);
}

void hart_fence(struct hart *hart, bool one_va, uint32_t va, bool one_asid,
                uint32_t asid)
{
    /* Without ASIDs every value of rs2 names the only space there is. */
    bool     narrow = one_asid && hart->machine->config.asid_bits;
    uint64_t mask = narrow ? TLB_ASID(SATP_ASID_MASK) : 0;

    hart_fence_space(hart, one_va, va, TLB_V | mask, TLB_ASID(asid) & mask);
}

void hart_hfence_vvma(struct hart *hart, bool one_va, uint32_t va)
{
    uint32_t vmid = hart->csr.hgatp >> HGATP_VMID_SHIFT & HGATP_VMID_MASK;

    hart_fence_space(hart, one_va, va, TLB_V | TLB_VMID(HGATP_VMID_MASK),
                     TLB_V | TLB_VMID(vmid));
}

/* An entry knows the end of its walk, and not the guest-physical addresses of
 * the tables on the way. So one address is treated as all of them. */
void hart_hfence_gvma(struct hart *hart, bool one_vmid, uint32_t vmid)
{
    uint64_t mask = one_vmid ? TLB_VMID(HGATP_VMID_MASK) : 0;

    hart_fence_space(hart, false, 0, TLB_V | mask,
                     TLB_V | (TLB_VMID(vmid) & mask));
}
