/* sbi.c - the standard SBI calls, served to every guest kernel.
 *
 * What the firmware does on a bare machine. Source: RISC-V Supervisor Binary
 * Interface Specification 2.0; chapter numbers stand beside the extensions. */
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/hyp.h"
#include "hyp/trace.h"
#include "sched/sched.h"
#include "sched/timer.h"

#define OK(v)  ((struct sbi_ret){ SBI_SUCCESS, (v) })
#define ERR(e) ((struct sbi_ret){ (e), 0 })

static uint64_t wide(const uint32_t *arg)
{
    return arg[0] | (uint64_t)arg[1] << 32;
}

/* 4. Base */
static bool has_extension(uint32_t ext)
{
    static const uint32_t known[] = {
        SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI,  SBI_EXT_RFNC,
        SBI_EXT_HSM,  SBI_EXT_SRST, SBI_EXT_DBCN,
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i] == ext)
            return true;
    return ext <= SBI_LEGACY_SHUTDOWN;
}

static struct sbi_ret sbi_base(struct vcpu *vcpu, uint32_t fn,
                               const uint32_t *arg)
{
    switch (fn) {
    case SBI_BASE_SPEC_VERSION:
        return OK(SBI_SPEC_VERSION);
    case SBI_BASE_IMPL_ID:
        return OK(SBI_IMPL_HV);
    case SBI_BASE_IMPL_VERSION:
        return OK(1);
    case SBI_BASE_PROBE:
        return OK(has_extension(arg[0]) ||
                  ((arg[0] == SBI_EXT_HV || arg[0] == SBI_EXT_STA) &&
                   vcpu->vm->style->hypercalls));
    case SBI_BASE_MVENDORID:
    case SBI_BASE_MARCHID:
    case SBI_BASE_MIMPID:
        return OK(0);
    default:
        return ERR(SBI_ERR_NOT_SUPPORTED);
    }
}

/* A hart mask and its base (3.1): every hart it names must exist. */
static bool mask_valid(const struct vm *vm, uint32_t mask, uint32_t base)
{
    uint32_t n = vm->config.nr_vcpus;

    if (base == UINT32_MAX || mask == 0)
        return true;
    return base < n && mask >> (n - base - 1) >> 1 == 0;
}

static bool mask_has(uint32_t mask, uint32_t base, uint32_t id)
{
    return base == UINT32_MAX ||
           (id >= base && id - base < 32 && (mask >> (id - base) & 1));
}

/* 7. IPI */
static struct sbi_ret send_ipi(struct vcpu *vcpu, uint32_t mask, uint32_t base)
{
    struct vm *vm = vcpu->vm;

    if (!mask_valid(vm, mask, base))
        return ERR(SBI_ERR_INVALID_PARAM);
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        if (!mask_has(mask, base, i) || vm->vcpu[i].state == VCPU_STOPPED)
            continue;
        trace(vcpu->on, EVENT_ipi, vcpu, i);
        vcpu_raise(&vm->vcpu[i], MIP_SSIP);
    }
    return OK(0);
}

static struct sbi_ret fence(struct vcpu *vcpu, bool one_page, uint32_t start)
{
    return vcpu_fence(vcpu, one_page, (gva_t){ start }) ? OK(0)
                                                        : ERR(CALL_AGAIN);
}

/* 8. RFENCE. Shadows are the whole VM's, so fencing one vCPU fences all; an
 * address range larger than a few pages is fenced as everything. */
static struct sbi_ret remote_fence(struct vcpu *vcpu, uint32_t fn,
                                   const uint32_t *arg)
{
    uint32_t start = arg[2], size = arg[3];

    if (fn > SBI_RFNC_SFENCE_ASID)
        return ERR(SBI_ERR_NOT_SUPPORTED);
    if (!mask_valid(vcpu->vm, arg[0], arg[1]))
        return ERR(SBI_ERR_INVALID_PARAM);
    if (fn != SBI_RFNC_FENCE_I)
        return fence(vcpu, size == PAGE_SIZE && start % PAGE_SIZE == 0, start);
    hal_fence_i(vcpu->on);
    return OK(0);
}

/* 9. HSM */
static struct sbi_ret hart_start(struct vcpu *vcpu, const uint32_t *arg)
{
    struct vm *vm = vcpu->vm;

    if (arg[0] >= vm->config.nr_vcpus)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (vm->vcpu[arg[0]].state != VCPU_STOPPED)
        return ERR(SBI_ERR_ALREADY_AVAILABLE);
    if (arg[1] % 4 != 0 || !vm_owns(vm, (gpa_t){ arg[1] }, 4))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    vcpu_start(&vm->vcpu[arg[0]], arg[1], arg[0], arg[2], 0);
    return OK(0);
}

static struct sbi_ret sbi_hsm(struct vcpu *vcpu, uint32_t fn,
                              const uint32_t *arg)
{
    struct vm *vm = vcpu->vm;

    switch (fn) {
    case SBI_HSM_START:
        return hart_start(vcpu, arg);
    case SBI_HSM_STOP:
        vcpu_stop(vcpu);
        return OK(0);
    case SBI_HSM_STATUS:
        if (arg[0] >= vm->config.nr_vcpus)
            return ERR(SBI_ERR_INVALID_PARAM);
        return OK(vm->vcpu[arg[0]].state == VCPU_STOPPED ? SBI_HSM_STOPPED
                                                         : SBI_HSM_STARTED);
    case SBI_HSM_SUSPEND:
        if (arg[0] != 0) /* only the retentive default: a wfi */
            return ERR(SBI_ERR_NOT_SUPPORTED);
        vcpu_block(vcpu);
        return OK(0);
    default:
        return ERR(SBI_ERR_NOT_SUPPORTED);
    }
}

/* 10. System reset. The exit code of a shutdown is 0, or 1 for a failure. */
static struct sbi_ret sbi_srst(struct vm *vm, uint32_t fn, const uint32_t *arg)
{
    if (fn != SBI_SRST_RESET)
        return ERR(SBI_ERR_NOT_SUPPORTED);
    if (arg[0] > SBI_SRST_WARM_REBOOT || arg[1] > SBI_SRST_REASON_FAILURE)
        return ERR(SBI_ERR_INVALID_PARAM);
    bool reset = arg[0] != SBI_SRST_SHUTDOWN;
    vm_off(vm, reset ? 0 : arg[1], reset);
    return OK(0);
}

/* 12. Debug console. Addresses are two words; ours have one. */
static struct sbi_ret sbi_dbcn(struct vcpu *vcpu, uint32_t fn,
                               const uint32_t *arg)
{
    if (fn == SBI_DBCN_WRITE_BYTE) {
        hal_console_put(vcpu->vm->hyp->hal, vcpu->vm->id, (uint8_t)arg[0]);
        return OK(0);
    }
    if (fn != SBI_DBCN_WRITE && fn != SBI_DBCN_READ)
        return ERR(SBI_ERR_NOT_SUPPORTED);
    if (arg[2] != 0 || !vm_spans(vcpu->vm, (gpa_t){ arg[1] }, arg[0]))
        return ERR(SBI_ERR_INVALID_PARAM);
    if (fn == SBI_DBCN_WRITE)
        return console_write(vcpu, (gpa_t){ arg[1] }, arg[0]);
    return console_read(vcpu, (gpa_t){ arg[1] }, arg[0]);
}

/* These name their harts by a mask in memory, at a virtual address; 0 means
 * all. Its first word is enough for eight harts. */
static bool legacy_mask(struct vcpu *vcpu, gva_t va, uint32_t *mask)
{
    uint32_t all = (1u << vcpu->vm->config.nr_vcpus) - 1;

    *mask = all;
    if (va.raw == 0)
        return true;
    if (va.raw % 4 != 0)
        return false;
    struct walk walk = walk_guest(vcpu, va, ACCESS_LOAD);
    if (walk.status != WALK_OK || !vm_read32(vcpu->vm, walk.pa, mask))
        return false;
    *mask &= all;
    return true;
}

static struct sbi_ret legacy_masked(struct vcpu *vcpu, uint32_t ext, gva_t va)
{
    uint32_t mask;

    if (!legacy_mask(vcpu, va, &mask))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    if (ext == SBI_LEGACY_SEND_IPI)
        return send_ipi(vcpu, mask, 0);
    if (ext != SBI_LEGACY_FENCE_I)
        return fence(vcpu, false, 0);
    hal_fence_i(vcpu->on);
    return OK(0);
}

/* 5. Legacy: the return value is in a0 alone. */
static struct sbi_ret sbi_legacy(struct vcpu *vcpu, uint32_t ext,
                                 const uint32_t *arg)
{
    struct vm *vm = vcpu->vm;

    switch (ext) {
    case SBI_LEGACY_SET_TIMER:
        timer_ask(vcpu, wide(arg));
        break;
    case SBI_LEGACY_PUTCHAR:
        hal_console_put(vm->hyp->hal, vm->id, (uint8_t)arg[0]);
        break;
    case SBI_LEGACY_GETCHAR:
        return (struct sbi_ret){ hal_console_get(vm->hyp->hal, vm->id), 0 };
    case SBI_LEGACY_CLEAR_IPI:
        vcpu->csr.sip &= ~(uint32_t)MIP_SSIP;
        break;
    case SBI_LEGACY_SEND_IPI:
    case SBI_LEGACY_FENCE_I:
    case SBI_LEGACY_SFENCE:
    case SBI_LEGACY_SFENCE_ASID:
        return legacy_masked(vcpu, ext, (gva_t){ arg[0] });
    case SBI_LEGACY_SHUTDOWN:
        vm_off(vm, 0, false);
        break;
    }
    return OK(0);
}

void sbi_call(struct vcpu *vcpu, uint32_t ext, uint32_t fn, const uint32_t *arg,
              struct sbi_ret *ret, bool *legacy)
{
    *legacy = ext <= SBI_LEGACY_SHUTDOWN;
    *ret = ERR(SBI_ERR_NOT_SUPPORTED);
    if (*legacy) {
        *ret = sbi_legacy(vcpu, ext, arg);
        return;
    }
    switch (ext) {
    case SBI_EXT_BASE:
        *ret = sbi_base(vcpu, fn, arg);
        break;
    case SBI_EXT_TIME:
        if (fn == SBI_TIME_SET) {
            timer_ask(vcpu, wide(arg));
            *ret = OK(0);
        }
        break;
    case SBI_EXT_IPI:
        if (fn == SBI_IPI_SEND)
            *ret = send_ipi(vcpu, arg[0], arg[1]);
        break;
    case SBI_EXT_RFNC:
        *ret = remote_fence(vcpu, fn, arg);
        break;
    case SBI_EXT_HSM:
        *ret = sbi_hsm(vcpu, fn, arg);
        break;
    case SBI_EXT_SRST:
        *ret = sbi_srst(vcpu->vm, fn, arg);
        break;
    case SBI_EXT_DBCN:
        *ret = sbi_dbcn(vcpu, fn, arg);
        break;
    case SBI_EXT_STA:
        if (fn == SBI_STA_SET_SHMEM && vcpu->vm->style->hypercalls)
            *ret = steal_set(vcpu, arg);
        break;
    }
}
