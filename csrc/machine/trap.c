/* trap.c - into a trap handler and out of it.
 *
 * An exception or interrupt goes to M, unless it comes from S or U and
 * medeleg or mideleg hands its cause to S. Entering saves what the return
 * needs - pc, privilege, interrupt enable - in xepc and mstatus; mret and sret
 * take it back from there:
 *
 *              entering M        mret          entering S        sret
 *   xIE        MIE = 0           MIE = MPIE    SIE = 0           SIE = SPIE
 *   xPIE       MPIE = old MIE    MPIE = 1      SPIE = old SIE    SPIE = 1
 *   xPP        MPP = old priv    MPP = U       SPP = old priv    SPP = U
 *   priv       M                 old MPP       S                 old SPP
 *
 * A return to a mode below M also clears MPRV. */
#include "machine/internal.h"

/* Where a trap goes: vectored mode spreads the interrupts, 4 bytes each. */
static uint32_t trap_vector(uint32_t tvec, uint32_t cause)
{
    uint32_t base = tvec & ~3u;

    if ((tvec & 1) && (cause & CAUSE_INTERRUPT))
        return base + 4 * (cause & ~CAUSE_INTERRUPT);
    return base;
}

static uint32_t trap_push_s(uint32_t mstatus, uint32_t priv)
{
    uint32_t next = mstatus &
                    ~(uint32_t)(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP);

    if (mstatus & MSTATUS_SIE)
        next |= MSTATUS_SPIE;
    if (priv == PRIV_S)
        next |= MSTATUS_SPP;
    return next;
}

static uint32_t trap_push_m(uint32_t mstatus, uint32_t priv)
{
    uint32_t next = mstatus &
                    ~(uint32_t)(MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP);

    if (mstatus & MSTATUS_MIE)
        next |= MSTATUS_MPIE;
    return next | priv << MSTATUS_MPP_SHIFT;
}

static void trap_enter_s(struct hart *hart, uint32_t cause, uint32_t tval)
{
    struct hart_csrs *csr = &hart->csr;

    csr->sepc = hart->regs.pc & ~3u;
    csr->scause = cause;
    csr->stval = tval;
    csr->mstatus = trap_push_s(csr->mstatus, hart->priv);
    hart->priv = PRIV_S;
    hart->regs.pc = trap_vector(csr->stvec, cause);
    if (cause & CAUSE_INTERRUPT)
        hart->count.irqs_s++;
    else
        hart->count.traps_s++;
}

/* Native M-mode has no vector: its handler is the caller of hart_run(), and pc
 * stays where the trap was. */
static void trap_enter_m(struct hart *hart, uint32_t cause, uint32_t tval)
{
    struct hart_csrs *csr = &hart->csr;

    csr->mepc = hart->regs.pc & ~3u;
    csr->mcause = cause;
    csr->mtval = tval;
    csr->mstatus = trap_push_m(csr->mstatus, hart->priv);
    hart->priv = PRIV_M;
    if (!hart->machine->config.native_m)
        hart->regs.pc = trap_vector(csr->mtvec, cause);
    if (cause & CAUSE_INTERRUPT)
        hart->count.irqs_m++;
    else
        hart->count.traps_m++;
}

void trap_take(struct hart *hart, uint32_t cause, uint32_t tval)
{
    uint32_t deleg = cause & CAUSE_INTERRUPT ? hart->csr.mideleg
                                             : hart->csr.medeleg;

    if (hart->priv != PRIV_M && (deleg >> (cause & 31) & 1))
        trap_enter_s(hart, cause, tval);
    else
        trap_enter_m(hart, cause, tval);
    hart->reserved = false;
    hart->event = 0;
    hart_pay(hart, COST_trap, 1);
    /* Native M-mode executes nothing, and what runs after it is what ran
     * before it more often than not. */
    if (hart->priv != PRIV_M || !hart->machine->config.native_m)
        mmu_refresh(hart);
}

/* Highest priority first, as the Privileged Specification orders them. */
static const uint8_t irq_order[] = {
    IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI,
};

bool trap_interrupt(struct hart *hart)
{
    const struct hart_csrs *csr = &hart->csr;
    uint32_t                pending = csr->mie ? hart_mip(hart) & csr->mie : 0;
    uint32_t                to_m = pending & ~csr->mideleg;
    uint32_t                to_s = pending & csr->mideleg;

    /* A mode's own enable bit counts in that mode; below it, the mode's
     * interrupts are always on; above it, always off. */
    if (hart->priv == PRIV_M && !(csr->mstatus & MSTATUS_MIE))
        to_m = 0;
    if (hart->priv == PRIV_M ||
        (hart->priv == PRIV_S && !(csr->mstatus & MSTATUS_SIE)))
        to_s = 0;
    uint32_t due = to_m ? to_m : to_s;
    if (!due)
        return false;
    for (size_t i = 0; i < sizeof(irq_order); i++) {
        if (due >> irq_order[i] & 1) {
            trap_take(hart, CAUSE_INTERRUPT | irq_order[i], 0);
            return true;
        }
    }
    return false; /* not reached: mie has no other bits */
}

static void trap_return(struct hart *hart, uint32_t mstatus, uint32_t priv)
{
    if (priv != PRIV_M)
        mstatus &= ~(uint32_t)MSTATUS_MPRV;
    hart->csr.mstatus = mstatus;
    hart->priv = priv;
    hart->event = 0;
    hart_pay(hart, COST_xret, 1);
    mmu_refresh(hart);
}

uint32_t trap_mret(struct hart *hart)
{
    uint32_t old = hart->csr.mstatus;
    uint32_t next = old & ~(uint32_t)(MSTATUS_MIE | MSTATUS_MPP);

    if (old & MSTATUS_MPIE)
        next |= MSTATUS_MIE;
    trap_return(hart, next | MSTATUS_MPIE,
                (old & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT);
    return hart->csr.mepc;
}

uint32_t trap_sret(struct hart *hart)
{
    uint32_t old = hart->csr.mstatus;
    uint32_t next = old & ~(uint32_t)(MSTATUS_SIE | MSTATUS_SPP);

    if (old & MSTATUS_SPIE)
        next |= MSTATUS_SIE;
    trap_return(hart, next | MSTATUS_SPIE, old & MSTATUS_SPP ? PRIV_S : PRIV_U);
    return hart->csr.sepc;
}
