/* trace.c - what each VM has seen, to be compared between two runs: P19, P22.
 *
 * One number for each operation: was it executed, what exception came, what did
 * a load see. Two runs in which one VM has other secrets, or does more, must
 * agree in what the others see; but for time, in a schedule that shares it. So
 * what a VM sees counts until time decides it: until an interrupt has come to
 * it, or the scheduler has run. With fixed slots and the same operations, who
 * runs when is the same as well; but not what a clock says, since operations are
 * executed as they come, and not in their VM's slot. Some outcomes are up to
 * chance: whose differ is not compared from there on. */
#include "hvp/run.h"
#include <string.h>

void hvp_trace_begin(struct hvp_run *run, struct hvp_trace *trace)
{
    run->trace = trace;
    memset(trace->who, 0, sizeof(trace->who));
    for (uint32_t i = 0; i < HVP_VMS; i++)
        trace->until[i] = HVP_MAX_RECORDS;
}

void hvp_trace_until(struct hvp_run *run, uint32_t place)
{
    if (run->trace->until[place] > run->index)
        run->trace->until[place] = run->index;
}

/* Who has secrets in pages that are looked at, to be shared, tells by the time
 * that a store to them takes: that is known of sharing, and no mistake. */
static bool timed(const struct hvp_run *run)
{
    return (run->flags & HVP_STRICT) && run->context->program.nvary == 0 &&
           !run->merged;
}

void hvp_trace_untimed(struct hvp_run *run)
{
    for (uint32_t i = 0; i < HVP_VMS && !timed(run); i++)
        hvp_trace_until(run, i);
}

/* Whether a budget or a cap is used up is a matter of time. */
static bool parked(struct hvp_run *run, const struct hvp_act *act)
{
    const struct vm *vm = hvp_live(run, act->vm);

    return vm && vm->vcpu[act->vcpu].sched.parked;
}

/* What one sees of tables that it changed without a fence is as the machine
 * likes, and may depend on who ran meanwhile: in a twin it makes the fence, and
 * who cannot, or will not, is not compared from here on. */
void hvp_trace_ready(struct hvp_run *run, struct hvp_act *act)
{
    const struct hvp_vcpu *vcpu = &act->vm->vcpu[act->vcpu];

    if (parked(run, act))
        hvp_trace_until(run, act->place);
    if (!(run->flags & HVP_TWIN) || vcpu->owes == HVP_OWES_NOTHING)
        return;
    hvp_pay(run, act);
    if (vcpu->owes != HVP_OWES_NOTHING)
        hvp_trace_until(run, act->place);
}

/* From here on it can tell, by what it has in its registers. */
static bool knows_time(const struct hvp_act *act)
{
    switch (act->record->op) {
    case HVP_csr_read:
    case HVP_csr_write:
        return hvp_is_counter(act->a);
    case HVP_insn:
        return (act->b & 0x7f) == 0x73 && hvp_is_counter(act->c >> 4);
    default:
        return false;
    }
}

/* The register into which the operation put what it saw; x0: none. */
static uint32_t got_in(const struct hvp_act *act)
{
    switch (act->record->op) {
    case HVP_load:
        return 6;
    case HVP_amo:
    case HVP_lr:
    case HVP_sc:
    case HVP_csr_read:
    case HVP_csr_write:
        return 7;
    default:
        return 0;
    }
}

/* Depends on what is no secret: whether an SC succeeds, on who was on its hart
 * since; whether it is one's turn, and there is memory, on when it is; that a
 * budget is used up, on the exit at which it is seen; and what a word is, or does
 * when it is executed, that says what time it is, on that. */
static bool by_chance(const struct hvp_run *run, const struct hvp_act *act)
{
    const struct hvp_outcome *last = &run->last;
    const struct vm          *vm = hyp_vm(&run->host->hal.hyp, act->vm->id);

    if (act->record->op == HVP_sc ||
        (vm && !last->done && (vm->state == VM_LIVE || vm->state == VM_BUDGET)))
        return true;
    if (last->trapped)
        return last->cause == CAUSE_ILLEGAL &&
               (act->vm->pv || act->vm->clocked);
    return act->vm->clocked && got_in(act) != 0;
}

void hvp_trace_note(struct hvp_run *run, const struct hvp_act *act)
{
    const struct hvp_outcome *last = &run->last;
    uint64_t                  hash = hvp_mix(1, act->record->op);

    if (knows_time(act) ||
        ((run->disturbed || parked(run, act)) && !timed(run)))
        hvp_trace_until(run, act->place);
    hash = hvp_mix(hash, last->done | (uint64_t)last->trapped << 1 |
                             (uint64_t)last->cause << 2);
    hash = hvp_mix(hash, last->tval);
    if (last->done && !last->trapped && !run->timely)
        hash = hvp_mix(hash, hvp_reg(run, act, got_in(act)));
    run->trace->seen[run->index] = hash;
    run->trace->who[run->index] = (uint8_t)(act->place + 1);
    run->trace->chance[run->index] = by_chance(run, act);
    run->out->trace[act->place] = hvp_mix(run->out->trace[act->place], hash);
}

void hvp_trace_compare(struct hvp_run *run, uint32_t from, const char *property)
{
    const struct hvp_trace *a = &run->context->trace[0];
    const struct hvp_trace *b = &run->context->trace[1];

    uint32_t until[HVP_VMS];

    run->out->checks++;
    for (uint32_t i = 0; i < HVP_VMS; i++)
        until[i] = a->until[i] < b->until[i] ? a->until[i] : b->until[i];
    for (uint32_t i = 0; i < HVP_MAX_RECORDS; i++) {
        uint32_t place = a->who[i] - 1u;

        if (!a->who[i] || !b->who[i] || place < from || i >= until[place] ||
            a->seen[i] == b->seen[i])
            continue;
        if (a->chance[i] || b->chance[i]) {
            until[place] = i;
            continue;
        }
        run->out->op = i;
        run->out->kind = run->context->program.record[i].op;
        hvp_fail(run, property, "VM %u sees something else in the second run",
                 (unsigned)place + 1);
        return;
    }
}
