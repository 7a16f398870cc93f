/* guest_table.c - what a guest's kernel does with its page tables.
 *
 * A native kernel stores into them where its identity map has them; one that
 * calls makes the call. Either may fail, if earlier operations have wrecked
 * what it needs: then nothing has changed. */
#include "abi/pv.h"
#include "hvp/run.h"

static bool tell(struct hvp_run *run, struct hvp_act *act, uint32_t gpa,
                 uint32_t pte)
{
    uint32_t list = RAM_BASE + HVP_PAGE_LISTS * PAGE_SIZE;
    uint32_t update[2] = { gpa, pte }, arg[4] = { list, 1 };
    int32_t  error;

    return hv_mem_write(run->host, act->vm->id, list, update, sizeof(update)) ==
               HV_OK &&
           hvp_call(run, act, SBI_EXT_HV, HCALL_pt_update, arg, &error) &&
           error == 0;
}

static bool set_entry(struct hvp_run *run, struct hvp_act *act,
                      struct hvp_place at, uint32_t pte)
{
    struct hvp_act kernel = *act;
    uint32_t       old = hvp_peek(run, act->vm, at.gpa);
    bool           done;

    kernel.kernel = true;
    if (act->vm->pv) {
        done = tell(run, &kernel, at.gpa, pte);
    } else {
        hvp_do(run, &kernel, HVP_SLOT_STORE4, at.gpa, pte);
        done = run->last.done && !run->last.trapped;
    }
    hvp_owe_entry(run, act->vm, at.gpa);
    if (done && (old & PTE_V) && !(pte & PTE_V))
        hvp_past_add(&act->vm->unmapped, at.gva);
    return done;
}

static uint32_t leaf(struct hvp_run *run, const struct hvp_act *act)
{
    return hvp_frame_number(run, act->vm, act->b) << PTE_PPN_SHIFT | act->c;
}

void hvp_op_do_map(struct hvp_run *run, struct hvp_act *act)
{
    set_entry(run, act, hvp_place(act->a % (2 * HVP_WINDOWED)), leaf(run, act));
}

void hvp_op_do_remap(struct hvp_run *run, struct hvp_act *act)
{
    set_entry(run, act, hvp_place(act->a % (2 * HVP_WINDOWED)), leaf(run, act));
    hvp_owe_forgotten(act->vm);
}

void hvp_op_do_unmap(struct hvp_run *run, struct hvp_act *act)
{
    set_entry(run, act, hvp_place(act->a), 0);
}

static struct hvp_place root_place(uint32_t slot)
{
    return hvp_place(2 * HVP_WINDOWED + slot % 16);
}

void hvp_op_do_link(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_vm *vm = act->vm;

    hvp_table_add(vm, act->b);
    set_entry(run, act, root_place(act->a),
              hvp_frame_number(run, vm, act->b) << PTE_PPN_SHIFT | PTE_V);
}

/* Mostly one that is aligned. */
void hvp_op_do_mega(struct hvp_run *run, struct hvp_act *act)
{
    if (!(act->c & 0x200))
        act->b &= ~0x3ffu;
    set_entry(run, act, root_place(act->a), leaf(run, act));
}

void hvp_op_do_pte(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t pte = act->b ^ act->c << 16;

    hvp_table_add(act->vm, pte >> PTE_PPN_SHIFT);
    set_entry(run, act, hvp_place(act->a), pte);
}
