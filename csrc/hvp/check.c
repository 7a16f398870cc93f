/* check.c - after each operation: what must hold, whoever did what.
 *
 * Each check names the property that it found broken. The first one found is
 * the verdict; the program ends there. */
#include "hvp/run.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cycles that one operation may take of the hypervisor. */
#define WORK_LIMIT 2000000u
/* Words that an operation of a guest writes to one page, mostly. */
#define WRITES 4

static bool muted(const struct hvp_context *context, const char *property)
{
    return context->muted >> (strtoul(property + 1, NULL, 10) & 63) & 1;
}

void hvp_fail(struct hvp_run *run, const char *property, const char *format,
              ...)
{
    va_list args;

    if (hvp_failed(run) || muted(run->context, property))
        return;
    snprintf(run->out->property, sizeof(run->out->property), "%s", property);
    va_start(args, format);
    vsnprintf(run->out->what, sizeof(run->out->what), format, args);
    va_end(args);
}

void hvp_check_audit(struct hvp_run *run)
{
    char        why[120];
    const char *colon;
    char        property[8] = "P?";

    /* What is to be refused is the program's allocations. */
    uint32_t fail = run->host->hal.fail_alloc;

    run->out->checks++;
    run->host->hal.fail_alloc = 0;
    int status = hv_audit(run->host, why, sizeof(why));

    run->host->hal.fail_alloc = fail;
    if (status != HV_ERR_AUDIT)
        return;
    colon = strchr(why, ':');
    if (colon && (size_t)(colon - why) < sizeof(property)) {
        memcpy(property, why, (size_t)(colon - why));
        property[colon - why] = 0;
    }
    hvp_fail(run, property, "%s", why);
}

/* --- others: P15, P18 ---------------------------------------------------------------- */

static bool by_guest(const struct hvp_act *act)
{
    return hvp_row(act->record->op)->who == HVP_WHO_GUEST;
}

uint64_t hvp_cycles(const struct hvp_run *run)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < run->host->config.harts; i++) {
        const struct hart *hart = machine_hart(run->host->machine, i);

        sum += hart->cycle - hart->count.idle_cycles;
    }
    return sum;
}

uint64_t hvp_exits(const struct hvp_run *run)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < run->host->config.harts; i++) {
        const struct hart *hart = machine_hart(run->host->machine, i);

        sum += hart->count.traps_m + hart->count.irqs_m;
    }
    return sum;
}

/* A number that is another one when the hypervisor has worked: every cycle of
 * it is booked. */
static uint64_t worked(const struct hvp_run *run)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < run->host->config.harts; i++)
        sum += run->host->hal.hyp.cpu[i].mark;
    return sum;
}

void hvp_check_before(struct hvp_run *run, const struct hvp_act *act)
{
    struct hvp_before *before = &run->before;

    before->cycles = hvp_cycles(run);
    before->worked = worked(run);
    before->exits = hvp_exits(run);
    if (hvp_checks(run, HVP_ORACLE_SCHED))
        hvp_check_sched_before(run);
    if (!by_guest(act) || !hvp_checks(run, HVP_ORACLE_OTHERS))
        return;
    for (uint32_t i = 0; i < HVP_VMS; i++) {
        struct vm *vm = hvp_live(run, &run->vm[i]);

        if (i == act->place)
            continue;
        before->cpu[i] = hvp_cpu_hash(run, &run->vm[i]);
        if (vm)
            memcpy(before->hfn[i], vm->p2m.hfn,
                   run->vm[i].pages * sizeof(before->hfn[i][0]));
    }
    hvp_touch_anew(run);
}

static void check_others(struct hvp_run *run, const struct hvp_act *act)
{
    const struct hvp_before *before = &run->before;

    for (uint32_t i = 0; i < HVP_VMS; i++) {
        if (i == act->place || !run->vm[i].id)
            continue;
        run->out->checks++;
        if (before->cpu[i] != hvp_cpu_hash(run, &run->vm[i]))
            hvp_fail(run, "P15", "VM %u acted, VM %u has other registers",
                     (unsigned)act->place + 1, (unsigned)i + 1);
    }
}

/* A frame that its VM has got on the way, by a copy of one that was shared, or
 * for the first time: it has the bytes of another one, or none. */
static bool is_copy(struct hvp_run *run, uint32_t hfn)
{
    struct frames *frames = &run->host->hal.hyp.frames;
    const uint8_t *page = machine_ram(run->host->machine, hfn << PAGE_SHIFT);

    for (uint32_t i = 0; i < frames->count; i++) {
        uint32_t other = frames->first + i;

        if (other != hfn &&
            memcmp(page, machine_ram(run->host->machine, other << PAGE_SHIFT),
                   PAGE_SIZE) == 0)
            return true;
    }
    return false;
}

/* The frame that this one stands for since the operation began, which then had
 * the same bytes; NONE: it was the VM's before. */
static uint32_t stands_for(const struct hvp_run *run, const struct vm *owner,
                           uint32_t gfn, uint32_t hfn)
{
    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (run->vm[i].id == owner->id && gfn - HVP_FIRST < run->vm[i].pages &&
            run->before.hfn[i][gfn - HVP_FIRST] != hfn)
            return run->before.hfn[i][gfn - HVP_FIRST];
    return NO_FRAME;
}

/* It was copied, and then the actor wrote to the one that it was copied from. */
static bool was_copy(struct hvp_run *run, const struct vm *owner, uint32_t gfn,
                     uint32_t hfn)
{
    uint32_t       old = stands_for(run, owner, gfn, hfn), differ = 0;
    const uint8_t *was,
        *is = machine_ram(run->host->machine, hfn << PAGE_SHIFT);

    if (old == NO_FRAME)
        return false;
    was = machine_ram(run->host->machine, old << PAGE_SHIFT);
    for (uint32_t at = 0; at < PAGE_SIZE; at += 4)
        differ += memcmp(was + at, is + at, 4) != 0;
    return differ <= WRITES;
}

/* What was written is nobody else's: P18. */
static void check_written(struct hvp_run *run, const struct hvp_act *act)
{
    struct hyp *hyp = &run->host->hal.hyp;

    hvp_touch(run);
    run->out->checks++;
    for (uint32_t i = 0; i < run->touched.nr_recent; i++) {
        uint32_t            hfn = hyp->frames.first + run->touched.recent[i];
        const struct frame *frame = frame_of(&hyp->frames, (hfn_t){ hfn });
        const struct vm    *owner = hyp_vm(hyp, frame->owner);

        if (owner && owner->id != act->vm->id &&
            !hvp_told_there(owner, frame->gfn) && !is_copy(run, hfn) &&
            !was_copy(run, owner, frame->gfn, hfn))
            hvp_fail(run, "P18", "VM %u acted, frame %#x of another changed",
                     (unsigned)act->place + 1, (unsigned)hfn);
    }
}

/* --- what the actor has now: P21 ------------------------------------------------------- */

static void check_registers(struct hvp_run *run, const struct hvp_act *act)
{
    struct vm *vm = hvp_live(run, act->vm);

    if (!vm)
        return;
    const struct regs *regs = vcpu_regs(&vm->vcpu[act->vcpu]);

    for (uint32_t i = 1; i < 32; i++) {
        uint32_t owner = hvp_tag_owner(run, regs->x[i]);

        if (hvp_tag_foreign(act->vm, owner))
            hvp_fail(run, "P21", "x%u of VM %u has a word of VM %u's memory",
                     (unsigned)i, (unsigned)act->vm->serial, (unsigned)owner);
    }
}

/* One step of a guest: to change to it, and as many exits as it took. */
void hvp_check_step(struct hvp_run *run, uint64_t cycles, uint64_t exits)
{
    uint64_t spent = hvp_cycles(run) - cycles;

    exits = hvp_exits(run) - exits;
    /* Who is short of memory waits until somebody is killed for him. */
    if (hvp_checks(run, HVP_ORACLE_WORK) &&
        spent > EXIT_BOUND * (exits < 2 ? 2 : exits) && !(run->world >> 15 & 1))
        hvp_fail(run, "P25", "one step took %u cycles", (unsigned)spent);
}

static void check_work(struct hvp_run *run, const struct hvp_act *act)
{
    uint64_t spent = hvp_cycles(run) - run->before.cycles;

    if (by_guest(act) && spent > WORK_LIMIT)
        hvp_fail(run, "P25", "an operation took %u cycles", (unsigned)spent);
}

/* Whoever runs can be interrupted by the host's timer, whatever it says of its
 * own interrupts: P16. */
static void check_timers(struct hvp_run *run)
{
    for (uint32_t i = 0; i < run->host->config.harts; i++) {
        const struct hart    *hart = machine_hart(run->host->machine, i);
        const struct hyp_cpu *cpu = &run->host->hal.hyp.cpu[i];

        if (cpu->current && cpu->current->entered && hart->priv != PRIV_M &&
            !(hart->csr.mie & MIP_MTIP))
            hvp_fail(run, "P16", "hart %u runs a guest, deaf to its timer",
                     (unsigned)i);
    }
    run->out->checks++;
}

/* Nothing that is audited can have become wrong without work: a guest alone can
 * write nothing but what it may, and the TLB is looked at the next time. */
static bool audit_due(struct hvp_run *run, const struct hvp_act *act)
{
    const struct hvp_context *context = run->context;

    if (hvp_checks(run, HVP_ORACLE_EACH))
        return !by_guest(act) || worked(run) != run->before.worked;
    return hvp_checks(run, HVP_ORACLE_AUDIT) && context->audit_every &&
           run->index % context->audit_every == context->audit_every - 1;
}

/* Somebody else was on the only hart, and left it by a trap: whoever had a
 * reservation has none. (To step a vCPU from outside takes no trap.) */
static void end_links(struct hvp_run *run, const struct hvp_act *act)
{
    if (run->host->config.harts != 1 || hvp_exits(run) == run->before.exits)
        return;
    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (i != act->place)
            run->vm[i].vcpu[0].linked = false;
}

void hvp_check_after(struct hvp_run *run, const struct hvp_act *act)
{
    if (run->host->hal.broken) {
        hvp_fail(run, "P27", "%s", hv_host_reason(run->host));
        return;
    }
    if (by_guest(act) && run->last.done)
        end_links(run, act);
    if (by_guest(act) && hvp_checks(run, HVP_ORACLE_OTHERS)) {
        check_timers(run);
        check_others(run, act);
        check_written(run, act);
    }
    if (hvp_checks(run, HVP_ORACLE_RESIDUE))
        check_registers(run, act);
    if (hvp_checks(run, HVP_ORACLE_WORK))
        check_work(run, act);
    if (hvp_checks(run, HVP_ORACLE_SCHED))
        hvp_check_sched(run, act);
    if (audit_due(run, act))
        hvp_check_audit(run);
}
