/* state.c - a guest's memory and registers, from outside. */
#include "api/host.h"
#include "hyp/vcsr.h"

int hv_mem_read(hv_host *host, uint32_t id, uint32_t gpa, void *to, size_t len)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK || (!to && len))
        return status != HV_OK ? status : HV_ERR_INVALID;
    if (len > UINT32_MAX)
        return HV_ERR_ADDRESS;
    if (!vm)
        return machine_ram_read(host->machine, gpa, to, (uint32_t)len)
                   ? HV_OK
                   : HV_ERR_ADDRESS;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    return vm_read(vm, (gpa_t){ gpa }, to, (uint32_t)len) ? HV_OK
                                                          : HV_ERR_ADDRESS;
}

/* Nobody can wait for memory here, so pages are looked for that are equal. */
static int vm_store(hv_host *host, struct vm *vm, gpa_t gpa, const void *from,
                    uint32_t len)
{
    struct hyp     *hyp = &host->hal.hyp;
    uint32_t        merged = 0;
    enum p2m_result ready = vm_ready(vm, NULL, gpa, len);

    if (ready == P2M_EXHAUSTED) {
        hyp_work_begin(&host->hal.pcpu[0]);
        share_scan(hyp, &host->hal.pcpu[0], SHARE_ROUND, &merged);
        hyp_work_end(&host->hal.pcpu[0]);
        ready = vm_ready(vm, NULL, gpa, len);
    }
    if (ready == P2M_OK)
        vm_write(vm, NULL, gpa, from, len);
    hyp_refresh(hyp);
    /* A page table of style `direct` changes by its guest's calls only. */
    if (ready == P2M_OUTSIDE)
        return vm_owns(vm, gpa, len) ? HV_ERR_STATE : HV_ERR_ADDRESS;
    return ready == P2M_OK ? HV_OK : HV_ERR_NO_MEMORY;
}

int hv_mem_write(hv_host *host, uint32_t id, uint32_t gpa, const void *from,
                 size_t len)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK || (!from && len))
        return status != HV_OK ? status : HV_ERR_INVALID;
    if (len > UINT32_MAX)
        return HV_ERR_ADDRESS;
    if (!vm)
        return machine_ram_write(host->machine, gpa, from, (uint32_t)len)
                   ? HV_OK
                   : HV_ERR_ADDRESS;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    return vm_store(host, vm, (gpa_t){ gpa }, from, (uint32_t)len);
}

static int bare_get(struct hart *hart, uint32_t reg, uint32_t *out)
{
    if (reg < 32)
        *out = hart->regs.x[reg];
    else if (reg == HV_REG_PC)
        *out = hart->regs.pc;
    else if (reg == HV_REG_PRIV)
        *out = hart->priv;
    else if (reg < HV_REG_CSR || !hart_csr_read(hart, reg - HV_REG_CSR, out))
        return HV_ERR_INVALID;
    return HV_OK;
}

static int bare_set(hv_host *host, struct hart *hart, uint32_t reg,
                    uint32_t val)
{
    /* Native M-mode is ours: a guest is never left in it. */
    bool native = host->config.m_mode != HV_M_CODE;

    if (reg < 32)
        hart->regs.x[reg] = reg ? val : 0;
    else if (reg == HV_REG_PC && val % 4 == 0)
        hart->regs.pc = val;
    else if (reg == HV_REG_PRIV &&
             (val == PRIV_U || val == PRIV_S || (val == PRIV_M && !native)))
        hart_set_priv(hart, val);
    else if (reg < HV_REG_CSR || !hart_csr_write(hart, reg - HV_REG_CSR, val))
        return HV_ERR_INVALID;
    return HV_OK;
}

static int vcpu_get(hv_host *host, struct vcpu *vcpu, uint32_t reg,
                    uint32_t *out)
{
    struct regs *regs = vcpu_regs(vcpu);

    vcpu_pull(vcpu);
    if (reg < 32)
        *out = regs->x[reg];
    else if (reg == HV_REG_PC)
        *out = regs->pc;
    else if (reg == HV_REG_PRIV)
        *out = vcpu->mode;
    else if (reg == HV_REG_CSR + CSR_INSTRET)
        *out = (uint32_t)host_vcpu_insns(host, vcpu);
    else if (reg == HV_REG_CSR + CSR_INSTRETH)
        *out = (uint32_t)(host_vcpu_insns(host, vcpu) >> 32);
    else if (reg < HV_REG_CSR || !vcsr_read(vcpu, reg - HV_REG_CSR, out))
        return HV_ERR_INVALID;
    return HV_OK;
}

static bool vcpu_change(struct vcpu *vcpu, uint32_t reg, uint32_t val)
{
    struct regs *regs = vcpu_regs(vcpu);

    if (reg < 32)
        regs->x[reg] = reg ? val : 0;
    else if (reg == HV_REG_PC && val % 4 == 0)
        regs->pc = val;
    else if (reg == HV_REG_PRIV && (val == PRIV_U || val == PRIV_S))
        vcpu->mode = val;
    else if (reg == HV_REG_CSR + CSR_SATP && vcpu->vm->style->direct)
        return false; /* it has roots instead, and says which by itself */
    else
        return reg >= HV_REG_CSR && vcsr_write(vcpu, reg - HV_REG_CSR, val);
    return true;
}

static int vcpu_set(struct vcpu *vcpu, uint32_t reg, uint32_t val)
{
    vcpu_leave_world(vcpu);
    bool done = vcpu_change(vcpu, reg, val);
    /* Its mode or address space may be another now. */
    if (vcpu->on)
        vcpu_enter_world(vcpu);
    vcpu_kick(vcpu);
    return done ? HV_OK : HV_ERR_INVALID;
}

static int vcpu_set_guarded(hv_host *host, struct vcpu *vcpu, uint32_t reg,
                            uint32_t val)
{
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    return vcpu_set(vcpu, reg, val);
}

int hv_reg_get(hv_host *host, uint32_t id, uint32_t n, uint32_t reg,
               uint32_t *out)
{
    struct vm *vm;
    int        status = host_vcpu(host, id, n, &vm);

    if (status != HV_OK || !out)
        return status != HV_OK ? status : HV_ERR_INVALID;
    if (!vm)
        return bare_get(machine_hart(host->machine, n), reg, out);
    return vcpu_get(host, &vm->vcpu[n], reg, out);
}

int hv_reg_set(hv_host *host, uint32_t id, uint32_t n, uint32_t reg,
               uint32_t val)
{
    struct vm *vm;
    int        status = host_vcpu(host, id, n, &vm);

    if (status != HV_OK)
        return status;
    if (!vm)
        return bare_set(host, machine_hart(host->machine, n), reg, val);
    return vcpu_set_guarded(host, &vm->vcpu[n], reg, val);
}

int hv_translate(hv_host *host, uint32_t id, uint32_t n, uint32_t gva,
                 int access, uint32_t *gpa, int *fault)
{
    struct vm *vm;
    int        status = host_vcpu(host, id, n, &vm);

    if (status != HV_OK)
        return status;
    if (!gpa || !fault || access < HV_FETCH || access > HV_STORE)
        return HV_ERR_INVALID;
    *gpa = 0;
    if (!vm) {
        *fault = hart_translate(machine_hart(host->machine, n), gva,
                                (enum access)access, gpa);
        return HV_OK;
    }
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    vcpu_pull(&vm->vcpu[n]);
    struct walk walk = walk_peek(&vm->vcpu[n], (gva_t){ gva },
                                 (enum access)access);
    *fault = -1;
    if (walk.status == WALK_OK)
        *gpa = walk.pa.raw;
    else
        *fault = (int)walk_cause(walk.status, (enum access)access);
    return HV_OK;
}

int hv_counters(hv_host *host, uint32_t id, int group, uint64_t *out,
                uint32_t n)
{
    struct vm *vm;

    if (!host || !out || n < hv_counter_count(group))
        return HV_ERR_INVALID;
    if (group == HV_COUNTERS_HART) {
        struct hart *hart = machine_hart(host->machine, id);

        if (id >= host->config.harts)
            return HV_ERR_INVALID;
#define COUNTER(name, doc) *out++ = hart->count.name;
#include "machine/counters.def"
        *out++ = hart->cycle;
        *out++ = hart->instret;
        return HV_OK;
    }
    if (group != HV_COUNTERS_VM)
        return HV_ERR_INVALID;
    int status = host_guest(host, id, &vm);
    if (status != HV_OK)
        return status;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
#undef COUNTER
#define COUNTER(name, doc) *out++ = vm->count.name;
#include "hyp/counters.def"
#undef COUNTER
    return HV_OK;
}
