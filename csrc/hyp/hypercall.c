/* hypercall.c - hv's own calls, one small function each.
 *
 * The table is abi/hypercalls.def. Every call validates before it changes
 * anything and does bounded work; when it returns an error it has changed
 * nothing. A list that a guest names is copied in, entry by entry, each once.
 *
 * How long work is bounded, and a call is still all or nothing: what takes long
 * are preparations that no guest can see (a frame for a page, tables derived
 * from it that go), and that need not be made twice. When the exit has worked
 * enough, the call leaves off among those (CALL_AGAIN), and is made anew: it
 * validates everything again and finds less to prepare. What remains is done in
 * one short piece. A multicall alone puts into registers how far it is. */
#include "abi/pv.h"
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/hyp.h"
#include "sched/sched.h"
#include "sched/timer.h"

#define OK(v)  ((struct sbi_ret){ SBI_SUCCESS, (v) })
#define ERR(e) ((struct sbi_ret){ (e), 0 })

/* A call's view: who, what, and whether it replaced the caller's state. */
struct call {
    struct vcpu    *vcpu;
    const uint32_t *arg;
    bool            done;
};

static bool is_direct(const struct call *c)
{
    return c->vcpu->vm->style->direct;
}

static struct sbi_ret do_features(struct call *c)
{
    switch (c->arg[0]) {
    case 0:
        return OK(PV_VERSION);
    case 1:
        return OK(PV_FEATURE_PT_UPDATE | PV_FEATURE_MULTICALL |
                  PV_FEATURE_CONSOLE | PV_FEATURE_SCHED |
                  (is_direct(c) ? PV_FEATURE_DIRECT : PV_FEATURE_BALLOON));
    default:
        return ERR(SBI_ERR_INVALID_PARAM);
    }
}

static struct sbi_ret do_set_shared(struct call *c)
{
    return pv_set_shared(c->vcpu, (gpa_t){ c->arg[0] });
}

static struct sbi_ret do_set_entry(struct call *c)
{
    return pv_set_entry(c->vcpu, c->arg[0], c->arg[1]);
}

static struct sbi_ret do_iret(struct call *c)
{
    if (!pv_iret(c->vcpu)) {
        vm_kill(c->vcpu->vm, "no trap entry: iret before set_shared, at pc",
                vcpu_regs(c->vcpu)->pc - 4); /* it was stepped over */
        return ERR(SBI_ERR_DENIED);
    }
    c->done = true;
    return OK(0);
}

/* Interrupts are delivered on every way back to the guest: this is one. */
static struct sbi_ret do_deliver(struct call *c)
{
    (void)c;
    return OK(0);
}

static struct sbi_ret do_set_root(struct call *c)
{
    uint32_t satp = c->arg[0];
    gpa_t    root = { (satp & SATP_PPN_MASK) << PAGE_SHIFT };

    if (is_direct(c))
        return ERR(SBI_ERR_NOT_SUPPORTED);
    if (satp & ~(uint32_t)(SATP_MODE | SATP_PPN_MASK))
        return ERR(SBI_ERR_INVALID_PARAM);
    if (!(satp & SATP_MODE) && satp)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (satp && ((satp & SATP_PPN_MASK) >> (32 - PAGE_SHIFT) ||
                 !vm_owns(c->vcpu->vm, root, PAGE_SIZE)))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    c->vcpu->csr.satp = satp;
    return OK(0);
}

static struct sbi_ret do_fence(struct call *c)
{
    gva_t    va = { c->arg[0] & ~(uint32_t)PAGE_MASK };
    uint32_t size = c->arg[1], last = c->arg[0] + size - 1;
    uint32_t pages = (last >> PAGE_SHIFT) - (va.raw >> PAGE_SHIFT) + 1;

    /* Everything, also if the range is long or wraps, or takes long. */
    bool all = size == 0 || last < c->arg[0] || pages > PV_PT_UPDATE_MAX;
    for (uint32_t i = 0; i < pages && !all; i++, va.raw += PAGE_SIZE) {
        all = i > 0 && exit_enough(c->vcpu->on);
        if (!all && !vcpu_fence(c->vcpu, true, va))
            return ERR(CALL_AGAIN);
    }
    if (all && !vcpu_fence(c->vcpu, false, va))
        return ERR(CALL_AGAIN);
    return OK(0);
}

/* Frames for all that pt_update is to store to, some in this exit, and more when
 * it is called again. */
static int32_t update_ready(struct vcpu *vcpu, uint32_t (*entry)[2],
                            uint32_t     count)
{
    bool more = false;

    for (uint32_t i = 0; i < count && !vcpu->vm->style->direct; i++) {
        gpa_t slot = { entry[i][0] };

        if (p2m_may_write(vcpu->vm, gpa_frame(slot)))
            continue;
        if (more && exit_enough(vcpu->on))
            return CALL_AGAIN;
        if (vm_ready(vcpu->vm, vcpu->on, slot, 4) != P2M_OK)
            return CALL_STARVED;
        more = true;
    }
    return SBI_SUCCESS;
}

/* marker: pt-update */
static struct sbi_ret do_pt_update(struct call *c)
{
    struct vm *vm = c->vcpu->vm;
    gpa_t      list = { c->arg[0] };
    uint32_t   count = c->arg[1];
    uint32_t   entry[PV_PT_UPDATE_MAX][2]; /* slot, value: copied in once */

    if (count < 1 || count > PV_PT_UPDATE_MAX || list.raw % 4 != 0)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (!vm_read(vm, list, entry, count * PV_PT_UPDATE_SIZE))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    for (uint32_t i = 0; i < count; i++) {
        if (entry[i][0] % 4 != 0)
            return ERR(SBI_ERR_INVALID_PARAM);
        if (!vm_owns(vm, (gpa_t){ entry[i][0] }, 4))
            return ERR(SBI_ERR_INVALID_ADDRESS);
    }
    hal_charge(c->vcpu->on, HAL_COST_guest_read, 2 * count);
    int32_t ready = update_ready(c->vcpu, entry, count);
    if (ready != SBI_SUCCESS)
        return ERR(ready);
    hal_charge(c->vcpu->on, HAL_COST_guest_write, count);
    if (is_direct(c))
        return direct_update(c->vcpu, entry, count);
    for (uint32_t i = 0; i < count; i++) {
        vm_write32(vm, c->vcpu->on, (gpa_t){ entry[i][0] }, entry[i][1]);
        shadow_forget_slot(vm, c->vcpu->on, (gpa_t){ entry[i][0] });
    }
    return OK(0);
}
/* marker: end */

static struct sbi_ret do_memory_map(struct call *c)
{
    return direct_map(c->vcpu, (gfn_t){ c->arg[0] }, c->arg[1],
                      (gpa_t){ c->arg[2] });
}

static struct sbi_ret do_pt_pin(struct call *c)
{
    return pt_pin(c->vcpu, (gpa_t){ c->arg[0] }, c->arg[1]);
}

static struct sbi_ret do_pt_unpin(struct call *c)
{
    return pt_unpin(c->vcpu, (gpa_t){ c->arg[0] });
}

static struct sbi_ret do_set_roots(struct call *c)
{
    return direct_set_roots(c->vcpu, (gpa_t){ c->arg[0] },
                            (gpa_t){ c->arg[1] });
}

static bool of_direct(uint32_t nr)
{
    return nr >= HCALL_memory_map && nr <= HCALL_set_roots;
}

static bool multicall_may(uint32_t nr)
{
    /* Those that replace or end the caller's state, itself, and those that
     * could take away the list. */
    return nr != HCALL_iret && nr != HCALL_deliver && nr != HCALL_block &&
           nr != HCALL_poll && nr != HCALL_shutdown && nr != HCALL_multicall &&
           nr != HCALL_balloon_give && nr != HCALL_balloon_take;
}

/* One record. What it returns stands there; here, whether it is to run again. */
static int32_t run_record(struct vcpu *vcpu, gpa_t at)
{
    uint32_t       record[PV_MULTICALL_SIZE / 4];
    uint32_t       arg[6] = { 0 };
    struct sbi_ret ret = ERR(SBI_ERR_DENIED);
    bool           done = false;

    vm_read(vcpu->vm, at, record, sizeof(record));
    for (uint32_t n = 0; n < 4; n++)
        arg[n] = record[2 + n];
    if (multicall_may(record[0]))
        ret = hypercall(vcpu, record[0], arg, &done);
    if (ret.error > 0)
        return ret.error;
    vm_write32(vcpu->vm, vcpu->on, (gpa_t){ at.raw + 4 }, (uint32_t)ret.error);
    hal_charge(vcpu->on, HAL_COST_word_copy, PV_MULTICALL_SIZE / 4);
    return SBI_SUCCESS;
}

/* marker: multicall */
/* a1 is how many to run, and in its upper half how many have run before: 0, but
 * where it was left off. A guest that says so itself gets what it asks for: its
 * own list's end, and a sum that is as wrong as it likes. */
static struct sbi_ret do_multicall(struct call *c)
{
    struct vm   *vm = c->vcpu->vm;
    struct pcpu *on = c->vcpu->on;
    gpa_t        at = { c->arg[0] };
    uint32_t     count = c->arg[1] & PV_MULTICALL_LEFT;
    uint32_t     before = c->arg[1] >> PV_MULTICALL_DONE_SHIFT, n = 0;
    int32_t      again = SBI_SUCCESS;

    if (count < 1 || count + before > PV_MULTICALL_MAX || at.raw % 4 != 0)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (!vm_owns(vm, at, count * PV_MULTICALL_SIZE))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    /* Its two pages, if so many: no call of the list makes them tables. */
    gpa_t last = { at.raw + count * PV_MULTICALL_SIZE - 1 };
    if (!vm_writable(vm, at, count * PV_MULTICALL_SIZE))
        return ERR(SBI_ERR_DENIED);
    if (vm_ready(vm, on, at, count * PV_MULTICALL_SIZE) != P2M_OK)
        return ERR(CALL_STARVED);
    bool held = vm_hold(vm, on, at) && vm_hold(vm, on, last);
    HV_ASSERT(vm->hyp->hal, held);
    while (n < count && !again) {
        gpa_t record = { at.raw + n * PV_MULTICALL_SIZE };

        again = n > 0 && exit_enough(on) ? CALL_AGAIN
                                         : run_record(c->vcpu, record);
        n += !again;
    }
    vm_release(vm, at);
    vm_release(vm, last);
    if (!again)
        return OK(before + count);
    on->regs->x[REG_A0] = at.raw + n * PV_MULTICALL_SIZE;
    on->regs->x[REG_A1] = (before + n) << PV_MULTICALL_DONE_SHIFT | (count - n);
    return ERR(again);
}
/* marker: end */

static struct sbi_ret do_console_write(struct call *c)
{
    return console_write(c->vcpu, (gpa_t){ c->arg[0] }, c->arg[1]);
}

static struct sbi_ret do_console_read(struct call *c)
{
    return console_read(c->vcpu, (gpa_t){ c->arg[0] }, c->arg[1]);
}

static struct sbi_ret do_balloon(struct call *c)
{
    return balloon_tell(c->vcpu, c->arg[0]);
}

static struct sbi_ret do_balloon_give(struct call *c)
{
    return balloon_give(c->vcpu, (gpa_t){ c->arg[0] }, c->arg[1]);
}

static struct sbi_ret do_balloon_take(struct call *c)
{
    return balloon_take(c->vcpu, (gpa_t){ c->arg[0] }, c->arg[1]);
}

static struct sbi_ret do_yield(struct call *c)
{
    sched_give_way(c->vcpu);
    return OK(0);
}

static struct sbi_ret do_poll(struct call *c)
{
    struct vcpu *vcpu = c->vcpu;
    bool         kicked = vcpu->pv.kicked;

    vcpu->pv.kicked = false;
    if (!kicked && vcpu_sip(vcpu) == 0) {
        vcpu_block(vcpu);
        vcpu->pv.polls = vcpu->state == VCPU_BLOCKED;
    }
    return OK(kicked);
}

static bool sibling(struct call *c, struct vcpu **vcpu)
{
    struct vm *vm = c->vcpu->vm;

    if (c->arg[0] >= vm->config.nr_vcpus)
        return false;
    *vcpu = &vm->vcpu[c->arg[0]];
    return true;
}

static struct sbi_ret do_kick(struct call *c)
{
    struct vcpu *vcpu;

    if (!sibling(c, &vcpu))
        return ERR(SBI_ERR_INVALID_PARAM);
    vcpu->pv.kicked = true;
    if (vcpu->state == VCPU_BLOCKED && vcpu->pv.polls) {
        vcpu->pv.kicked = false;
        vcpu_wake(vcpu);
    }
    return OK(0);
}

static struct sbi_ret do_yield_to(struct call *c)
{
    struct vcpu *vcpu;

    if (!sibling(c, &vcpu))
        return ERR(SBI_ERR_INVALID_PARAM);
    sched_give_way_to(c->vcpu, vcpu);
    return OK(0);
}

static struct sbi_ret do_runstate(struct call *c)
{
    return steal_runstate(c->vcpu, c->arg[0], (gpa_t){ c->arg[1] });
}

static struct sbi_ret do_block(struct call *c)
{
    return pv_block(c->vcpu);
}

static struct sbi_ret do_set_timer(struct call *c)
{
    timer_ask(c->vcpu, c->arg[0] | (uint64_t)c->arg[1] << 32);
    return OK(0);
}

static struct sbi_ret do_shutdown(struct call *c)
{
    struct vm *vm = c->vcpu->vm;
    uint32_t   code = c->arg[1];

    if (c->arg[0] > PV_SHUTDOWN_CRASH)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (c->arg[0] == PV_SHUTDOWN_CRASH && code == 0)
        code = 1; /* a crash is never a success */
    vm_off(vm, code, c->arg[0] == PV_SHUTDOWN_REBOOT);
    return OK(0);
}

/* marker: hypercall-table */
static const struct {
    struct sbi_ret (*fn)(struct call *c);
    const char *name;
} calls[] = {
#define HYPERCALL(nr, name, nargs, version, signature, doc) \
    [nr] = { do_##name, #name },
#include "abi/hypercalls.def"
#undef HYPERCALL
};

struct sbi_ret hypercall(struct vcpu *vcpu, uint32_t nr, const uint32_t *arg,
                         bool *done)
{
    struct call c = { .vcpu = vcpu, .arg = arg };

    if (nr >= sizeof(calls) / sizeof(calls[0]) || !calls[nr].fn ||
        (of_direct(nr) && !is_direct(&c)))
        return ERR(SBI_ERR_NOT_SUPPORTED);
    struct sbi_ret ret = calls[nr].fn(&c);
    vcpu->vm->count.hypercalls += ret.error <= 0;
    *done = c.done;
    return ret;
}
/* marker: end */
