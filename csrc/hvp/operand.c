/* operand.c - from the 16 bits of an operand to a number that means something.
 *
 * What is live or stale is looked up in the actor's own VM alone, so that no
 * VM's operations depend on what another one has. */
#include "hvp/operand.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* --- words ---------------------------------------------------------------------- */

static uint32_t number_edge(uint32_t n)
{
    static const uint32_t edges[] = {
        0,          1,          2,          3,          4,          0x7f,
        0x80,       0xff,       0x100,      0x3ff,      0x400,      0x401,
        0xfff,      0x1000,     0x1001,     0xffff,     0x10000,    0x3fffff,
        0x400000,   0x7fffffff, 0x80000000, 0x80000001, 0xfffffff0, 0xfffffffc,
        0xfffffffe, 0xffffffff, 0x40000000, 0xc0000000,
    };

    return edges[n % COUNT(edges)];
}

static uint32_t entry(struct hvp_run *run, const struct hvp_vm *vm, uint32_t n)
{
    static const uint32_t rights[] = { 0xcf, 0xdf, 0xc7, 0xd7,
                                       0x01, 0x43, 0xd3, 0x5b };
    uint32_t              page = HVP_FIRST + n / 8 % vm->pages;

    return hvp_frame_number(run, vm, page) << PTE_PPN_SHIFT | rights[n % 8];
}

static uint32_t value(struct hvp_run *run, const struct hvp_vm *vm,
                      uint16_t arg)
{
    uint32_t n = hvp_number(arg), number;

    switch (hvp_form(arg)) {
    case HVP_STALE:
        if (hvp_past_get(&vm->given, n, &number))
            return number << PTE_PPN_SHIFT | 0xdf;
        return entry(run, vm, n);
    case HVP_BOUNDARY:
        return number_edge(n);
    case HVP_LIVE:
        if (n & 0x2000) /* an address, with its offset */
            return RAM_BASE + (n >> 5 & 0xff) % vm->pages * PAGE_SIZE +
                   hvp_offset(n);
        switch (n & 3) {
        case 0:
            return hvp_tag(run, vm->serial, n >> 2);
        case 1:
            return entry(run, vm, n >> 2);
        case 2:
            return RAM_BASE + (n >> 2) % vm->pages * PAGE_SIZE;
        default:
            return hvp_window_page(run, vm, n >> 2);
        }
    default:
        return n;
    }
}

static uint32_t root(const struct hvp_vm *vm, uint16_t arg)
{
    uint32_t n = hvp_number(arg);

    switch (hvp_form(arg)) {
    case HVP_BOUNDARY:
        return hvp_gfn_edge(vm, n) | (n & 1 ? SATP_MODE : 0);
    case HVP_LIVE:
        return SATP_MODE |
               (HVP_FIRST + (n & 1 ? HVP_PAGE_ROOT2 : HVP_PAGE_ROOT));
    case HVP_STALE:
        return SATP_MODE | (HVP_FIRST + n % vm->pages);
    default:
        return n == 0 ? 0 : SATP_MODE | (HVP_FIRST + n % (vm->pages + 1));
    }
}

/* Of a hypervisor for kernels; live: of those that every kernel has. */
static uint32_t csr(uint16_t arg)
{
    static const uint32_t kernels[] = {
        CSR_SSTATUS, CSR_SIE,    CSR_STVEC, CSR_SCOUNTEREN, CSR_SSCRATCH,
        CSR_SEPC,    CSR_SCAUSE, CSR_STVAL, CSR_SIP,        CSR_SATP,
        CSR_CYCLE,   CSR_TIME,   CSR_TIMEH, CSR_INSTRET,
    };
    static const uint32_t edges[] = {
        CSR_MSTATUS, CSR_MIE,   CSR_MEPC,     CSR_HSTATUS,
        CSR_HGATP,   CSR_VSATP, CSR_VSSTATUS, CSR_HVIP,
        CSR_MHARTID, CSR_MISA,  CSR_CYCLEH,   CSR_MCYCLE,
        CSR_MIDELEG, 0xfff,     0x001,        CSR_MTVEC,
    };
    uint32_t n = hvp_number(arg);

    switch (hvp_form(arg)) {
    case HVP_LITERAL:
        return n & 0xfff;
    case HVP_BOUNDARY:
        return edges[n % COUNT(edges)];
    default:
        return kernels[n % COUNT(kernels)];
    }
}

/* Extension in the high half of the index of a table, function below it. */
static uint32_t sbi(uint16_t arg)
{
    return hvp_number(arg);
}

static uint32_t rights(uint16_t arg)
{
    static const uint32_t usual[] = { 0xdf, 0xd7, 0xcf, 0xc7, 0xd3, 0xdb,
                                      0x5f, 0xf7, 0x17, 0x53, 0xd5, 0xdd };
    uint32_t              n = hvp_number(arg);

    if (hvp_form(arg) == HVP_LITERAL || hvp_form(arg) == HVP_STALE)
        return n & 0x3ff;
    return usual[n % COUNT(usual)];
}

static uint32_t small(uint16_t arg, uint32_t below)
{
    uint32_t n = hvp_number(arg);

    if (hvp_form(arg) == HVP_BOUNDARY)
        return number_edge(n);
    return n % below;
}

static uint32_t resolve(struct hvp_run *run, const struct hvp_vm *vm,
                        enum hvp_kind kind, uint16_t arg)
{
    uint32_t n = hvp_number(arg);

    switch (kind) {
    case HVP_KIND_GVA:
        return hvp_gva(run, vm, arg);
    case HVP_KIND_GPA:
        return hvp_gpa(vm, arg);
    case HVP_KIND_GFN:
        return hvp_gfn(vm, arg);
    case HVP_KIND_SLOT:
        return n % 64;
    case HVP_KIND_ROOT:
        return root(vm, arg);
    case HVP_KIND_RIGHTS:
        return rights(arg);
    case HVP_KIND_VALUE:
        return value(run, vm, arg);
    case HVP_KIND_INSN:
        return arg;
    case HVP_KIND_SIZE:
        return 1u << n % 3;
    case HVP_KIND_REG:
        return 1 + n % 31;
    case HVP_KIND_CSR:
        return csr(arg);
    case HVP_KIND_SBI:
        return sbi(arg);
    case HVP_KIND_CALL:
        return hvp_form(arg) == HVP_BOUNDARY ? number_edge(n) : n % 27;
    case HVP_KIND_VCPU:
        return small(arg, vm->vcpus + 1);
    case HVP_KIND_COUNT:
        return small(arg, 300);
    case HVP_KIND_LEVEL:
    case HVP_KIND_MODE:
        return n & 1;
    case HVP_KIND_FLAG:
        return n % 3;
    case HVP_KIND_STYLE:
        return n % HV_NR_STYLES;
    case HVP_KIND_SYNC:
        return n % HV_NR_SYNCS;
    case HVP_KIND_WEIGHT:
        return small(arg, 0x4000);
    case HVP_KIND_PERCENT:
        return small(arg, 801);
    case HVP_KIND_MASK:
        return small(arg, 4);
    case HVP_KIND_TIME:
        return small(arg, 0x4000);
    default:
        return 0;
    }
}

void hvp_resolve(struct hvp_run *run, struct hvp_act *act)
{
    const struct hvp_row *row = hvp_row(act->record->op);
    uint32_t              to[3];

    for (uint32_t i = 0; i < 3; i++)
        to[i] = resolve(run, act->vm, (enum hvp_kind)row->kind[i],
                        act->record->arg[i]);
    act->a = to[0];
    act->b = to[1];
    act->c = to[2];
}
