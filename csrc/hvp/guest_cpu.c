/* guest_cpu.c - what a guest's kernel does with the processor. */
#include "abi/pv.h"
#include "abi/sbi.h"
#include "hvp/run.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

#define CSRRW(csr) ((csr) << 20 | 6u << 15 | 1u << 12 | 7u << 7 | 0x73u)
#define CSRRS(csr) ((csr) << 20 | 2u << 12 | 7u << 7 | 0x73u)

/* --- privilege: P14 --------------------------------------------------------------- */

/* It was illegal where it stood: that exception, and nothing else. */
static void must_be_illegal(struct hvp_run *run, struct hvp_act *act,
                            uint32_t insn)
{
    if (!run->last.done || !hvp_live(run, act->vm))
        return;
    run->out->checks++;
    if (!run->last.trapped)
        hvp_fail(run, "P14", "instruction %#x was executed in %s mode",
                 (unsigned)insn, act->kernel ? "kernel" : "user");
    else if (run->last.cause != CAUSE_ILLEGAL || run->last.tval != insn)
        hvp_fail(run, "P14", "illegal instruction %#x: exception %u of %#x",
                 (unsigned)insn, (unsigned)run->last.cause,
                 (unsigned)run->last.tval);
}

/* The supervisor's CSRs: those that TRV32 has, and a VM does. */
static bool is_kernels(uint32_t csr)
{
    static const uint32_t known[] = {
        CSR_SSTATUS, CSR_SIE,    CSR_STVEC, CSR_SCOUNTEREN, CSR_SSCRATCH,
        CSR_SEPC,    CSR_SCAUSE, CSR_STVAL, CSR_SIP,        CSR_SATP,
    };

    for (uint32_t i = 0; i < COUNT(known); i++)
        if (known[i] == csr)
            return true;
    return false;
}

static bool csr_illegal(const struct hvp_act *act, uint32_t csr, bool write)
{
    if (hvp_is_counter(csr))
        return write;
    return !act->kernel || act->vm->pv || !is_kernels(csr);
}

static void csr(struct hvp_run *run, struct hvp_act *act, bool write)
{
    uint32_t num = act->a & 0xfff, insn = write ? CSRRW(num) : CSRRS(num);
    uint32_t slot = HVP_SLOT_CSR + act->vcpu;

    if (!hvp_patch(run, act, slot, insn))
        return;
    bool sure = hvp_expect_fetch(run, act, slot, insn);

    hvp_do(run, act, slot, 0, act->b);
    if (sure && csr_illegal(act, num, write))
        must_be_illegal(run, act, insn);
    else if (write && num == CSR_SATP)
        hvp_owe(act->vm, false, 0);
}

void hvp_op_do_csr_write(struct hvp_run *run, struct hvp_act *act)
{
    csr(run, act, true);
}

void hvp_op_do_csr_read(struct hvp_run *run, struct hvp_act *act)
{
    csr(run, act, false);
}

/* --- address spaces ----------------------------------------------------------------- */

void hvp_op_do_set_satp(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_act kernel = *act;
    uint32_t       slot = HVP_SLOT_CSR + act->vcpu;
    uint32_t       root = act->a & SATP_PPN_MASK;
    uint32_t       arg[4] = { act->a };
    int32_t        error;

    kernel.kernel = true;
    if (act->vm->style == HV_STYLE_DIRECT) {
        arg[0] = act->a ? root << PAGE_SHIFT : 0;
        arg[1] = act->a ? RAM_BASE + HVP_PAGE_ROOT2 * PAGE_SIZE : 0;
        hvp_call(run, &kernel, SBI_EXT_HV, HCALL_set_roots, arg, &error);
    } else if (act->vm->pv) {
        hvp_call(run, &kernel, SBI_EXT_HV, HCALL_set_root, arg, &error);
    } else if (hvp_patch(run, act, slot, CSRRW(CSR_SATP))) {
        hvp_do(run, &kernel, slot, 0, act->a);
    }
    hvp_table_add(act->vm, root);
    hvp_owe(act->vm, false, 0);
}

/* --- returning ------------------------------------------------------------------------ */

static bool shared_put(struct hvp_run *run, const struct hvp_act *act,
                       const struct vcpu *vcpu, uint32_t field, uint32_t val)
{
    return hv_mem_write(run->host, act->vm->id, vcpu->pv.shared.raw + field,
                        &val, 4) == HV_OK;
}

static void iret(struct hvp_run *run, struct hvp_act *act, struct vcpu *vcpu)
{
    uint32_t arg[4] = { 0 };
    int32_t  error;

    if (vcpu->pv.shared_set && shared_put(run, act, vcpu, SI_EPC, act->a) &&
        shared_put(run, act, vcpu, SI_PREV, act->b ? PV_PREV_KERNEL : 0))
        hvp_call(run, act, SBI_EXT_HV, HCALL_iret, arg, &error);
}

static void sret(struct hvp_run *run, struct hvp_act *act, bool sure)
{
    uint32_t vm = act->vm->id, status;

    if (hv_reg_get(run->host, vm, act->vcpu, HV_REG_CSR + CSR_SSTATUS,
                   &status) != HV_OK)
        return;
    status &= ~(uint32_t)MSTATUS_SPP;
    status |= act->b ? MSTATUS_SPP : 0;
    hv_reg_set(run->host, vm, act->vcpu, HV_REG_CSR + CSR_SSTATUS, status);
    hv_reg_set(run->host, vm, act->vcpu, HV_REG_CSR + CSR_SEPC, act->a);
    hvp_do(run, act, HVP_SLOT_SRET, 0, 0);
    if (sure && !act->kernel)
        must_be_illegal(run, act, hvp_code(HVP_SLOT_SRET));
}

void hvp_op_do_sret(struct hvp_run *run, struct hvp_act *act)
{
    struct vm *vm = hvp_live(run, act->vm);

    if (!vm)
        return;
    struct vcpu *vcpu = &vm->vcpu[act->vcpu];
    uint32_t     slot = act->vm->pv ? HVP_SLOT_ECALL : HVP_SLOT_SRET;
    bool         sure = hvp_expect_fetch(run, act, slot, hvp_code(slot));

    if (act->vm->pv)
        iret(run, act, vcpu);
    else
        sret(run, act, sure);
    vm = hvp_live(run, act->vm);
    if (!vm || !sure || !act->kernel || !run->last.done || run->last.trapped ||
        run->disturbed)
        return;
    if (act->vm->pv && (!vcpu->pv.shared_set || /* as far as memory went */
                        hvp_overwritten(vm, vcpu)))
        return;
    vcpu_pull(vcpu);
    run->out->checks++;
    if (vcpu_regs(vcpu)->pc != (act->a & ~3u) ||
        vcpu->mode != (act->b ? PRIV_S : PRIV_U) ||
        (!act->vm->pv && (vcpu->csr.sstatus & MSTATUS_SPP)))
        hvp_fail(run, "P13",
                 "return to %#x, mode %u: at %#x, mode %u (or SPP stays)",
                 (unsigned)act->a, (unsigned)act->b,
                 (unsigned)vcpu_regs(vcpu)->pc, (unsigned)vcpu->mode);
}

/* --- waiting, timers, calls of the SBI ------------------------------------------------- */

void hvp_op_do_wfi(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t arg[4] = { 0 };
    int32_t  error;

    if (act->vm->pv)
        hvp_call(run, act, SBI_EXT_HV, HCALL_block, arg, &error);
    else
        hvp_do(run, act, HVP_SLOT_WFI, 0, 0);
}

void hvp_op_do_ecall(struct hvp_run *run, struct hvp_act *act)
{
    static const uint32_t extensions[] = {
        SBI_EXT_BASE,
        SBI_EXT_TIME,
        SBI_EXT_IPI,
        SBI_EXT_RFNC,
        SBI_EXT_HSM,
        SBI_EXT_DBCN,
        SBI_EXT_STA,
        SBI_EXT_SRST,
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        0x12345678,
        SBI_EXT_DBCN,
        SBI_EXT_HSM,
    };
    uint32_t ext = extensions[act->a / 8 % COUNT(extensions)];
    uint32_t arg[4] = { act->b, act->c, act->b, act->c };
    int32_t  error;

    /* Upper half of an address, flags: what is not 0 is wrong. */
    if (ext == SBI_EXT_DBCN || ext == SBI_EXT_STA)
        arg[2] = arg[3] = 0;
    act->vm->clocked |= ext == SBI_EXT_STA;
    uint64_t before = hvp_abstract_before(run, act);

    if (hvp_call(run, act, ext, act->a % 8, arg, &error) && error < 0 &&
        ext > SBI_LEGACY_SHUTDOWN)
        hvp_abstract_check(run, act, before, act->a, error);
    hvp_owe_unknown(act->vm);
}

void hvp_op_do_timer(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t low = 0, high = 0;
    int32_t  error;

    hv_reg_get(run->host, act->vm->id, act->vcpu, HV_REG_CSR + CSR_TIME, &low);
    hv_reg_get(run->host, act->vm->id, act->vcpu, HV_REG_CSR + CSR_TIMEH,
               &high);
    uint64_t when = (low | (uint64_t)high << 32) + act->a;
    uint32_t arg[4] = { (uint32_t)when, (uint32_t)(when >> 32) };
    bool back = act->vm->pv ? hvp_call(run, act, SBI_EXT_HV, HCALL_set_timer,
                                       arg, &error)
                            : hvp_call(run, act, SBI_EXT_TIME, SBI_TIME_SET,
                                       arg, &error);
    struct vm *vm = hvp_live(run, act->vm);

    /* Else what time it is stays there, and what comes next may use it. */
    for (uint32_t i = 0; vm && !back && i < 2; i++)
        vcpu_regs(&vm->vcpu[act->vcpu])->x[REG_A0 + i] = 0;
}

/* The vCPUs that have one pending, as a mask; those that are off have none. */
static uint32_t software_interrupts(struct hvp_run       *run,
                                    const struct hvp_act *act)
{
    struct vm *vm = hvp_live(run, act->vm);
    uint32_t   mask = 0;

    for (uint32_t i = 0; vm && i < vm->config.nr_vcpus; i++) {
        if (vm->vcpu[i].state == VCPU_STOPPED)
            mask |= 1u << i;
        vcpu_pull(&vm->vcpu[i]);
        if ((vcpu_sip(&vm->vcpu[i]) | vm->vcpu[i].raised) & MIP_SSIP)
            mask |= 1u << i;
    }
    return mask;
}

void hvp_op_do_ipi(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t arg[4] = { act->a < 32 ? 1u << act->a : act->a };
    uint32_t before = software_interrupts(run, act);
    int32_t  error;

    if (!hvp_call(run, act, SBI_EXT_IPI, SBI_IPI_SEND, arg, &error) || error)
        return;
    uint32_t after = software_interrupts(run, act), own = 1u << act->vcpu;
    uint32_t there = (1u << act->vm->vcpus) - 1;

    run->out->checks++;
    if ((after ^ (before | arg[0])) & there & ~own)
        hvp_fail(run, "P31", "an IPI for %#x: it is pending in %#x, was in %#x",
                 (unsigned)arg[0], (unsigned)after, (unsigned)before);
    else if (!(arg[0] & own) && (after & ~before & own))
        hvp_fail(run, "P31", "an IPI for %#x came to its sender",
                 (unsigned)arg[0]);
}
