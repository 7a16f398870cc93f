/* check_access.c - an access saw what its VM's tables said: P7, P13.
 *
 * Predicted before the instruction, by sv32.c; compared after it. There is no
 * prediction while a fence is owed. What a device answers: check_device.c. */
#include "abi/pv.h"
#include "hvp/run.h"
#include <string.h>

#define AD (PTE_A | PTE_D)

static uint32_t code_at(struct hvp_run *run, const struct hvp_act *act,
                        uint32_t slot)
{
    struct vm   *vm = hvp_live(run, act->vm);
    struct vcpu *vcpu = &vm->vcpu[act->vcpu];
    bool         on = vm->style->direct ? direct_loaded(vcpu)
                                        : (vcpu->csr.satp & SATP_MODE) != 0;

    return (!act->kernel && on ? HVP_WINDOW : RAM_BASE) + hvp_slot_at(slot);
}

static uint32_t bytes_at(struct hvp_run *run, const struct hvp_vm *vm,
                         uint32_t gpa, uint32_t size)
{
    const uint8_t *frame = hvp_frame(run, vm, (gpa - RAM_BASE) >> PAGE_SHIFT);
    uint32_t       word = 0;

    if (frame)
        memcpy(&word, frame + gpa % PAGE_SIZE, size);
    return word;
}

/* The canned instruction is still what it was. */
static bool code_intact(struct hvp_run *run, const struct hvp_act *act,
                        uint32_t slot, const struct hvp_sight *fetch)
{
    return !fetch->ok || hvp_peek(run, act->vm, fetch->gpa) == hvp_code(slot);
}

void hvp_expect(struct hvp_run *run, struct hvp_act *act, uint32_t slot,
                uint32_t va, uint32_t size, enum access access,
                struct hvp_expect *out)
{
    *out = (struct hvp_expect){ .va = va, .size = size, .access = access };
    hvp_pay(run, act);
    if (!hvp_live(run, act->vm))
        return;
    out->data = hvp_sight(run, act, va, access);
    if (access == ACCESS_FETCH && (va & 2))
        out->data.cause = CAUSE_FETCH_MISALIGNED;
    out->code = code_at(run, act, slot);
    out->fetch = hvp_sight(run, act, out->code, ACCESS_FETCH);
    if (out->data.ok && out->data.ram && va % size == 0)
        out->before = bytes_at(run, act->vm, out->data.gpa, size);
    out->table = out->data.ok && out->data.ram &&
                 (act->vm->tables >>
                      ((out->data.gpa - RAM_BASE) >> PAGE_SHIFT) &
                  1);
    if (hvp_is_device(out))
        hvp_device_look(run, act, &out->board);
    out->told = hvp_told_there(hyp_vm(&run->host->hal.hyp, act->vm->id),
                               out->data.gpa >> PAGE_SHIFT);
    run->timely = run->timely || out->told;
    out->intact = code_intact(run, act, slot, &out->fetch);
    out->on = hvp_checks(run, HVP_ORACLE_ACCESS) && out->intact &&
              act->vm->vcpu[act->vcpu].owes == HVP_OWES_NOTHING;
}

/* Cause and address of the exception that must come; false: none. */
static bool due(const struct hvp_expect *e, uint32_t *cause, uint32_t *tval)
{
    *tval = e->va;
    if (!e->fetch.ok) {
        *cause = e->fetch.cause;
        *tval = e->code;
        return true;
    }
    if (e->va % e->size) {
        *cause = e->access == ACCESS_FETCH  ? CAUSE_FETCH_MISALIGNED
                 : e->access == ACCESS_LOAD ? CAUSE_LOAD_MISALIGNED
                                            : CAUSE_STORE_MISALIGNED;
        return true;
    }
    *cause = e->data.cause;
    if (e->refused)
        *cause = e->access == ACCESS_LOAD ? CAUSE_LOAD_ACCESS
                                          : CAUSE_STORE_ACCESS;
    return !e->data.ok || e->refused;
}

static void wrong_cause(struct hvp_run *run, const struct hvp_expect *e,
                        uint32_t cause, uint32_t tval)
{
    hvp_fail(run, "P13",
             "access to %#x: exception %u of %#x, but the tables say %u of %#x",
             (unsigned)e->va, (unsigned)run->last.cause,
             (unsigned)run->last.tval, (unsigned)cause, (unsigned)tval);
}

/* Its kernel was told where it was, and in which mode. */
static void check_trap(struct hvp_run *run, const struct hvp_act *act,
                       const struct hvp_expect *e)
{
    struct vcpu *vcpu = &hvp_live(run, act->vm)->vcpu[act->vcpu];
    uint32_t     shared = vcpu->pv.shared.raw, epc, kernel;

    if (e->access == ACCESS_FETCH)
        return;
    vcpu_pull(vcpu);
    if (act->vm->pv) {
        epc = hvp_peek(run, act->vm, shared + SI_EPC);
        kernel = hvp_peek(run, act->vm, shared + SI_PREV) & PV_PREV_KERNEL;
    } else {
        epc = vcpu->csr.sepc;
        kernel = (vcpu->csr.sstatus & MSTATUS_SPP) != 0;
    }
    if (epc != e->code || kernel != act->kernel || vcpu->mode != PRIV_S)
        hvp_fail(run, act->kernel == kernel ? "P13" : "P14",
                 "trap at %#x in mode %u: told of %#x in mode %u",
                 (unsigned)e->code, (unsigned)act->kernel, (unsigned)epc,
                 (unsigned)kernel);
}

bool hvp_expect_check(struct hvp_run *run, struct hvp_act *act,
                      struct hvp_expect *e)
{
    uint32_t cause, tval;

    if (!e->on || !run->last.done || !hvp_live(run, act->vm))
        return false;
    if (hvp_is_device(e) && !due(e, &cause, &tval))
        hvp_device_foretell(e);
    run->out->checks++;
    bool refused = due(e, &cause, &tval);
    if (refused && !run->last.trapped)
        hvp_fail(run, "P7", "access to %#x: its tables refuse it, with %u",
                 (unsigned)e->va, (unsigned)cause);
    else if (!refused && run->last.trapped)
        hvp_fail(run, "P13", "access to %#x: exception %u; its tables allow it",
                 (unsigned)e->va, (unsigned)run->last.cause);
    else if (refused && (run->last.cause != cause || run->last.tval != tval))
        wrong_cause(run, e, cause, tval);
    if (run->last.trapped)
        check_trap(run, act, e);
    if (hvp_is_device(e))
        hvp_device_check(run, act, e);
    return !refused && !run->last.trapped;
}

/* A table's own A and D may have been set by the access, or before it. And
 * between the look at it and the access there may have been an interrupt to
 * tell of. */
static uint32_t relevant(const struct hvp_expect *e)
{
    if (e->told)
        return 0;
    return e->table ? ~(uint32_t)AD : 0xffffffff;
}

void hvp_expect_value(struct hvp_run *run, const struct hvp_expect *e,
                      uint32_t got)
{
    if (hvp_is_device(e))
        hvp_device_value(run, e, got);
    else if ((got ^ e->before) & relevant(e))
        hvp_fail(run, "P13", "load at %#x: %#x, but memory has %#x",
                 (unsigned)e->va, (unsigned)got, (unsigned)e->before);
}

void hvp_expect_memory(struct hvp_run *run, struct hvp_act *act,
                       const struct hvp_expect *e, uint32_t wrote)
{
    uint32_t mask = e->size == 4 ? 0xffffffff : (1u << 8 * e->size) - 1;
    uint32_t got = bytes_at(run, act->vm, e->data.gpa, e->size);

    if (!hvp_is_device(e) && (got ^ wrote) & mask & relevant(e))
        hvp_fail(run, "P13", "store at %#x: memory has %#x, not %#x",
                 (unsigned)e->va, (unsigned)got, (unsigned)(wrote & mask));
}

bool hvp_expect_fetch(struct hvp_run *run, struct hvp_act *act, uint32_t slot,
                      uint32_t insn)
{
    hvp_pay(run, act);
    if (!hvp_live(run, act->vm) || !hvp_checks(run, HVP_ORACLE_ACCESS) ||
        act->vm->vcpu[act->vcpu].owes != HVP_OWES_NOTHING)
        return false;
    struct hvp_sight fetch = hvp_sight(run, act, code_at(run, act, slot),
                                       ACCESS_FETCH);

    return fetch.ok && hvp_peek(run, act->vm, fetch.gpa) == insn;
}
