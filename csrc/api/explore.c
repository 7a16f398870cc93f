/* explore.c - every interleaving of a small guest, up to a bound.
 *
 * A hart runs until it waits or spins; then another goes on, and each of the
 * others is tried. Before a step that others could notice, or that could notice
 * others, it may also be preempted: in favour of each of the others, as long as
 * there have been fewer preemptions than the bound. Most races need one or two
 * (Musuvathi and Qadeer, "Iterative Context Bounding", PLDI 2007), so a small
 * bound finds them, and all schedules within it can be tried.
 *
 * Such a step is
 *
 *   a load, store or AMO   of a word that another hart uses too, and that one
 *                          of them writes; so does what its page-table walk
 *                          would read. LR and SC of any word
 *   FENCE, FENCE.I         and everything with opcode SYSTEM: CSRs, sfence.vma,
 *                          ecall, sret, wfi
 *   a trap                 an access that its tables do not allow
 *
 * Which words are shared is not known before; what a pass finds out the next
 * one uses, until nothing new is found.
 *
 * Every state that is to be returned to is marked (mark.c), so the beginning
 * that schedules have in common is executed once. */
#include "api/explore.h"
#include <stdlib.h>
#include <string.h>

/* --- who can go on ------------------------------------------------------------ */

static struct regs regs_of(struct explorer *e, uint32_t hart)
{
    struct regs regs;

    for (uint32_t i = 0; i < 32; i++)
        regs.x[i] = explore_reg(e, hart, i);
    regs.pc = explore_reg(e, hart, HV_REG_PC);
    return regs;
}

/* It came back to where it was, with the same in its registers, and nobody has
 * written anything since: it waits for the others to do so. */
static void look_for_spin(struct explorer *e, uint32_t hart, uint32_t pc)
{
    struct lap *lap = &e->path.lap[hart];

    if (explore_reg(e, hart, HV_REG_PC) > pc)
        return;
    struct regs regs = regs_of(e, hart);
    if (lap->valid && lap->writes == e->path.writes &&
        memcmp(&lap->regs, &regs, sizeof(regs)) == 0)
        e->path.spins[hart] = true;
    *lap = (struct lap){ regs, e->path.writes, true };
}

static bool hart_can_go(struct explorer *e, uint32_t id, bool wait)
{
    const struct hart *hart = machine_hart(e->host->machine, id);
    uint64_t           ready = hart_ready_cycle(hart);

    return wait ? ready != CYCLE_NEVER : ready <= hart->cycle;
}

static bool vcpu_can_go(struct explorer *e, uint32_t id, bool wait)
{
    const struct vm   *vm = hyp_vm(&e->host->hal.hyp, e->vm);
    const struct vcpu *vcpu = vm ? &vm->vcpu[id] : NULL;

    if (!vcpu)
        return false;
    return vcpu->state == VCPU_RUNNABLE ||
           (wait && vcpu->state == VCPU_BLOCKED && vcpu->timer != ~0ull);
}

/* It can execute; with `wait`, also if its timer will come first. */
static bool is_ready(struct explorer *e, uint32_t hart, bool wait)
{
    return e->vm ? vcpu_can_go(e, hart, wait) : hart_can_go(e, hart, wait);
}

/* Those that can go on, as a mask: those that spin only if all others wait,
 * and those that wait for a timer only if there is nobody else. */
static uint32_t candidates(struct explorer *e)
{
    uint32_t mask = 0;

    for (uint32_t hart = 0; hart < e->harts; hart++)
        if (!e->path.spins[hart] && is_ready(e, hart, false))
            mask |= 1u << hart;
    for (uint32_t hart = 0; !mask && hart < e->harts; hart++)
        if (is_ready(e, hart, true) && !is_ready(e, hart, false))
            mask = 1u << hart;
    return mask;
}

/* --- one path ------------------------------------------------------------------ */

static bool stop(struct explorer *e, enum hv_explore_end end)
{
    e->out->end = end;
    e->out->count = e->path.count;
    return false;
}

/* True, or what has come of it is no good end. */
static bool ended_well(struct explorer *e, const struct hv_vm_info *info)
{
    e->out->schedules++;
    if (info->state == HV_VM_KILLED)
        return stop(e, HV_EXPLORE_KILLED);
    e->out->code = info->exit_code;
    if (info->state == HV_VM_OFF && info->exit_code)
        return stop(e, HV_EXPLORE_FAILED);
    return true;
}

static bool note_step(struct explorer *e, uint32_t hart)
{
    uint32_t        count = e->path.count;
    struct hv_turn *turn = e->out->turn;

    if (e->path.steps++ == e->out->max_steps)
        return stop(e, HV_EXPLORE_LONG);
    if (count && turn[count - 1].hart == hart) {
        turn[count - 1].steps++;
        return true;
    }
    if (count == HV_EXPLORE_TURNS)
        return stop(e, HV_EXPLORE_LONG);
    turn[e->path.count++] = (struct hv_turn){ hart, 1 };
    return true;
}

static bool make_step(struct explorer *e, uint32_t hart,
                      const struct next *next)
{
    uint32_t pc = explore_reg(e, hart, HV_REG_PC);

    if (!note_step(e, hart))
        return false;
    explore_learn(e, hart, next);
    if (next->write || next->traps || OPCODE(next->insn) == OP_SYSTEM) {
        e->path.writes++;
        memset(e->path.spins, 0, sizeof(e->path.spins));
    }
    e->out->steps++;
    int status = hv_step(e->host, e->vm, hart);
    if (status == HV_ERR_STATE) /* it waits now, or has ended */
        return true;
    e->status = status;
    look_for_spin(e, hart, pc);
    return status == HV_OK;
}

/* --- all paths -------------------------------------------------------------------- */

static bool explore(struct explorer *e, uint32_t hart, uint32_t left);

static bool within_limit(struct explorer *e)
{
    if (!e->out->max_schedules || e->out->schedules < e->out->max_schedules)
        return true;
    return stop(e, HV_EXPLORE_LIMIT);
}

/* Let each of these go on from here, and come back. */
static bool branch(struct explorer *e, uint32_t mask, uint32_t left)
{
    struct path   *before = malloc(sizeof(*before));
    struct hv_turn last = { 0 };
    uint32_t       mark;

    e->status = before ? hv_mark(e->host, &mark) : HV_ERR_NO_MEMORY;
    if (e->status != HV_OK) {
        free(before);
        return false;
    }
    *before = e->path;
    if (before->count)
        last = e->out->turn[before->count - 1];
    bool go_on = true;
    for (uint32_t hart = 0; go_on && hart < e->harts; hart++) {
        if (!(mask >> hart & 1))
            continue;
        go_on = explore(e, hart, left) && within_limit(e);
        int status = hv_reset(e->host, mark);
        if (status != HV_OK) {
            e->status = status;
            go_on = false;
        }
        if (!go_on)
            break;
        e->path = *before;
        if (before->count)
            e->out->turn[before->count - 1] = last;
    }
    hv_mark_drop(e->host, mark);
    free(before);
    return go_on;
}

static bool property_holds(struct explorer *e)
{
    if (!e->out->audit || hv_audit(e->host, NULL, 0) == HV_OK)
        return true;
    return stop(e, HV_EXPLORE_AUDIT);
}

/* marker: explore */
/* From here on this hart runs, for a step at least; what comes of it, with so
 * many preemptions. False: it is over. */
static bool explore(struct explorer *e, uint32_t hart, uint32_t left)
{
    for (bool fresh = true;; fresh = false) {
        struct hv_vm_info info;

        e->status = hv_vm_info(e->host, e->vm, &info);
        if (e->status != HV_OK)
            return false;
        if (info.state >= HV_VM_OFF)
            return ended_well(e, &info);
        uint32_t mask = candidates(e);
        if (!mask) {
            e->out->schedules++;
            return stop(e, HV_EXPLORE_STUCK);
        }
        if (!(mask >> hart & 1)) {
            if (mask & (mask - 1))
                return branch(e, mask, left);
            for (hart = 0; !(mask >> hart & 1);)
                hart++;
        }
        struct next next = explore_look(e, hart);
        mask &= ~(1u << hart);
        if (!fresh && mask && explore_point(e, &next)) {
            e->out->points++;
            if (!property_holds(e) || (left && !branch(e, mask, left - 1)))
                return false;
        }
        if (!make_step(e, hart, &next))
            return false;
    }
}
/* marker: end */

/* Passes, until one has learnt nothing new. */
static void explore_all(struct explorer *e)
{
    do {
        e->learnt = false;
        e->path = (struct path){ 0 };
        e->out->schedules = e->out->points = 0;
        e->out->end = HV_EXPLORE_DONE;
    } while (branch(e, 1, e->out->bound) && e->learnt);
}

int hv_explore(hv_host *host, uint32_t vm, struct hv_explore *out)
{
    struct hv_vm_info info;
    int               status = hv_vm_info(host, vm, &info);

    if (status != HV_OK)
        return status;
    if (!out || out->bound > HV_EXPLORE_BOUND || out->max_steps == 0 ||
        out->audit > 1)
        return HV_ERR_INVALID;
    if (info.state == HV_VM_CREATED || info.state >= HV_VM_OFF)
        return HV_ERR_STATE;
    struct explorer *e = calloc(1, sizeof(*e));
    if (!e)
        return HV_ERR_NO_MEMORY;
    e->host = host;
    e->vm = vm;
    e->harts = info.vcpus;
    e->out = out;
    out->steps = out->shared = out->code = out->count = 0;
    explore_all(e);
    status = e->status;
    free(e);
    return status;
}
