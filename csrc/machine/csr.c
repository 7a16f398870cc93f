/* csr.c - the control and status registers.
 *
 * csrs.def is the table: one row per register, with the bits that exist. This
 * file has the few registers whose reading or writing is more than a mask, and
 * the question who may touch what. */
#include "machine/internal.h"

#define MSTATUS_WRITABLE                                                      \
    (SSTATUS_MASK | MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV | \
     MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR)
#define MIE_WRITABLE (SIP_MASK | MIP_MSIP | MIP_MTIP | MIP_MEIP)

/* Every exception but those that cannot come from below M (ecall from M) or
 * do not exist here (10, 14). */
#define MEDELEG_WRITABLE \
    (0xffffu & ~(1u << CAUSE_ECALL_VS | 1u << CAUSE_ECALL_M | 1u << 14))

/* With extension H also what comes from VS and VU, and of these a guest may
 * have all that its own supervisor could have. */
#define MEDELEG_H                                          \
    (1u << CAUSE_ECALL_VS | 1u << CAUSE_FETCH_GUEST_PAGE | \
     1u << CAUSE_LOAD_GUEST_PAGE | 1u << CAUSE_VIRTUAL |   \
     1u << CAUSE_STORE_GUEST_PAGE)
#define HEDELEG_WRITABLE (MEDELEG_WRITABLE & ~(1u << CAUSE_ECALL_S))
#define HSTATUS_WRITABLE                                                     \
    (HSTATUS_GVA | HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_VTVM | HSTATUS_VTW | \
     HSTATUS_VTSR)
#define HGATP_WRITABLE \
    (HGATP_MODE | HGATP_VMID_MASK << HGATP_VMID_SHIFT | HGATP_PPN_MASK)

#define MISA_EXTENSION(letter) (1u << ((letter) - 'A'))
#define MISA_VALUE                                                        \
    (1u << 30 /* 32 bits */ | MISA_EXTENSION('A') | MISA_EXTENSION('I') | \
     MISA_EXTENSION('M') | MISA_EXTENSION('S') | MISA_EXTENSION('U'))

struct csr_rule {
    uint32_t offset; /* of the field in struct hart_csrs */
    bool     h_ext;  /* exists with extension H alone */
    uint32_t mask;
    uint32_t wider; /* bits that extension H adds */
    uint32_t (*read)(const struct hart *hart, const struct csr_rule *rule);
    void (*write)(struct hart *hart, const struct csr_rule *rule, uint32_t val);
};

static uint32_t *csr_field(struct hart *hart, const struct csr_rule *rule)
{
    return (uint32_t *)((char *)&hart->csr + rule->offset);
}

static uint32_t csr_mask(const struct hart *hart, const struct csr_rule *rule)
{
    return rule->mask | (hart_has_h(hart) ? rule->wider : 0);
}

static uint32_t read_field(const struct hart *hart, const struct csr_rule *rule)
{
    const char *csrs = (const char *)&hart->csr;

    return *(const uint32_t *)(csrs + rule->offset) & csr_mask(hart, rule);
}

static void write_field(struct hart *hart, const struct csr_rule *rule,
                        uint32_t val)
{
    uint32_t *field = csr_field(hart, rule);
    uint32_t  mask = csr_mask(hart, rule);

    *field = (*field & ~mask) | (val & mask);
}

static void write_plain(struct hart *hart, const struct csr_rule *rule,
                        uint32_t val)
{
    write_field(hart, rule, val);
}

static void write_ignored(struct hart *hart, const struct csr_rule *rule,
                          uint32_t val)
{
    (void)hart, (void)rule, (void)val;
}

/* sie and sip show, and let S change, only what mideleg hands to S. */
static uint32_t read_delegated(const struct hart     *hart,
                               const struct csr_rule *rule)
{
    return read_field(hart, rule) & hart->csr.mideleg;
}

static void write_delegated(struct hart *hart, const struct csr_rule *rule,
                            uint32_t val)
{
    uint32_t *field = csr_field(hart, rule);
    uint32_t  mask = rule->mask & hart->csr.mideleg;

    *field = (*field & ~mask) | (val & mask);
}

static uint32_t read_mip(const struct hart *hart, const struct csr_rule *rule)
{
    (void)rule;
    return hart_mip(hart);
}

static uint32_t read_sip(const struct hart *hart, const struct csr_rule *rule)
{
    (void)rule;
    return hart_mip(hart) & hart->csr.mideleg & SIP_MASK;
}

/* With extension H those of the virtual supervisor always go to S at least:
 * their bits of mideleg are 1. */
static void write_mideleg(struct hart *hart, const struct csr_rule *rule,
                          uint32_t val)
{
    write_field(hart, rule, val | rule->wider);
}

/* vsie and vsip: what hideleg hands on, moved to where S would find it. */
static uint32_t read_vs_delegated(const struct hart     *hart,
                                  const struct csr_rule *rule)
{
    return (read_field(hart, rule) & hart->csr.hideleg) >> 1;
}

static void write_vs_delegated(struct hart *hart, const struct csr_rule *rule,
                               uint32_t val)
{
    uint32_t *field = csr_field(hart, rule);
    uint32_t  mask = rule->mask & hart->csr.hideleg;

    *field = (*field & ~mask) | (val << 1 & mask);
}

static uint32_t read_vsip(const struct hart *hart, const struct csr_rule *rule)
{
    (void)rule;
    return (hart_mip(hart) & hart->csr.hideleg) >> 1;
}

static uint32_t read_hip(const struct hart *hart, const struct csr_rule *rule)
{
    (void)rule;
    return hart_mip(hart) & HIP_MASK;
}

/* There is no mode 2: a write of that MPP keeps the old one. */
static void write_mstatus(struct hart *hart, const struct csr_rule *rule,
                          uint32_t val)
{
    if ((val & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT == 2)
        val = (val & ~(uint32_t)MSTATUS_MPP) |
              (hart->csr.mstatus & MSTATUS_MPP);
    write_field(hart, rule, val);
}

static void write_satp(struct hart *hart, const struct csr_rule *rule,
                       uint32_t val)
{
    if (hart->machine->config.asid_bits == 0)
        val &= SATP_MODE | SATP_PPN_MASK;
    write_field(hart, rule, val);
}

static uint32_t read_misa(const struct hart *hart, const struct csr_rule *rule)
{
    (void)rule;
    return MISA_VALUE | hart->csr.misa;
}

/* With H go the interrupts that it brought. */
static void write_misa(struct hart *hart, const struct csr_rule *rule,
                       uint32_t val)
{
    (void)rule;
    hart->csr.misa = hart->machine->config.h_ext ? val & MISA_H : 0;
    if (!hart_has_h(hart)) {
        hart->csr.mie &= ~(uint32_t)HIP_MASK;
        hart->csr.mip &= ~(uint32_t)HIP_MASK;
    }
}

static uint32_t read_hartid(const struct hart     *hart,
                            const struct csr_rule *rule)
{
    (void)rule;
    return hart->id;
}

static uint64_t csr_time(const struct hart *hart)
{
    uint64_t delta = (uint64_t)hart->csr.htimedeltah << 32 |
                     hart->csr.htimedelta;

    return hart_time(hart) + (hart->virt ? delta : 0);
}

/* A counter read sees the state before the instruction that reads it. */
#define READ_COUNTER(name, value)                            \
    static uint32_t read_##name(const struct hart     *hart, \
                                const struct csr_rule *rule) \
    {                                                        \
        (void)rule;                                          \
        return (uint32_t)(value);                            \
    }
READ_COUNTER(cycle, hart->cycle)
READ_COUNTER(cycleh, hart->cycle >> 32)
READ_COUNTER(time, csr_time(hart))
READ_COUNTER(timeh, csr_time(hart) >> 32)
READ_COUNTER(instret, hart->instret)
READ_COUNTER(instreth, hart->instret >> 32)
#undef READ_COUNTER

/* The rows, and for each of the 4096 numbers its row; row 0 is "none". */
#define CSR(name, field, mask, read, write) \
    ROW(name, field, false, mask, 0, read, write)
#define CSR_H(name, field, mask, read, write) \
    ROW(name, field, true, mask, 0, read, write)
#define CSR_WIDER(name, field, mask, wider, read, write) \
    ROW(name, field, false, mask, wider, read, write)
enum csr_row {
    ROW_NONE,
#define ROW(name, field, h_ext, mask, wider, read, write) ROW_##name,
#include "machine/csrs.def"
#undef ROW
};

static const struct csr_rule rules[] = {
    [ROW_NONE] = { .read = NULL },
#define ROW(name, field, h_ext, mask, wider, read, write) \
    [ROW_##name] = { offsetof(struct hart_csrs, field),   \
                     h_ext,                               \
                     mask,                                \
                     wider,                               \
                     read_##read,                         \
                     write_##write },
#include "machine/csrs.def"
#undef ROW
};

static const uint8_t row_of[4096] = {
#define ROW(name, field, h_ext, mask, wider, read, write) \
    [CSR_##name] = ROW_##name,
#include "machine/csrs.def"
#undef ROW
};

static const struct csr_rule *csr_find(const struct hart *hart, uint32_t csr)
{
    const struct csr_rule *rule = &rules[csr < 4096 ? row_of[csr] : ROW_NONE];

    if (!rule->read || (rule->h_ext && !hart_has_h(hart)))
        return NULL;
    return rule;
}

bool csr_plain(uint32_t csr, uint32_t *word, uint32_t *mask)
{
    const struct csr_rule *rule = &rules[row_of[csr]];

    if (rule->h_ext || rule->write != write_plain || rule->read != read_field)
        return false;
    *word = rule->offset / 4;
    *mask = rule->mask;
    return true;
}

static bool csr_read_only(uint32_t csr)
{
    return csr >> 10 == 3;
}

bool hart_csr_read(struct hart *hart, uint32_t csr, uint32_t *val)
{
    const struct csr_rule *rule = csr_find(hart, csr);

    if (!rule)
        return false;
    *val = rule->read(hart, rule);
    return true;
}

bool hart_csr_write(struct hart *hart, uint32_t csr, uint32_t val)
{
    const struct csr_rule *rule = csr_find(hart, csr);

    if (!rule || csr_read_only(csr))
        return false;
    rule->write(hart, rule, val);
    if (rule->write == write_plain)
        return true;
    hart->event = 0; /* an interrupt may have become due */
    mmu_refresh(hart);
    return true;
}

/* What an access is answered with: nothing, or a cause. */
#define CSR_GRANTED -1

/* cycle, time and instret are open to S if mcounteren says so, and to U if
 * scounteren says so too. A guest needs the word of hcounteren as well: what M
 * refuses does not exist, what a hypervisor refuses it may want to emulate. */
static int csr_counter_cause(const struct hart *hart, uint32_t csr)
{
    uint32_t below = hart->virt ? hart->csr.hcounteren : COUNTEREN_MASK;

    if (hart->priv == PRIV_M)
        return CSR_GRANTED;
    if (hart->priv == PRIV_U)
        below &= hart->csr.scounteren;
    if (!(hart->csr.mcounteren >> (csr & 31) & 1))
        return CAUSE_ILLEGAL;
    if (below >> (csr & 31) & 1)
        return CSR_GRANTED;
    return hart->virt ? CAUSE_VIRTUAL : CAUSE_ILLEGAL;
}

/* The same with V = 1 (Privileged Specification, 18.6.1): what HS could do is
 * a virtual instruction, for a hypervisor to emulate. `level` is the number's
 * lowest mode: 0 U, 1 S, 2 hypervisor, 3 M. */
static int csr_guest_cause(const struct hart *hart, uint32_t csr,
                           uint32_t level)
{
    if (level == 3)
        return CAUSE_ILLEGAL;
    if (level > hart->priv) /* VS is 1, VU is 0 */
        return CAUSE_VIRTUAL;
    if (csr == CSR_SATP && (hart->csr.hstatus & HSTATUS_VTVM))
        return CAUSE_VIRTUAL;
    return CSR_GRANTED;
}

/* Whether the hart, in its present mode, may execute this access. */
static int csr_cause(const struct hart *hart, uint32_t csr, bool write)
{
    uint32_t level = csr >> 8 & 3;
    bool     counter = csr >> 8 == 0xc; /* the unprivileged ones */

    if (!csr_find(hart, csr) || (write && csr_read_only(csr)))
        return CAUSE_ILLEGAL;
    if (counter)
        return csr_counter_cause(hart, csr);
    if (hart->virt)
        return csr_guest_cause(hart, csr, level);
    if (level == 2 ? hart->priv == PRIV_U : level > hart->priv)
        return CAUSE_ILLEGAL;
    if ((csr == CSR_SATP || csr == CSR_HGATP) && hart->priv == PRIV_S &&
        (hart->csr.mstatus & MSTATUS_TVM))
        return CAUSE_ILLEGAL;
    return CSR_GRANTED;
}

/* In VS the supervisor's registers are those of the virtual one; scounteren
 * has no double. */
static uint32_t csr_substitute(const struct hart *hart, uint32_t csr)
{
    bool doubled = csr >> 8 == CSR_SSTATUS >> 8 && csr != CSR_SCOUNTEREN;

    return hart->virt && doubled ? csr + CSR_VS : csr;
}

bool csr_leaks(const struct hart *hart)
{
    return hart->machine->config.leaky && hart->priv == PRIV_U;
}

uint32_t csr_refusal(const struct hart *hart, uint32_t csr, bool write)
{
    return (uint32_t)csr_cause(hart, csr, write);
}

bool csr_execute(struct hart *hart, uint32_t csr, enum csr_op op, bool write,
                 uint32_t operand, uint32_t *old)
{
    uint32_t number = csr_substitute(hart, csr);

    if (csr_leaks(hart) && (csr == CSR_SSTATUS || csr == CSR_SATP))
        return hart_csr_read(hart, number, old); /* and a write is lost */
    if (csr_cause(hart, csr, write) != CSR_GRANTED)
        return false;
    hart_csr_read(hart, number, old);
    if (!write)
        return true;
    /* Setting a bit of mip must not make the PLIC's line sticky: what is
     * modified is the software part of SEIP. */
    uint32_t base = csr == CSR_MIP ? hart->csr.mip : *old;
    switch (op) {
    case CSR_OP_SET:
        operand = base | operand;
        break;
    case CSR_OP_CLEAR:
        operand = base & ~operand;
        break;
    case CSR_OP_WRITE:
        break;
    }
    return hart_csr_write(hart, number, operand);
}
