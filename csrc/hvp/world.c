/* world.c - the host and the VMs that a program begins with.
 *
 * `world` of the header says what they are; every value means something. */
#include "abi/sbi.h"
#include "hvp/run.h"
#include <string.h>

/* Few: tables are taken away while they are of use. Many: none is, so that a
 * flush that somebody forgot is not made for that reason. */
#define FEW_SHADOWS   5 /* for each hart */
#define MANY_SHADOWS  12
#define STAGE2_FRAMES 8

/* Instructions: more than it takes to start a VM, and not many more. */
#define BUDGET 40

#define SLOT 2000 /* ticks: more than its padding */

struct shape {
    uint32_t vms, memory, harts, pages, shadows, sync, policy;
    bool     overcommit;
};

static struct shape shape_of(const struct hvp_run *run)
{
    static const uint32_t pages[] = { 16, 20, 24, HVP_PAGES };
    static const uint32_t policies[] = { HV_POLICY_RR, HV_POLICY_CREDIT,
                                         HV_POLICY_FAIR, HV_POLICY_SLOTS };
    static const uint32_t syncs[] = { HV_SYNC_LAZY, HV_SYNC_TRACE,
                                      HV_SYNC_TRACE_STRICT, HV_SYNC_TOLD };
    uint32_t              world = run->world;
    struct shape          shape = {
        .vms = (world & 3) + 1,
        .memory = world >> 2 & 3,
        .harts = (world >> 4 & 1) + 1,
        .pages = pages[world >> 2 & 3],
        .sync = syncs[world >> 11 & 3],
        .policy = policies[world >> 13 & 3],
    };

    if (run->edf && shape.policy == HV_POLICY_RR)
        shape.policy = HV_POLICY_EDF;
    if (run->flags & HVP_STRICT)
        shape.policy = HV_POLICY_SLOTS;
    shape.shadows = (run->ample ? MANY_SHADOWS : FEW_SHADOWS) * shape.harts;
    shape.overcommit = (world >> 15 & 1) && shape.policy != HV_POLICY_SLOTS;
    return shape;
}

static uint32_t frames_of(const struct shape *shape)
{
    static const uint32_t spare[] = { 4, 8, 24, 48 };
    uint32_t              each = shape->pages;

    if (shape->overcommit)
        each = each * 3 / 4;
    return shape->vms * (each + shape->shadows + STAGE2_FRAMES) +
           spare[shape->memory];
}

static bool host_make(struct hvp_run *run)
{
    struct shape     shape = shape_of(run);
    struct hv_config config;

    hv_config_default(&config);
    config.engine = HV_ENGINE_REF;
    config.harts = shape.harts;
    config.ram_size = frames_of(&shape) * PAGE_SIZE;
    config.slice = 100;
    config.period = 1000;
    config.quantum = 200;
    config.policy = shape.policy;
    config.fill = run->fill;
    if (shape.overcommit)
        config.admission = HV_ADMISSION_OVERCOMMIT;
    return hv_host_new(&config, &run->host, NULL, 0) == HV_OK;
}

/* --- one VM ------------------------------------------------------------------- */

/* Two pairs of pages are equal, so that there is something to share; all others
 * differ, so that it shows which of them was read. */
static uint32_t contents(uint32_t page)
{
    uint32_t first = HVP_PAGE_DATA + 1;

    return page >= first && page < first + 4 ? first + ((page - first) & ~1u)
                                             : page;
}

static bool fill(struct hvp_run *run, const struct hvp_vm *vm)
{
    uint32_t tags[HVP_TAGS], words[PT_ENTRIES];
    uint32_t last = vm->pages - vm->pages / 4;

    for (uint32_t i = 0; i < HVP_TAGS; i++)
        tags[i] = hvp_tag(run, vm->serial, i);
    for (uint32_t page = HVP_PAGE_DATA; page < last; page++) {
        for (uint32_t i = 0; i < PT_ENTRIES; i++)
            words[i] = tags[(i + 11 * contents(page)) % HVP_TAGS];
        if (hv_mem_write(run->host, vm->id, RAM_BASE + page * PAGE_SIZE, words,
                         PAGE_SIZE) != HV_OK)
            return false;
    }
    return true;
}

static bool told(struct hvp_run *run, struct hvp_act *act, uint32_t call,
                 uint32_t a, uint32_t b)
{
    uint32_t arg[4] = { a, b };
    int32_t  error;

    return hvp_call(run, act, SBI_EXT_HV, call, arg, &error) && error == 0;
}

static bool start_direct(struct hvp_run *run, struct hvp_act *act)
{
    static const struct {
        uint8_t page, level;
    } pins[] = {
        { HVP_PAGE_IDENTITY, 0 },
        { HVP_PAGE_WINDOW, 0 },
        { HVP_PAGE_ROOT, 1 },
        { HVP_PAGE_ROOT2, 1 },
    };

    for (uint32_t i = 0; act->vcpu == 0 && i < 4; i++)
        if (!told(run, act, HCALL_pt_pin, RAM_BASE + pins[i].page * PAGE_SIZE,
                  pins[i].level))
            return false;
    return told(run, act, HCALL_set_roots, RAM_BASE + HVP_PAGE_ROOT * PAGE_SIZE,
                RAM_BASE + HVP_PAGE_ROOT2 * PAGE_SIZE);
}

static bool start_vcpu(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_vm *vm = act->vm;
    uint32_t       trap = RAM_BASE + hvp_slot_at(HVP_SLOT_TRAP);
    uint32_t       satp = SATP_MODE | (HVP_FIRST + HVP_PAGE_ROOT);

    if (!vm->pv)
        return hv_reg_set(run->host, vm->id, act->vcpu, HV_REG_CSR + CSR_STVEC,
                          trap) == HV_OK &&
               hv_reg_set(run->host, vm->id, act->vcpu, HV_REG_CSR + CSR_SATP,
                          satp) == HV_OK;
    if (!told(run, act, HCALL_set_shared,
              RAM_BASE + HVP_PAGE_SHARED * PAGE_SIZE, 0) ||
        !told(run, act, HCALL_set_entry, trap, 0))
        return false;
    return vm->style == HV_STYLE_DIRECT
               ? start_direct(run, act)
               : told(run, act, HCALL_set_root, satp, 0);
}

static bool start(struct hvp_run *run, uint32_t place)
{
    struct hvp_vm *vm = &run->vm[place];
    struct hvp_act act = { .vm = vm, .place = place, .kernel = true };
    uint32_t       trap = RAM_BASE + hvp_slot_at(HVP_SLOT_TRAP);
    uint32_t       arg[4] = { 1, trap };
    int32_t        error = 0;

    if (hv_vm_boot(run->host, vm->id, trap, 0, 0) != HV_OK ||
        !start_vcpu(run, &act))
        return false;
    if (vm->vcpus == 1)
        return true;
    if (!hvp_call(run, &act, SBI_EXT_HSM, SBI_HSM_START, arg, &error) || error)
        return false;
    act.vcpu = 1;
    return start_vcpu(run, &act);
}

static uint32_t create(struct hvp_run *run, uint32_t style, uint32_t pages)
{
    struct shape        shape = shape_of(run);
    struct hv_vm_config config;
    uint32_t            id = 0;

    hv_vm_config_default(&config);
    config.style = style;
    config.mem_size = pages * PAGE_SIZE;
    config.min_size = pages / 2 * PAGE_SIZE;
    config.vcpus = shape.harts;
    config.shadow_frames = shape.shadows;
    config.sync = shape.sync;
    config.max_insns = run->budget ? BUDGET : 0;
    if (config.sync == HV_SYNC_TOLD && style != HV_STYLE_PV)
        config.sync = HV_SYNC_DEFAULT;
    if (hv_vm_create(run->host, &config, &id, NULL, 0) != HV_OK)
        return 0;
    return id;
}

/* Under edf: as much as one hart can promise to two VMs; others get what is left
 * over. */
static void give_budget(struct hvp_run *run, uint32_t id, uint32_t place)
{
    static const struct {
        uint32_t budget, period;
    } rates[HVP_VMS] = { { 600, 6000 }, { 600, 8000 } };
    struct hv_sched sched;

    if (shape_of(run).policy != HV_POLICY_EDF || !rates[place].budget ||
        hv_sched_get(run->host, id, &sched) != HV_OK)
        return;
    sched.budget = rates[place].budget;
    sched.period = rates[place].period;
    hv_sched_set(run->host, id, &sched, NULL, 0);
}

/* A number names one VM for ever: P40. */
void hvp_id_note(struct hvp_run *run, uint32_t id)
{
    for (uint32_t i = 0; i < run->nr_ids && i < HVP_IDS; i++)
        if (run->ids[i] == id)
            hvp_fail(run, "P40", "VM %#x: there was one of this id before",
                     (unsigned)id);
    run->ids[run->nr_ids++ % HVP_IDS] = id;
}

bool hvp_vm_make(struct hvp_run *run, uint32_t place, uint32_t style,
                 uint32_t pages)
{
    struct hvp_vm *vm = &run->vm[place];

    *vm = (struct hvp_vm){
        .id = create(run, style, pages),
        .serial = ++run->serials,
        .kin = hvp_tag_bit(run->serials),
        .tried = true,
        .pages = pages,
        .target = pages,
        .vcpus = shape_of(run).harts,
        .style = style,
        .pv = style == HV_STYLE_PV || style == HV_STYLE_DIRECT,
        .logged = run->context->logged + place * HVP_PAGES * PAGE_SIZE,
    };
    if (!vm->id)
        return false;
    hvp_id_note(run, vm->id);
    give_budget(run, vm->id, place);
    if (hvp_tables_write(run, vm) && fill(run, vm) && start(run, place))
        return true;
    return false; /* short of memory: it stays as far as it is */
}

void hvp_vm_gone(struct hvp_run *run, uint32_t place)
{
    run->vm[place].id = 0;
    run->vm[place].logging = false;
}

/* --- all of them ---------------------------------------------------------------- */

static void give_slots(struct hvp_run *run, const struct shape *shape)
{
    struct hv_slot rows[HVP_VMS];
    uint32_t       n = 0;

    for (uint32_t i = 0; i < shape->vms; i++)
        if (run->vm[i].id)
            rows[n++] = (struct hv_slot){ run->vm[i].id, SLOT };
    if (n)
        hv_slots_set(run->host, rows, n, NULL, 0);
}

bool hvp_world_make(struct hvp_run *run)
{
    struct shape shape = shape_of(run);

    if (!host_make(run))
        return false;
    for (uint32_t i = 0; i < shape.vms; i++)
        hvp_vm_make(run, i, hvp_world_style(run->world, i), shape.pages);
    if (shape.policy == HV_POLICY_SLOTS)
        give_slots(run, &shape);
    return true;
}
