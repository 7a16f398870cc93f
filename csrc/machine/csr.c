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

#define MISA_EXTENSION(letter) (1u << ((letter) - 'A'))
#define MISA_VALUE                                                        \
    (1u << 30 /* 32 bits */ | MISA_EXTENSION('A') | MISA_EXTENSION('I') | \
     MISA_EXTENSION('M') | MISA_EXTENSION('S') | MISA_EXTENSION('U'))

struct csr_rule {
    uint32_t offset; /* of the field in struct hart_csrs */
    uint32_t mask;
    uint32_t (*read)(const struct hart *hart, const struct csr_rule *rule);
    void (*write)(struct hart *hart, const struct csr_rule *rule, uint32_t val);
};

static uint32_t *csr_field(struct hart *hart, const struct csr_rule *rule)
{
    return (uint32_t *)((char *)&hart->csr + rule->offset);
}

static uint32_t read_field(const struct hart *hart, const struct csr_rule *rule)
{
    const char *csrs = (const char *)&hart->csr;

    return *(const uint32_t *)(csrs + rule->offset) & rule->mask;
}

static void write_field(struct hart *hart, const struct csr_rule *rule,
                        uint32_t val)
{
    uint32_t *field = csr_field(hart, rule);

    *field = (*field & ~rule->mask) | (val & rule->mask);
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
    return hart_mip(hart) & hart->csr.mideleg;
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
    (void)hart, (void)rule;
    return MISA_VALUE;
}

static uint32_t read_hartid(const struct hart     *hart,
                            const struct csr_rule *rule)
{
    (void)rule;
    return hart->id;
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
READ_COUNTER(time, hart_time(hart))
READ_COUNTER(timeh, hart_time(hart) >> 32)
READ_COUNTER(instret, hart->instret)
READ_COUNTER(instreth, hart->instret >> 32)
#undef READ_COUNTER

/* The rows, and for each of the 4096 numbers its row; row 0 is "none". */
enum csr_row {
    ROW_NONE,
#define CSR(name, field, mask, read, write) ROW_##name,
#include "machine/csrs.def"
#undef CSR
};

static const struct csr_rule rules[] = {
#define CSR(name, field, mask, read, write)                                \
    [ROW_##name] = { offsetof(struct hart_csrs, field), mask, read_##read, \
                     write_##write },
#include "machine/csrs.def"
#undef CSR
};

static const uint8_t row_of[4096] = {
#define CSR(name, field, mask, read, write) [CSR_##name] = ROW_##name,
#include "machine/csrs.def"
#undef CSR
};

static const struct csr_rule *csr_find(uint32_t csr)
{
    return csr < 4096 && row_of[csr] ? &rules[row_of[csr]] : NULL;
}

bool csr_plain(uint32_t csr, uint32_t *word, uint32_t *mask)
{
    const struct csr_rule *rule = csr_find(csr);

    if (!rule || rule->write != write_plain || rule->read != read_field)
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
    const struct csr_rule *rule = csr_find(csr);

    if (!rule)
        return false;
    *val = rule->read(hart, rule);
    return true;
}

bool hart_csr_write(struct hart *hart, uint32_t csr, uint32_t val)
{
    const struct csr_rule *rule = csr_find(csr);

    if (!rule || csr_read_only(csr))
        return false;
    rule->write(hart, rule, val);
    if (rule->write == write_plain)
        return true;
    hart->event = 0; /* an interrupt may have become due */
    mmu_refresh(hart);
    return true;
}

/* cycle, time and instret are open to S if mcounteren says so, and to U if
 * scounteren says so too. */
static bool csr_counter_open(const struct hart *hart, uint32_t csr)
{
    uint32_t enabled = COUNTEREN_MASK;

    if (hart->priv != PRIV_M)
        enabled &= hart->csr.mcounteren;
    if (hart->priv == PRIV_U)
        enabled &= hart->csr.scounteren;
    return enabled >> (csr & 31) & 1;
}

/* Whether the hart, in its present mode, may execute this access. */
static bool csr_permitted(const struct hart *hart, uint32_t csr, bool write)
{
    bool counter = csr >> 8 == 0xc; /* the unprivileged ones */

    if (!csr_find(csr) || (csr >> 8 & 3) > hart->priv)
        return false;
    if (write && csr_read_only(csr))
        return false;
    if (counter && !csr_counter_open(hart, csr))
        return false;
    return csr != CSR_SATP || hart->priv != PRIV_S ||
           !(hart->csr.mstatus & MSTATUS_TVM);
}

bool csr_leaks(const struct hart *hart)
{
    return hart->machine->config.leaky && hart->priv == PRIV_U;
}

bool csr_execute(struct hart *hart, uint32_t csr, enum csr_op op, bool write,
                 uint32_t operand, uint32_t *old)
{
    if (csr_leaks(hart) && (csr == CSR_SSTATUS || csr == CSR_SATP))
        return hart_csr_read(hart, csr, old); /* and a write is lost */
    if (!csr_permitted(hart, csr, write))
        return false;
    hart_csr_read(hart, csr, old);
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
    return hart_csr_write(hart, csr, operand);
}
