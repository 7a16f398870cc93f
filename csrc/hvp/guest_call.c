/* guest_call.c - hypercalls, well-meant and not.
 *
 * A list that a call is to read is first put where the call is told to find it.
 * A call that comes back with an error must have changed nothing: P28. */
#include "abi/pv.h"
#include "hvp/run.h"
#include <string.h>

#define LIST_WORDS 512
#define LIST_ROOM  (LIST_WORDS + PV_MULTICALL_SIZE / 4)

static uint32_t lists(void)
{
    return RAM_BASE + HVP_PAGE_LISTS * PAGE_SIZE;
}

static bool of_direct(uint32_t number)
{
    return number >= HCALL_memory_map && number <= HCALL_set_roots;
}

/* What holds after any call: the calls of one style are not there in others
 * (where machine memory is, is nobody else's business: P19), and a list of
 * calls has not changed where its kernel goes on (P14). */
static void check_back(struct hvp_run *run, const struct hvp_act *act,
                       uint32_t number, int32_t error)
{
    struct vm *vm = hvp_live(run, act->vm);

    if (!vm || vm->state != VM_LIVE)
        return;
    const struct vcpu *vcpu = &vm->vcpu[act->vcpu];
    uint32_t           pc = vcpu_regs(&vm->vcpu[act->vcpu])->pc;

    run->out->checks++;
    if (act->vm->pv && !vm->style->direct && of_direct(number) &&
        error != SBI_ERR_NOT_SUPPORTED)
        hvp_fail(run, number == HCALL_memory_map ? "P19" : "P27",
                 "call %u of style direct: %d in another", (unsigned)number,
                 (int)error);
    if (number == HCALL_multicall &&
        (vcpu->mode != PRIV_S || pc - RAM_BASE >= PAGE_SIZE))
        hvp_fail(run, "P14", "a list of calls ends at %#x in mode %u",
                 (unsigned)pc, (unsigned)vcpu->mode);
}

/* The hypervisor writes down what time it is, now or from now on. */
static bool is_clock(uint32_t number)
{
    return number == HCALL_runstate || number == HCALL_set_shared;
}

/* False: it did not come back, or with an error. */
static bool call(struct hvp_run *run, struct hvp_act *act, uint32_t number,
                 uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t arg[4] = { a, b, c };
    int32_t  error;
    uint64_t before = hvp_abstract_before(run, act);
    bool     back = hvp_call(run, act, SBI_EXT_HV, number, arg, &error);

    act->vm->clocked |= is_clock(number);
    if (back && act->kernel)
        check_back(run, act, number, error);
    if (back && error < 0)
        hvp_abstract_check(run, act, before, number, error);
    hvp_owe_unknown(act->vm);
    return back && error >= 0 && hvp_live(run, act->vm);
}

void hvp_op_do_call(struct hvp_run *run, struct hvp_act *act)
{
    call(run, act, act->a, act->b, act->c, act->c);
}

/* Meanwhile the hypervisor may have told the VM something there. */
static bool told_within(struct hvp_run *run, const struct hvp_act *act,
                        uint32_t n)
{
    const struct vm *vm = hvp_live(run, act->vm);
    uint32_t         last = act->b + (n > 0 ? n - 1 : 0);

    return hvp_told_there(vm, act->b >> PAGE_SHIFT) ||
           hvp_told_there(vm, last >> PAGE_SHIFT);
}

/* What was printed is what is in memory from there on. */
static void check_print(struct hvp_run *run, const struct hvp_act *act)
{
    uint8_t printed[256], there[256];
    size_t  n = hv_console_take(run->host, act->vm->id, printed,
                                sizeof(printed));

    if (told_within(run, act, (uint32_t)n))
        return;
    run->out->checks++;
    if (hv_mem_read(run->host, act->vm->id, act->b, there, (uint32_t)n) !=
            HV_OK ||
        memcmp(printed, there, n) != 0)
        hvp_fail(run, "P21", "%u bytes at %#x: others were printed",
                 (unsigned)n, (unsigned)act->b);
}

/* What was read is there: letters, as the operation `console` has them. */
static void check_input(struct hvp_run *run, const struct hvp_act *act,
                        uint32_t n)
{
    uint8_t there[256];

    n = n < sizeof(there) ? n : sizeof(there);
    if (told_within(run, act, n))
        return;
    run->out->checks++;
    if (hv_mem_read(run->host, act->vm->id, act->b, there, n) != HV_OK)
        return;
    for (uint32_t i = 0; i < n; i++)
        if (there[i] < 'a' || there[i] > 'z')
            hvp_fail(run, "P1", "%u bytes came to %#x: not all are there",
                     (unsigned)n, (unsigned)act->b);
}

void hvp_op_do_call_at(struct hvp_run *run, struct hvp_act *act)
{
    bool print = act->a == HCALL_console_write;

    if (print)
        hvp_check_consoles(run);
    if (!call(run, act, act->a, act->b, act->c, act->b))
        return;
    if (print && hvp_checks(run, HVP_ORACLE_ACCESS))
        check_print(run, act);
    if (act->a == HCALL_console_read && hvp_checks(run, HVP_ORACLE_ACCESS))
        check_input(run, act, hvp_reg(run, act, REG_A0 + 1));
}

/* What a list of this call has in entry i; returns words per entry. */
static uint32_t list_entry(struct hvp_run *run, const struct hvp_act *act,
                           uint32_t number, uint32_t i, uint32_t *to)
{
    /* A length that is an edge: two frames, over and over. */
    bool     again = hvp_form(act->record->arg[1]) == HVP_BOUNDARY;
    uint32_t gfn = act->c + (again ? i % 2 : i);

    switch (number) {
    case HCALL_pt_update:
        /* A list that begins with its own page: entry 0 stores into entry 1,
         * and makes it one that may not be done. */
        if (gfn == lists() >> PAGE_SHIFT && i == 0) {
            to[0] = lists() + PV_PT_UPDATE_SIZE;
            to[1] = RAM_BASE + act->vm->pages * PAGE_SIZE;
            return 2;
        }
        to[0] = hvp_place(gfn + 7 * i).gpa;
        to[1] = hvp_frame_number(run, act->vm, gfn) << PTE_PPN_SHIFT | 0xdf;
        return 2;
    case HCALL_multicall:
        to[0] = gfn % 27;
        to[1] = 0;
        to[2] = to[5] = lists();
        to[3] = to[4] = 1;
        return PV_MULTICALL_SIZE / 4;
    default:
        to[0] = gfn;
        return 1;
    }
}

/* The words of a list; returns their number. */
static uint32_t make_list(struct hvp_run *run, const struct hvp_act *act,
                          uint32_t number, uint32_t count, uint32_t *words)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count && n < LIST_WORDS; i++)
        n += list_entry(run, act, number, i, words + n);
    return n;
}

static bool put_list(struct hvp_run *run, const struct hvp_act *act,
                     uint32_t number, uint32_t count)
{
    uint32_t words[LIST_ROOM];
    uint32_t n = make_list(run, act, number, count, words);

    return hv_mem_write(run->host, act->vm->id, lists(), words, 4 * n) == HV_OK;
}

/* What a list of stores said when it was named is what was done, whatever has
 * become of the list by that: P28. The last one of each place counts. */
static void check_updated(struct hvp_run *run, const struct hvp_act *act,
                          const uint32_t (*entry)[2], uint32_t       count)
{
    struct vm *vm = hvp_live(run, act->vm);

    /* It may have been told of an interrupt on the way, into the list. */
    if (!hvp_checks(run, HVP_ORACLE_ERRORS) ||
        hvp_told_there(vm, lists() >> PAGE_SHIFT))
        return;
    run->out->checks++;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = entry[i][0], last = i;

        for (uint32_t k = i + 1; k < count; k++)
            last = entry[k][0] == slot ? k : last;
        if (!hvp_told_there(vm, slot >> PAGE_SHIFT) &&
            hvp_peek(run, act->vm, slot) != entry[last][1])
            hvp_fail(run, "P28", "a list said %#x at %#x: there is %#x",
                     (unsigned)entry[last][1], (unsigned)slot,
                     (unsigned)hvp_peek(run, act->vm, slot));
    }
}

static void update(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t words[LIST_ROOM];
    uint32_t n = make_list(run, act, HCALL_pt_update, act->b, words);

    if (call(run, act, HCALL_pt_update, lists(), act->b, 0))
        check_updated(run, act, (const uint32_t (*)[2])words, n / 2);
}

void hvp_op_do_call_list(struct hvp_run *run, struct hvp_act *act)
{
    if (!put_list(run, act, act->a, act->b))
        return;
    if (act->a == HCALL_memory_map)
        call(run, act, act->a, act->c, act->b, lists());
    else if (act->a == HCALL_pt_update)
        update(run, act);
    else
        call(run, act, act->a, lists(), act->b, 0);
}

void hvp_op_do_multicall(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t record[2][PV_MULTICALL_SIZE / 4] = {
        { act->a, 0, act->c, 1, 0, 0 },
        { act->b, 0, act->c, 1, 0, 0 },
    };

    if (hv_mem_write(run->host, act->vm->id, lists(), record, sizeof(record)) ==
        HV_OK)
        call(run, act, HCALL_multicall, lists(), 2, 0);
    act->vm->clocked |= is_clock(act->a) || is_clock(act->b);
}

void hvp_op_do_set_shared(struct hvp_run *run, struct hvp_act *act)
{
    call(run, act, HCALL_set_shared, act->a, 0, 0);
}

/* --- the balloon -------------------------------------------------------------------- */

void hvp_op_do_balloon_give(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t first = act->a;

    act->c = first;
    if (!put_list(run, act, HCALL_balloon_give, act->b) ||
        !call(run, act, HCALL_balloon_give, lists(), act->b, 0))
        return;
    for (uint32_t i = 0; i < act->b && i < HVP_PAGES; i++) {
        hvp_past_add(&act->vm->given, first + i);
        if (hvp_frame(run, act->vm, first + i - HVP_FIRST))
            hvp_fail(run, "P30", "frame %#x was given back, and is there",
                     (unsigned)(first + i));
    }
}

/* Not more than the host wants it to have: P5. */
static void check_target(struct hvp_run *run, const struct hvp_act *act)
{
    struct vm *vm = hvp_live(run, act->vm);
    uint32_t   has = 0;

    for (uint32_t i = 0; i < vm->p2m.count; i++)
        has += !(vm->p2m.state[i] & P2M_GONE);
    run->out->checks++;
    if (has > act->vm->target)
        hvp_fail(run, "P5", "the VM has %u frames, its host wants %u",
                 (unsigned)has, (unsigned)act->vm->target);
}

/* What is taken is zero: P2. */
void hvp_op_do_balloon_take(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t first = act->a, word;

    act->c = first;
    if (!put_list(run, act, HCALL_balloon_take, act->b) ||
        !call(run, act, HCALL_balloon_take, lists(), act->b, 0))
        return;
    check_target(run, act);
    for (uint32_t i = 0; i < act->b && i < HVP_PAGES; i++)
        for (uint32_t at = 0; at < PAGE_SIZE; at += 4) {
            word = hvp_peek(run, act->vm, ((first + i) << PAGE_SHIFT) + at);
            if (word)
                hvp_fail(run, "P2", "frame %#x was taken, and is not zero",
                         (unsigned)(first + i));
        }
}

/* --- style `direct` ------------------------------------------------------------------- */

void hvp_op_do_pin(struct hvp_run *run, struct hvp_act *act)
{
    call(run, act, HCALL_pt_pin, act->a << PAGE_SHIFT, act->b, 0);
}

void hvp_op_do_unpin(struct hvp_run *run, struct hvp_act *act)
{
    if (call(run, act, HCALL_pt_unpin, act->a << PAGE_SHIFT, 0, 0))
        hvp_past_add(&act->vm->unpinned, act->a);
}

void hvp_op_do_set_roots(struct hvp_run *run, struct hvp_act *act)
{
    call(run, act, HCALL_set_roots, act->a << PAGE_SHIFT, act->b << PAGE_SHIFT,
         0);
}
