/* call.c - an ecall from the guest's kernel.
 *
 * The caller's convention is SBI's: extension in a7, function in a6, up to six
 * arguments, error back in a0 and value in a1. Arguments are copied in once,
 * here, before anything looks at them. An unknown number is an answer, not a
 * crime: the guest may be newer than we are, and may ask again. */
#include "hyp/call.h"
#include "hyp/hyp.h"

#define NR_ARGS 6

enum trap_action call_dispatch(struct vcpu *vcpu)
{
    struct regs   *regs = vcpu_regs(vcpu);
    uint32_t       ext = regs->x[REG_A7], fn = regs->x[REG_A6];
    uint32_t       arg[NR_ARGS];
    struct sbi_ret ret = { .error = SBI_ERR_NOT_SUPPORTED };
    bool           legacy = false, done = false;
    struct vm     *vm = vcpu->vm;

    for (uint32_t i = 0; i < NR_ARGS; i++)
        arg[i] = regs->x[REG_A0 + i];
    vcpu_step_over(vcpu); /* or we would serve it twice */
    if (ext == SBI_EXT_HV && vm->style->hypercalls) {
        vm->count.exit_hypercall++;
        ret = hypercall(vcpu, fn, arg, &done);
    } else {
        vm->count.exit_sbi++;
        sbi_call(vcpu, ext, fn, arg, &ret, &legacy);
    }
    if (vm_ended(vm))
        return TRAP_KILL;
    if (done)
        return TRAP_RESUME;
    if (ret.error == CALL_STARVED) {
        vcpu_regs(vcpu)->pc -= 4;
        return reclaim_wait(vcpu);
    }
    if (ret.error == CALL_AGAIN)
        return vcpu_again(vcpu);
    regs->x[REG_A0] = (uint32_t)ret.error;
    if (!legacy)
        regs->x[REG_A1] = ret.value;
    return TRAP_RESUME;
}
