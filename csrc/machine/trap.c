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
 * A return to a mode below M also clears MPRV.
 *
 * With extension H (Privileged Specification, 18.6 Traps) V belongs to the mode.
 * S with V = 0 is then called HS, and a trap from VS or VU that medeleg gave to
 * S goes on to VS if hedeleg or hideleg has its cause, too:
 *
 *              entering M   mret       entering HS   sret in HS    in VS
 *   previous V MPV = V      V = MPV    SPV = V       V = SPV       V stays 1
 *   then       V = 0        MPV = 0    V = 0         SPV = 0
 *
 * Traps into VS and sret in VS are those of S, done to vsstatus, vsepc and the
 * other registers of VS: nobody above learns of them. */
#include "machine/internal.h"

/* Where a trap goes: vectored mode spreads the interrupts, 4 bytes each. */
static uint32_t trap_vector(uint32_t tvec, uint32_t cause)
{
    uint32_t base = tvec & ~3u;

    if ((tvec & 1) && (cause & CAUSE_INTERRUPT))
        return base + 4 * (cause & ~CAUSE_INTERRUPT);
    return base;
}

/* What a trap from `priv` makes of sstatus, or of vsstatus. */
static uint32_t trap_push_s(uint32_t status, uint32_t priv)
{
    uint32_t next = status &
                    ~(uint32_t)(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP);

    if (status & MSTATUS_SIE)
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

/* --- extension H: what is known of a guest's access ---------------------- */

#define BIT(cause) (1u << (cause))
#define FETCH_CAUSES                                         \
    (BIT(CAUSE_FETCH_MISALIGNED) | BIT(CAUSE_FETCH_ACCESS) | \
     BIT(CAUSE_FETCH_PAGE) | BIT(CAUSE_FETCH_GUEST_PAGE) |   \
     BIT(CAUSE_BREAKPOINT))
#define LOAD_CAUSES                                        \
    (BIT(CAUSE_LOAD_MISALIGNED) | BIT(CAUSE_LOAD_ACCESS) | \
     BIT(CAUSE_LOAD_PAGE) | BIT(CAUSE_LOAD_GUEST_PAGE))
#define STORE_CAUSES                                         \
    (BIT(CAUSE_STORE_MISALIGNED) | BIT(CAUSE_STORE_ACCESS) | \
     BIT(CAUSE_STORE_PAGE) | BIT(CAUSE_STORE_GUEST_PAGE))
#define GUEST_PAGE_CAUSES                                       \
    (BIT(CAUSE_FETCH_GUEST_PAGE) | BIT(CAUSE_LOAD_GUEST_PAGE) | \
     BIT(CAUSE_STORE_GUEST_PAGE))

/* Whether xtval is a guest's virtual address: GVA of mstatush and hstatus. */
static bool trap_gva(const struct hart *hart, uint32_t cause)
{
    if (cause & CAUSE_INTERRUPT)
        return false;
    return (hart->view[ACCESS_FETCH].guest && (FETCH_CAUSES >> cause & 1)) ||
           (hart->view[ACCESS_LOAD].guest && (LOAD_CAUSES >> cause & 1)) ||
           (hart->view[ACCESS_STORE].guest && (STORE_CAUSES >> cause & 1));
}

/* What xtval2 and xtinst say: something of guest-page faults alone. */
static uint32_t trap_of_stage2(uint32_t cause, uint32_t val)
{
    bool stage2 = !(cause & CAUSE_INTERRUPT) &&
                  (GUEST_PAGE_CAUSES >> cause & 1);

    return stage2 ? val : 0;
}

static void trap_note_hs(struct hart *hart, uint32_t cause)
{
    struct hart_csrs *csr = &hart->csr;

    csr->htval = trap_of_stage2(cause, hart->fault_gpa);
    csr->htinst = trap_of_stage2(cause, hart->fault_inst);
    csr->hstatus &= ~(uint32_t)(HSTATUS_GVA | HSTATUS_SPV);
    if (trap_gva(hart, cause))
        csr->hstatus |= HSTATUS_GVA;
    if (!hart->virt)
        return; /* SPVP is of the last trap from a guest */
    csr->hstatus &= ~(uint32_t)HSTATUS_SPVP;
    csr->hstatus |= HSTATUS_SPV | (hart->priv == PRIV_S ? HSTATUS_SPVP : 0);
}

static void trap_note_m(struct hart *hart, uint32_t cause)
{
    struct hart_csrs *csr = &hart->csr;

    csr->mtval2 = trap_of_stage2(cause, hart->fault_gpa);
    csr->mtinst = trap_of_stage2(cause, hart->fault_inst);
    csr->mstatush = (trap_gva(hart, cause) ? MSTATUSH_GVA : 0) |
                    (hart->virt ? MSTATUSH_MPV : 0);
}

/* --- entering ------------------------------------------------------------- */

static void trap_count(uint64_t *traps, uint64_t *irqs, uint32_t cause)
{
    ++*(cause & CAUSE_INTERRUPT ? irqs : traps);
}

static void trap_enter_s(struct hart *hart, uint32_t cause, uint32_t tval)
{
    struct hart_csrs *csr = &hart->csr;

    if (hart_has_h(hart))
        trap_note_hs(hart, cause);
    csr->sepc = hart->regs.pc & ~3u;
    csr->scause = cause;
    csr->stval = tval;
    csr->mstatus = trap_push_s(csr->mstatus, hart->priv);
    hart->priv = PRIV_S;
    hart->virt = false;
    hart->regs.pc = trap_vector(csr->stvec, cause);
    trap_count(&hart->count.traps_s, &hart->count.irqs_s, cause);
}

/* VS sees its interrupts by the numbers that S has for them. */
static void trap_enter_vs(struct hart *hart, uint32_t cause, uint32_t tval)
{
    struct hart_csrs *csr = &hart->csr;

    if (cause & CAUSE_INTERRUPT)
        cause--;
    csr->vsepc = hart->regs.pc & ~3u;
    csr->vscause = cause;
    csr->vstval = tval;
    csr->vsstatus = trap_push_s(csr->vsstatus, hart->priv);
    hart->priv = PRIV_S;
    hart->regs.pc = trap_vector(csr->vstvec, cause);
    trap_count(&hart->count.traps_vs, &hart->count.irqs_vs, cause);
}

/* Native M-mode has no vector: its handler is the caller of hart_run(), and pc
 * stays where the trap was. */
static void trap_enter_m(struct hart *hart, uint32_t cause, uint32_t tval)
{
    struct hart_csrs *csr = &hart->csr;

    if (hart_has_h(hart))
        trap_note_m(hart, cause);
    csr->mepc = hart->regs.pc & ~3u;
    csr->mcause = cause;
    csr->mtval = tval;
    csr->mstatus = trap_push_m(csr->mstatus, hart->priv);
    hart->priv = PRIV_M;
    hart->virt = false;
    if (!hart->machine->config.native_m)
        hart->regs.pc = trap_vector(csr->mtvec, cause);
    trap_count(&hart->count.traps_m, &hart->count.irqs_m, cause);
}

void trap_take(struct hart *hart, uint32_t cause, uint32_t tval)
{
    const struct hart_csrs *csr = &hart->csr;
    bool                    irq = cause & CAUSE_INTERRUPT;
    uint32_t                to_s = irq ? csr->mideleg : csr->medeleg;
    uint32_t                to_vs = irq ? csr->hideleg : csr->hedeleg;

    if (hart->priv == PRIV_M || !(to_s >> (cause & 31) & 1))
        trap_enter_m(hart, cause, tval);
    else if (hart->virt && (to_vs >> (cause & 31) & 1))
        trap_enter_vs(hart, cause, tval);
    else
        trap_enter_s(hart, cause, tval);
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
    IRQ_MEI, IRQ_MSI,  IRQ_MTI,  IRQ_SEI,  IRQ_SSI,
    IRQ_STI, IRQ_VSEI, IRQ_VSSI, IRQ_VSTI,
};

/* Whether the interrupts of level `priv`, `virt` can happen now: its own enable
 * bit counts in that mode; below it they are always on; above it, off. */
static bool trap_open(const struct hart *hart, uint32_t priv, bool virt,
                      uint32_t enabled)
{
    if (hart->virt != virt)
        return hart->virt; /* VS and VU are below HS and M */
    return hart->priv < priv || (hart->priv == priv && enabled);
}

bool trap_interrupt(struct hart *hart)
{
    const struct hart_csrs *csr = &hart->csr;
    uint32_t                due = csr->mie ? hart_mip(hart) & csr->mie : 0;
    uint32_t                to_m = due & ~csr->mideleg;
    uint32_t                to_s = due & csr->mideleg & ~csr->hideleg;
    uint32_t                to_vs = due & csr->hideleg;

    if (to_m && trap_open(hart, PRIV_M, false, csr->mstatus & MSTATUS_MIE))
        due = to_m;
    else if (to_s && trap_open(hart, PRIV_S, false, csr->mstatus & MSTATUS_SIE))
        due = to_s;
    else if (to_vs &&
             trap_open(hart, PRIV_S, true, csr->vsstatus & MSTATUS_SIE))
        due = to_vs;
    else
        return false;
    for (size_t i = 0; i < sizeof(irq_order); i++) {
        if (due >> irq_order[i] & 1) {
            trap_take(hart, CAUSE_INTERRUPT | irq_order[i], 0);
            return true;
        }
    }
    return false; /* not reached: mie has no other bits */
}

/* --- leaving -------------------------------------------------------------- */

static void trap_return(struct hart *hart, uint32_t priv, bool virt)
{
    if (priv != PRIV_M)
        hart->csr.mstatus &= ~(uint32_t)MSTATUS_MPRV;
    hart->priv = priv;
    hart->virt = virt && priv != PRIV_M && hart_has_h(hart);
    hart->event = 0;
    hart_pay(hart, COST_xret, 1);
    mmu_refresh(hart);
}

uint32_t trap_mret(struct hart *hart)
{
    struct hart_csrs *csr = &hart->csr;
    uint32_t          old = csr->mstatus;
    uint32_t          next = old & ~(uint32_t)(MSTATUS_MIE | MSTATUS_MPP);
    bool              mpv = csr->mstatush & MSTATUSH_MPV;

    if (old & MSTATUS_MPIE)
        next |= MSTATUS_MIE;
    csr->mstatus = next | MSTATUS_MPIE;
    csr->mstatush &= ~(uint32_t)MSTATUSH_MPV;
    trap_return(hart, (old & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT, mpv);
    return csr->mepc;
}

/* The other half of trap_push_s(). */
static uint32_t trap_pop_s(uint32_t status)
{
    uint32_t next = status & ~(uint32_t)(MSTATUS_SIE | MSTATUS_SPP);

    if (status & MSTATUS_SPIE)
        next |= MSTATUS_SIE;
    return next | MSTATUS_SPIE;
}

static uint32_t trap_spp(uint32_t status)
{
    return status & MSTATUS_SPP ? PRIV_S : PRIV_U;
}

static uint32_t trap_sret_vs(struct hart *hart)
{
    struct hart_csrs *csr = &hart->csr;
    uint32_t          old = csr->vsstatus;

    csr->vsstatus = trap_pop_s(old);
    trap_return(hart, trap_spp(old), true);
    return csr->vsepc;
}

uint32_t trap_sret(struct hart *hart)
{
    struct hart_csrs *csr = &hart->csr;
    uint32_t          old = csr->mstatus;
    bool              spv = csr->hstatus & HSTATUS_SPV;

    if (hart->virt)
        return trap_sret_vs(hart);
    csr->mstatus = trap_pop_s(old);
    csr->hstatus &= ~(uint32_t)HSTATUS_SPV;
    trap_return(hart, trap_spp(old), spv);
    return csr->sepc;
}
