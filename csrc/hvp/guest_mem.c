/* guest_mem.c - what a guest does with memory. */
#include "hvp/run.h"

static bool writes(struct hvp_run *run, struct hvp_act *act,
                   const struct hvp_expect *expect)
{
    if (!run->last.done || run->last.trapped)
        return false;
    hvp_owe_if_table(run, act->vm, expect->data.gpa);
    return true;
}

void hvp_op_do_nop(struct hvp_run *run, struct hvp_act *act)
{
    (void)run;
    (void)act;
}

void hvp_op_do_load(struct hvp_run *run, struct hvp_act *act)
{
    static const uint32_t slots[] = { 0, HVP_SLOT_LOAD1, HVP_SLOT_LOAD2, 0,
                                      HVP_SLOT_LOAD4 };
    struct hvp_expect     expect;

    hvp_expect(run, act, slots[act->b], act->a, act->b, ACCESS_LOAD, &expect);
    hvp_do(run, act, slots[act->b], act->a, 0);
    if (hvp_expect_check(run, act, &expect))
        hvp_expect_value(run, &expect, hvp_reg(run, act, 6));
}

void hvp_op_do_store(struct hvp_run *run, struct hvp_act *act)
{
    static const uint32_t slots[] = { 0, HVP_SLOT_STORE1, HVP_SLOT_STORE2, 0,
                                      HVP_SLOT_STORE4 };
    struct hvp_expect     expect;

    hvp_expect(run, act, slots[act->b], act->a, act->b, ACCESS_STORE, &expect);
    expect.value = act->c;
    hvp_do(run, act, slots[act->b], act->a, act->c);
    if (hvp_expect_check(run, act, &expect))
        hvp_expect_memory(run, act, &expect, act->c);
    writes(run, act, &expect);
}

void hvp_op_do_amo(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_expect expect;

    hvp_expect(run, act, HVP_SLOT_AMO, act->a, 4, ACCESS_STORE, &expect);
    expect.atomic = true;
    hvp_do(run, act, HVP_SLOT_AMO, act->a, act->b);
    if (hvp_expect_check(run, act, &expect)) {
        hvp_expect_value(run, &expect, hvp_reg(run, act, 7));
        hvp_expect_memory(run, act, &expect, act->b);
    }
    writes(run, act, &expect);
}

void hvp_op_do_lr(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_vcpu  *vcpu = &act->vm->vcpu[act->vcpu];
    struct hvp_expect expect;

    hvp_expect(run, act, HVP_SLOT_LR, act->a, 4, ACCESS_LOAD, &expect);
    expect.atomic = true;
    hvp_do(run, act, HVP_SLOT_LR, act->a, 0);
    if (hvp_expect_check(run, act, &expect))
        hvp_expect_value(run, &expect, hvp_reg(run, act, 7));
    if (run->last.trapped)
        return;
    vcpu->linked = true; /* for all we know: it may have waited for memory */
    vcpu->left = false;
}

/* marker: hvp-sc */
/* It may fail for no reason; it may not succeed without one: P15. */
void hvp_op_do_sc(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_vcpu  *vcpu = &act->vm->vcpu[act->vcpu];
    bool              linked = vcpu->linked;
    struct hvp_expect expect;

    hvp_expect(run, act, HVP_SLOT_SC, act->a, 4, ACCESS_STORE, &expect);
    expect.atomic = true;
    hvp_do(run, act, HVP_SLOT_SC, act->a, act->b);
    vcpu->linked = false;
    if (hvp_expect_check(run, act, &expect)) {
        if (hvp_reg(run, act, 7) == 0)
            hvp_expect_memory(run, act, &expect, act->b);
        else
            hvp_expect_memory(run, act, &expect, expect.before);
    }
    if (!run->last.done || run->last.trapped || hvp_reg(run, act, 7) != 0)
        return;
    if (!linked && expect.intact)
        hvp_fail(run, "P15", "SC at %#x succeeded without a reservation",
                 (unsigned)act->a);
    else if (vcpu->left && expect.intact)
        hvp_fail(run, "P15", "SC at %#x succeeded, and another was there since",
                 (unsigned)act->a);
    writes(run, act, &expect);
}
/* marker: end */

void hvp_op_do_jump(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_expect expect;

    hvp_expect(run, act, HVP_SLOT_JUMP, act->a & ~1u, 4, ACCESS_FETCH, &expect);
    hvp_do(run, act, HVP_SLOT_JUMP, act->a, 0);
    if (expect.on && (act->a & 2 || !expect.fetch.ok)) {
        hvp_expect_check(run, act, &expect);
        return;
    }
    if (!run->last.done || run->last.trapped)
        return;
    if (!hvp_step(run, act))
        return;
    if (!expect.on || expect.data.ok)
        hvp_owe_unknown(act->vm);
    else
        hvp_expect_check(run, act, &expect);
}

void hvp_op_do_insn(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t insn = act->b | act->c << 16;
    uint32_t slot = HVP_SLOT_INSN + act->vcpu;

    if (!hvp_patch(run, act, slot, insn))
        return;
    hvp_pay(run, act);
    hvp_do(run, act, slot, act->record->arg[0], RAM_BASE);
    hvp_owe_unknown(act->vm);
}

void hvp_op_do_step(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t n = act->a % 32;

    while (n--)
        hvp_step(run, act);
    hvp_owe_unknown(act->vm);
}

void hvp_op_do_set_reg(struct hvp_run *run, struct hvp_act *act)
{
    hv_reg_set(run->host, act->vm->id, act->vcpu, act->a, act->b);
}
