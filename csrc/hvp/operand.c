/* operand.c - from the 16 bits of an operand to a number that means something.
 *
 * What is live or stale is looked up in the actor's own VM alone, so that no
 * VM's operations depend on what another one has. */
#include "abi/pv.h"
#include "abi/sbi.h"
#include "hvp/run.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

void hvp_past_add(struct hvp_past *past, uint32_t handle)
{
    past->handle[past->count++ % HVP_PAST] = handle;
}

static bool past_get(const struct hvp_past *past, uint32_t n, uint32_t *handle)
{
    uint32_t kept = past->count < HVP_PAST ? past->count : HVP_PAST;

    if (kept)
        *handle = past->handle[n % kept];
    return kept;
}

/* --- addresses ------------------------------------------------------------------ */

/* Five bits: mostly words, also what crosses or is not aligned. */
static uint32_t offset(uint32_t n)
{
    static const uint32_t odd[] = { 1, 2, 3, 4094, 4092, 4088 };

    n &= 31;
    return n < 26 ? 4 * n : odd[n - 26];
}

/* In the actor's tables as they are: the n-th page of the window with V. */
static uint32_t window_page(struct hvp_run *run, const struct hvp_vm *vm,
                            uint32_t n)
{
    for (uint32_t i = 0; i < HVP_WINDOWED; i++) {
        uint32_t slot = (n + i) % HVP_WINDOWED;

        if (hvp_peek(run, vm, hvp_place(slot).gpa) & PTE_V)
            return hvp_place(slot).gva;
    }
    return HVP_WINDOW;
}

static uint32_t edge_of_vm(const struct hvp_vm *vm, uint32_t n)
{
    const uint32_t end = RAM_BASE + vm->pages * PAGE_SIZE;
    const uint32_t edges[] = {
        0,
        RAM_BASE - 4,
        RAM_BASE,
        end - 4,
        end,
        end + PAGE_SIZE,
        UART_BASE,
        UART_BASE + 5,
        PLIC_BASE + 0x1000,
        CLINT_BASE,
        VIRTIO_BASE,
        0xfffffffc,
        0xfffff000,
        HVP_WINDOW - 4,
        HVP_WINDOW + MEGAPAGE_SIZE - 4,
        RAM_BASE + MEGAPAGE_SIZE - 4,
        end - 2,
        0x7ffffffc,
        RAM_BASE + HVP_PAGE_SHARED * PAGE_SIZE,
        RAM_BASE + HVP_PAGE_ROOT * PAGE_SIZE,
    };

    return edges[n % COUNT(edges)];
}

static uint32_t gva(struct hvp_run *run, const struct hvp_vm *vm, uint16_t arg)
{
    uint32_t n = hvp_number(arg), page = n >> 5 & 0xff, va;

    switch (hvp_form(arg)) {
    case HVP_STALE:
        if (past_get(&vm->unmapped, page, &va))
            return va | offset(n);
        return window_page(run, vm, page) | offset(n);
    case HVP_LIVE:
        return window_page(run, vm, page) | offset(n);
    case HVP_BOUNDARY:
        return edge_of_vm(vm, n);
    default:
        va = n & 0x2000 ? HVP_WINDOW : RAM_BASE;
        return va + page % (vm->pages + 1) * PAGE_SIZE + offset(n);
    }
}

static uint32_t gfn_edge(const struct hvp_vm *vm, uint32_t n)
{
    const uint32_t edges[] = {
        HVP_FIRST - 1,
        HVP_FIRST + vm->pages,
        HVP_FIRST + vm->pages - 1,
        0,
        0xfffff,
        0x100000,
        0x3fffff,
        UART_BASE >> PAGE_SHIFT,
        PLIC_BASE >> PAGE_SHIFT,
        0x100000 | HVP_FIRST,
        0xffffffff,
        HVP_FIRST + HVP_PAGE_SHARED,
        HVP_FIRST + HVP_PAGE_ROOT,
        HVP_FIRST & ~0x3ffu,
        HVP_FIRST + 0x400,
    };

    return edges[n % COUNT(edges)];
}

static uint32_t gfn(const struct hvp_vm *vm, uint16_t arg)
{
    uint32_t n = hvp_number(arg), number;

    switch (hvp_form(arg)) {
    case HVP_STALE:
        if (past_get(n & 1 ? &vm->given : &vm->unpinned, n >> 1, &number))
            return number;
        return HVP_FIRST + n % vm->pages;
    case HVP_BOUNDARY:
        return gfn_edge(vm, n);
    case HVP_LIVE:
        return HVP_FIRST + HVP_PAGE_DATA + n % (vm->pages - HVP_PAGE_DATA);
    default:
        return HVP_FIRST + n % vm->pages;
    }
}

static uint32_t gpa(const struct hvp_vm *vm, uint16_t arg)
{
    if (hvp_form(arg) == HVP_BOUNDARY)
        return edge_of_vm(vm, hvp_number(arg));
    uint32_t n = hvp_number(arg);

    if (hvp_form(arg) == HVP_LIVE)
        return (gfn(vm, (uint16_t)(arg & 0xc000) | (uint16_t)(n >> 5))
                << PAGE_SHIFT);
    return gfn(vm, (uint16_t)((arg & 0xc000) | (n >> 5))) << PAGE_SHIFT |
           offset(n);
}

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
        if (past_get(&vm->given, n, &number))
            return number << PTE_PPN_SHIFT | 0xdf;
        return entry(run, vm, n);
    case HVP_BOUNDARY:
        return number_edge(n);
    case HVP_LIVE:
        switch (n & 3) {
        case 0:
            return hvp_tag(run, vm->serial, n >> 2);
        case 1:
            return entry(run, vm, n >> 2);
        case 2:
            return RAM_BASE + (n >> 2) % vm->pages * PAGE_SIZE;
        default:
            return window_page(run, vm, n >> 2);
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
        return gfn_edge(vm, n) | (n & 1 ? SATP_MODE : 0);
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
        return gva(run, vm, arg);
    case HVP_KIND_GPA:
        return gpa(vm, arg);
    case HVP_KIND_GFN:
        return gfn(vm, arg);
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
