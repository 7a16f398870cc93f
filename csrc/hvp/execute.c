/* execute.c - one program, from its bytes to a verdict. */
#include "hvp/run.h"
#include <stdlib.h>
#include <string.h>

typedef void (*hvp_function)(struct hvp_run *run, struct hvp_act *act);

static const hvp_function functions[HVP_NR_OPS] = {
#define HVP_OP(number, name, phase, who, a, b, c, weight, feature, doc) \
    [HVP_##name] = hvp_op_do_##name,
#include "hvp/ops.def"
#undef HVP_OP
};

hvp_context *hvp_new(uint32_t oracles, uint32_t audit_every)
{
    struct hvp_context *context = calloc(1, sizeof(*context));

    if (!context)
        return NULL;
    context->oracles = oracles;
    context->audit_every = audit_every;
    context->logged = malloc((size_t)HVP_VMS * HVP_PAGES * PAGE_SIZE);
    if (context->logged)
        return context;
    free(context);
    return NULL;
}

void hvp_free(hvp_context *context)
{
    if (!context)
        return;
    hvp_forget(context);
    free(context->logged);
    free(context);
}

void hvp_watch(hvp_context *context, uint8_t *map)
{
    if (context)
        context->map = map;
}

void hvp_mute(hvp_context *context, uint64_t properties)
{
    if (context)
        context->muted = properties;
}

/* --- one operation --------------------------------------------------------------------- */

static struct hvp_act actor(struct hvp_run *run, const struct hvp_record *r)
{
    struct hvp_act act = {
        .record = r,
        .place = hvp_actor_vm(*r) % HVP_VMS,
        .kernel = hvp_actor_kernel(*r),
    };
    uint32_t vms = (run->world & 3) + 1;

    if (!run->vm[act.place].tried)
        act.place %= vms;
    act.vm = &run->vm[act.place];
    act.vcpu = hvp_actor_vcpu(*r) % (act.vm->vcpus ? act.vm->vcpus : 1);
    return act;
}

/* Somebody is put in before the actor: preempt. */
static void interlope(struct hvp_run *run)
{
    struct hvp_act act = { .place = run->first / HVP_VCPUS };

    if (run->preempt == 0)
        return;
    run->preempt--;
    if (run->preempt)
        return;
    act.vm = &run->vm[act.place];
    act.vcpu = run->first % HVP_VCPUS;
    if (hvp_live(run, act.vm) && act.vcpu < act.vm->vcpus)
        hvp_step(run, &act);
}

/* Traps are told through a page that is one of its tables: whoever does that
 * has edited a table by it, and owes a fence. */
static void trap_into_tables(struct hvp_run *run, const struct hvp_act *act)
{
    struct vm *vm = hvp_live(run, act->vm);

    for (uint32_t i = 0; vm && i < vm->config.nr_vcpus; i++) {
        const struct pv_state *pv = &vm->vcpu[i].pv;
        uint32_t               page = (pv->shared.raw - RAM_BASE) >> PAGE_SHIFT;

        if (pv->shared_set && page < HVP_PAGES && (act->vm->tables >> page & 1))
            hvp_owe_unknown(act->vm);
    }
}

static void operate(struct hvp_run *run, const struct hvp_record *record)
{
    struct hvp_act act = actor(run, record);

    run->out->op = run->index;
    run->out->kind = record->op;
    run->last = (struct hvp_outcome){ .done = false };
    if (hvp_row(record->op)->who == HVP_WHO_GUEST && !act.vm->id)
        return;
    if (!act.vm->pages)
        act.vm->pages = HVP_PAGE_DATA + 1; /* for operands of create */
    interlope(run);
    run->last = (struct hvp_outcome){ .done = false };
    run->interrupted = run->disturbed = run->timely = false;
    hvp_resolve(run, &act);
    if (hvp_row(record->op)->who == HVP_WHO_GUEST)
        hvp_trace_ready(run, &act);
    hvp_check_before(run, &act);
    if (!run->host->hal.broken)
        functions[record->op](run, &act);
    hvp_check_after(run, &act);
    trap_into_tables(run, &act);
    hvp_cover(run, &act);
    hvp_trace_note(run, &act);
    run->out->done++;
    run->out->steps++;
}

/* --- one run --------------------------------------------------------------------------- */

static void finish(struct hvp_run *run)
{
    if (run->host->hal.broken)
        hvp_fail(run, "P27", "%s", hv_host_reason(run->host));
    if (!hvp_failed(run)) {
        run->out->op = run->index;
        run->out->kind = HVP_nop;
        run->out->hash = hvp_host_hash(run);
        hvp_check_end(run);
    }
}

/* In the second run of a twin the first VM does what varies. */
static bool executes(struct hvp_context *context, uint32_t i, bool vary,
                     struct hvp_record *record)
{
    const struct hvp_decoded *program = &context->program;
    bool varies = i >= program->nbuild && i < program->nbuild + program->nvary;

    *record = program->record[i];
    if (!varies)
        return true;
    record->actor &= (uint8_t)~3u;
    return vary && hvp_row(record->op)->who == HVP_WHO_GUEST;
}

static int execute(hvp_context *context, uint32_t secret, uint32_t fill,
                   struct hvp_verdict *out)
{
    const struct hvp_decoded *program = &context->program;
    struct hvp_run           *run = &context->run;

    *out = (struct hvp_verdict){ .op = 0 };
    *run = (struct hvp_run){
        .context = context,
        .oracles = context->oracles,
        .flags = program->flags,
        .world = program->world,
        .ample = program->seed >> 16 & 1,
        .edf = program->seed >> 17 & 1,
        .single = program->seed >> 18 & 1,
        .budget = (program->seed >> 19 & 3) == 3,
        .secret = secret,
        .fill = fill,
        .out = out,
    };
    if (!hvp_begin(run))
        return HV_ERR_NO_MEMORY;
    hvp_trace_begin(run, &context->trace[secret || fill]);
    for (uint32_t i = 0; i < program->count && !hvp_failed(run); i++) {
        struct hvp_record record;

        run->index = i;
        if (executes(context, i, secret != 0, &record))
            operate(run, &record);
    }
    finish(run);
    return HV_OK;
}

/* Run it again; what VMs from this place on see must be the same. */
static int again(hvp_context *context, uint32_t secret, uint32_t fill,
                 struct hvp_verdict *out)
{
    struct hvp_verdict second;
    int                status = execute(context, secret, fill, &second);

    if (status != HV_OK)
        return status;
    if (second.property[0]) {
        *out = second;
        return HV_OK;
    }
    context->run.out = out;
    hvp_trace_compare(&context->run, secret ? 1 : 0, secret ? "P19" : "P22");
    if (fill && second.hash != out->hash)
        hvp_fail(&context->run, "P22", "other fill of fresh memory, other end");
    out->steps += second.steps;
    out->checks += second.checks;
    return HV_OK;
}

/* Who may take memory from others tells them by it. */
static bool apart(const struct hvp_decoded *program)
{
    return !(program->world >> 15 & 1);
}

static int judge(hvp_context *context, struct hvp_verdict *out)
{
    uint32_t flags = context->program.flags;
    int      status = execute(context, 0, 0, out);

    if (status == HV_OK && !out->property[0] && (flags & HVP_TWIN) &&
        apart(&context->program))
        status = again(context, 1, 0, out);
    if (status == HV_OK && !out->property[0] && (flags & HVP_FILL))
        status = again(context, 0, 0xa5, out);
    return status;
}

/* A word that is somebody's tag by accident is none if tags are others. */
int hvp_execute(hvp_context *context, const uint8_t *program, size_t n,
                struct hvp_verdict *out)
{
    if (!context || (!program && n) || !out)
        return HV_ERR_INVALID;
    hvp_decode(program, n, &context->program);
    context->other_tags = false;
    int status = judge(context, out);

    if (status != HV_OK || strcmp(out->property, "P21") != 0)
        return status;
    context->other_tags = true;
    return judge(context, out);
}

hv_host *hvp_host(hvp_context *context)
{
    return context ? context->run.host : NULL;
}

uint32_t hvp_vm_id(const hvp_context *context, uint32_t place)
{
    if (!context || !context->run.host || place >= HVP_VMS)
        return 0;
    return context->run.vm[place].id;
}

uint32_t hvp_actor_id(hvp_context *context)
{
    if (!context || !context->run.host || context->program.count == 0)
        return 0;
    struct hvp_run          *run = &context->run;
    const struct hvp_record *record = &context->program.record[run->index];

    if (hvp_row(record->op)->who != HVP_WHO_GUEST || !run->last.done)
        return 0;
    return actor(run, record).vm->id;
}

int hvp_run(const uint8_t *program, size_t n, struct hvp_verdict *out)
{
    hvp_context *context = hvp_new(HVP_ORACLE_ALL, 1);
    int          status = context ? hvp_execute(context, program, n, out)
                                  : HV_ERR_NO_MEMORY;

    hvp_free(context);
    return status;
}
