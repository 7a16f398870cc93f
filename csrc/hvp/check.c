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

/* --- what it costs: P25 -------------------------------------------------------------- */

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
    if (by_guest(act) && hvp_checks(run, HVP_ORACLE_OTHERS))
        hvp_others_note(run, act);
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
        hvp_others_check(run, act);
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
