/* lockstep.c - one program, bare and in a VM, compared after every step.
 *
 * Popek and Goldberg's equivalence, made a test: the bare machine with its
 * firmware, and a VM with nothing beneath it but the hypervisor, start in the
 * same state and make the same steps. A step is one instruction retired or
 * one trap taken by the guest. After each of them these must be equal:
 *
 *   x0-x31, pc, mode; every CSR that a kernel has, time and counters included;
 *   every byte of memory; at the end also how it ended, and the console.
 *
 * For time to be comparable the cost table must be "an instruction is one
 * cycle, all else is free". What cannot be equal, and need not be:
 *
 *   sip      an interrupt that the firmware is about to pass on (its own timer
 *            or software interrupt is due) is compared as if it had been: the
 *            guest could not look at sip before that either.
 *   SC       may fail for no reason. It does, on either side, when something
 *            invisible came between LR and SC: the firmware's timer interrupt,
 *            or an exit to the hypervisor. It must never succeed on one side
 *            only because a trap of the guest's own left the reservation.
 *   CLINT    the machine has no PMP, so a bare kernel can reach it; a VM has
 *            none. A kernel that runs on an SBI has no business there.
 *
 * Where the two part in such a way, the comparison ends as LEGAL. Unfenced
 * programs may also part over a stale translation: whoever calls this function
 * has to judge that, with hv/spec. */
#include "api/host.h"
#include "hyp/hyp.h"
#include <stdlib.h>
#include <string.h>

#define TRAIL (sizeof(((struct hv_divergence *)0)->trail_pc) / 4)
/* So many traps without an instruction between them: nothing new will come. */
#define TRAP_STORM 12
/* `j .` neither: how a program says that it has come to its end. */
#define ENDLESS 0x0000006f

static const uint32_t compared_csrs[] = {
    CSR_SSTATUS, CSR_SIE,    CSR_STVEC,  CSR_SCOUNTEREN, CSR_SSCRATCH,
    CSR_SEPC,    CSR_SCAUSE, CSR_STVAL,  CSR_SATP,       CSR_TIME,
    CSR_TIMEH,   CSR_CYCLE,  CSR_CYCLEH, CSR_INSTRET,    CSR_INSTRETH,
};

struct lockstep {
    hv_host              *bare, *host;
    struct vm            *vm;
    struct vcpu          *vcpu;
    struct hart          *hart;  /* the bare one */
    struct hart          *under; /* the one beneath the VM */
    struct hv_divergence *out;
    struct hv_coverage   *coverage;
    uint32_t              pc, insn; /* of the step being made */
    uint32_t              storm;
    uint64_t              dice;   /* for moves */
    uint8_t              *logged; /* its memory when it was last logged */
    /* Since the last LR: traps that only one side could notice, and the
     * guest's own. Counters of the harts when it was executed. */
    uint64_t lr_bare_m, lr_vm_m, lr_guest;
};

static uint32_t load_word(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, 4);
    return word;
}

/* --- one step's neighbourhood ---------------------------------------------- */

static uint64_t guest_traps(const struct hart *hart)
{
    return hart->count.traps_s + hart->count.irqs_s;
}

static uint64_t machine_traps(const struct hart *hart)
{
    return hart->count.traps_m + hart->count.irqs_m;
}

#define IS_AMO(insn, f5) \
    (((insn) & 0xf800707f) == ((uint32_t)(f5) << 27 | 0x202f))
#define IS_LR(insn) IS_AMO(insn, 2)
#define IS_SC(insn) IS_AMO(insn, 3)

/* What is about to be executed; 0 if it cannot be fetched. */
static void look_ahead(struct lockstep *l)
{
    struct hv_divergence *out = l->out;
    uint32_t              pa, n = out->trail_len;

    l->pc = l->hart->regs.pc;
    l->insn = 0;
    if (hart_translate(l->hart, l->pc, ACCESS_FETCH, &pa) == -1 &&
        machine_ram(l->bare->machine, pa))
        l->insn = load_word(machine_ram(l->bare->machine, pa));
    if (IS_LR(l->insn)) {
        l->lr_bare_m = machine_traps(l->hart);
        l->lr_guest = guest_traps(l->hart);
    }
    if (n == TRAIL) {
        memmove(out->trail_pc, out->trail_pc + 1, 4 * (TRAIL - 1));
        memmove(out->trail_insn, out->trail_insn + 1, 4 * (TRAIL - 1));
        n--;
    }
    out->trail_pc[n] = l->pc;
    out->trail_insn[n] = l->insn;
    out->trail_len = n + 1;
}

/* After the step: the LR itself may have caused exits, before it retired. */
static void look_back(struct lockstep *l, uint64_t traps)
{
    struct hv_coverage *coverage = l->coverage;
    uint32_t            cause = l->hart->csr.scause;

    if (IS_LR(l->insn))
        l->lr_vm_m = machine_traps(l->under);
    l->storm = guest_traps(l->hart) != traps ? l->storm + 1 : 0;
    if (!coverage)
        return;
    coverage->steps++;
    if (guest_traps(l->hart) == traps)
        return;
    if (cause & CAUSE_INTERRUPT)
        coverage->irqs[cause & 15]++;
    else
        coverage->traps[cause & 15]++;
}

/* --- comparing -------------------------------------------------------------- */

static bool differ(struct lockstep *l, uint32_t what, uint32_t bare,
                   uint32_t vm)
{
    l->out->end = HV_LOCKSTEP_DIFFER;
    l->out->what = what;
    l->out->bare = bare;
    l->out->vm = vm;
    return false;
}

/* sip, with what the firmware will find out before the next instruction. */
static uint32_t bare_sip(const struct lockstep *l)
{
    const struct firmware *fw = &l->bare->fw;
    uint32_t               sip, id = l->hart->id;

    hv_reg_get(l->bare, 0, 0, HV_REG_CSR + CSR_SIP, &sip);
    if ((l->hart->csr.mie & MIP_MTIP) &&
        machine_mtimecmp(l->bare->machine, id) <= hart_time(l->hart))
        sip |= MIP_STIP;
    if (fw->hart[id].ipi)
        sip |= MIP_SSIP;
    return sip;
}

static uint32_t vm_sip(struct lockstep *l)
{
    uint32_t sip = vcpu_sip(l->vcpu);

    if (l->vcpu->timer <= hart_time(l->under))
        sip |= MIP_STIP;
    return sip;
}

static bool same_registers(struct lockstep *l)
{
    const struct regs *bare = &l->hart->regs, *vm = vcpu_regs(l->vcpu);
    uint32_t           a = 0, b = 0;

    for (uint32_t i = 0; i < 32; i++)
        if (bare->x[i] != vm->x[i])
            return differ(l, i, bare->x[i], vm->x[i]);
    if (bare->pc != vm->pc)
        return differ(l, HV_REG_PC, bare->pc, vm->pc);
    if (l->hart->priv != l->vcpu->mode)
        return differ(l, HV_REG_PRIV, l->hart->priv, l->vcpu->mode);
    for (size_t i = 0; i < sizeof(compared_csrs) / 4; i++) {
        uint32_t reg = HV_REG_CSR + compared_csrs[i];

        if (hv_reg_get(l->bare, 0, 0, reg, &a) != HV_OK ||
            hv_reg_get(l->host, l->vm->id, 0, reg, &b) != HV_OK || a != b)
            return differ(l, reg, a, b);
    }
    a = bare_sip(l);
    b = vm_sip(l);
    return a == b || differ(l, HV_REG_CSR + CSR_SIP, a, b);
}

/* Which word of this page differs? There is one. */
static bool page_differs(struct lockstep *l, uint32_t gpa, const uint8_t *bare,
                         const uint8_t *vm)
{
    uint32_t at = 0;

    while (load_word(bare + at) == load_word(vm + at))
        at += 4;
    l->out->gpa = gpa + at;
    return differ(l, HV_LOCKSTEP_MEMORY, load_word(bare + at),
                  load_word(vm + at));
}

static bool same_memory(struct lockstep *l)
{
    static const uint8_t zero[PAGE_SIZE];

    for (uint32_t i = 0; i < l->vm->p2m.count; i++) {
        uint32_t       gpa = RAM_BASE + (i << PAGE_SHIFT);
        const uint8_t *bare = machine_ram(l->bare->machine, gpa), *vm = zero;
        hfn_t          hfn;

        if (p2m_lookup(l->vm, gpa_frame((gpa_t){ gpa }), &hfn))
            vm = machine_ram(l->host->machine, hfn_base(hfn).raw);
        if (memcmp(bare, vm, PAGE_SIZE) != 0)
            return page_differs(l, gpa, bare, vm);
    }
    return true;
}

/* --- endings ----------------------------------------------------------------- */

static uint32_t bare_life(const struct lockstep *l, int status)
{
    struct power power = machine_power(l->bare->machine);

    if (power.off)
        return HV_LOCKSTEP_OFF | power.code << 8 | (uint32_t)power.reset << 31;
    return status == HV_OK ? HV_LOCKSTEP_RUNS : HV_LOCKSTEP_IDLE;
}

static uint32_t vm_life(const struct lockstep *l, int status)
{
    switch (l->vm->state) {
    case VM_LIVE:
        return status == HV_OK ? HV_LOCKSTEP_RUNS : HV_LOCKSTEP_IDLE;
    case VM_OFF:
        return HV_LOCKSTEP_OFF | l->vm->exit_code << 8 |
               (uint32_t)l->vm->rebooted << 31;
    default:
        return HV_LOCKSTEP_KILLED;
    }
}

static uint32_t console_hash(hv_host *host, uint32_t id)
{
    uint32_t hash = 0x811c9dc5;
    uint8_t  byte;

    while (hv_console_take(host, id, &byte, 1))
        hash = (hash ^ byte) * 0x01000193;
    return hash;
}

static bool same_console(struct lockstep *l)
{
    uint32_t bare = console_hash(l->bare, 0);
    uint32_t vm = console_hash(l->host, l->vm->id);

    return bare == vm || differ(l, HV_LOCKSTEP_CONSOLE, bare, vm);
}

/* --- what may differ ----------------------------------------------------------- */

/* An SC that one side lost to something that its guest could not see. */
static bool legal_sc(const struct lockstep *l)
{
    if (!IS_SC(l->insn) || guest_traps(l->hart) != l->lr_guest)
        return false;
    if (l->out->what != (l->insn >> 7 & 31)) /* rd, which is compared first */
        return false;
    if (l->out->bare == 0 && l->out->vm == 1)
        return machine_traps(l->under) != l->lr_vm_m;
    return l->out->bare == 1 && l->out->vm == 0 &&
           machine_traps(l->hart) != l->lr_bare_m;
}

/* The VM was refused an access that led the bare machine to its CLINT. */
static bool legal_clint(const struct lockstep *l)
{
    uint32_t    cause = l->vcpu->csr.scause, pa;
    enum access access = cause == CAUSE_LOAD_ACCESS ? ACCESS_LOAD
                                                    : ACCESS_STORE;

    if (cause != CAUSE_LOAD_ACCESS && cause != CAUSE_STORE_ACCESS)
        return false;
    return hart_translate(l->hart, l->vcpu->csr.stval, access, &pa) == -1 &&
           pa - CLINT_BASE < CLINT_SIZE;
}

/* --- the loop --------------------------------------------------------------------- */

/* False when there is no next step; out->end says why. */
static bool step_both(struct lockstep *l)
{
    uint64_t traps = guest_traps(l->hart);

    look_ahead(l);
    int      bare = hv_step(l->bare, 0, 0);
    int      vm = hv_step(l->host, l->vm->id, 0);
    uint32_t a = bare_life(l, bare), b = vm_life(l, vm);

    if (bare == HV_ERR_BROKEN || vm == HV_ERR_BROKEN) {
        l->out->end = HV_LOCKSTEP_BROKEN;
        return false;
    }
    if (a != b) {
        differ(l, HV_LOCKSTEP_ENDING, a, b);
        return false;
    }
    look_back(l, traps);
    vcpu_pull(l->vcpu);
    if ((a & 0xff) == HV_LOCKSTEP_OFF || !same_registers(l) ||
        !same_memory(l)) {
        if (l->out->end == HV_LOCKSTEP_DIFFER &&
            (legal_sc(l) || legal_clint(l)))
            l->out->end = HV_LOCKSTEP_LEGAL;
        return false;
    }
    l->out->steps++;
    return a == HV_LOCKSTEP_RUNS && l->storm < TRAP_STORM && l->insn != ENDLESS;
}

/* --- sharing and logging, while it runs -------------------------------------- */

/* P37: what was in memory when the log began anew, and the pages that were
 * noted since, are all of what is there now. Fetch, check, and begin anew. */
static bool check_log(struct lockstep *l)
{
    uint8_t  map[HV_PRIVGEN_RAM / PAGE_SIZE / 8];
    uint32_t n, size = l->vm->config.mem_size;

    if (hv_dirty_fetch(l->host, l->vm->id, map, sizeof(map), &n) != HV_OK)
        return false;
    for (uint32_t i = 0; i < size >> PAGE_SHIFT; i++) {
        uint8_t *was = l->logged + i * PAGE_SIZE, now[PAGE_SIZE];

        hv_mem_read(l->host, l->vm->id, RAM_BASE + i * PAGE_SIZE, now,
                    PAGE_SIZE);
        if (!(map[i / 8] >> i % 8 & 1) && memcmp(was, now, PAGE_SIZE) != 0)
            differ(l, HV_LOCKSTEP_LOG, 0, RAM_BASE + i * PAGE_SIZE);
        memcpy(was, now, PAGE_SIZE);
    }
    return true;
}

static bool start_log(struct lockstep *l)
{
    return hv_mem_read(l->host, l->vm->id, RAM_BASE, l->logged,
                       l->vm->config.mem_size) == HV_OK &&
           hv_dirty_start(l->host, l->vm->id) == HV_OK;
}

/* Merge equal pages, log anew: so the next write to each finds it shared, or
 * clean. */
static bool serve(struct lockstep *l)
{
    uint32_t n;

    l->dice = l->dice * 6364136223846793005u + 1442695040888963407u;
    if (l->dice >> 61 != 0)
        return true;
    if (l->dice >> 40 & 1)
        return hv_share_scan(l->host, l->dice >> 41 & 1 ? 0 : 40, &n) == HV_OK;
    if (!l->vm->p2m.logging)
        return start_log(l);
    if (!check_log(l))
        return false;
    return l->dice >> 41 & 3 || hv_dirty_stop(l->host, l->vm->id) == HV_OK;
}

/* Another style or policy, now and then, as the program's seed says. */
static bool move(struct lockstep *l)
{
    static const uint32_t styles[] = { HV_STYLE_EMULATE, HV_STYLE_ASSIST,
                                       HV_STYLE_NESTED };
    uint32_t              n = sizeof(styles) / sizeof(styles[0]);

    l->dice = l->dice * 6364136223846793005u + 1442695040888963407u;
    if (l->dice >> 60 != 0)
        return true;
    uint32_t chosen = (uint32_t)(l->dice >> 40) & 0xff;
    if (chosen & 1)
        return hv_vm_set_sync(l->host, l->vm->id,
                              HV_SYNC_LAZY + (chosen >> 1) % 3) == HV_OK;
    return hv_vm_set_style(l->host, l->vm->id, styles[(chosen >> 1) % n]) ==
           HV_OK;
}

static int lockstep_run(hv_host *bare, hv_host *host, uint32_t id,
                        uint32_t flags, uint32_t max_steps,
                        struct hv_divergence *out, struct hv_coverage *coverage)
{
    struct lockstep l = {
        .bare = bare,
        .host = host,
        .out = out,
        .coverage = coverage,
        .dice = out->seed,
    };
    bool moves = flags & HV_LOCKSTEP_MOVES, serves = flags & HV_LOCKSTEP_SHARES;
    int  status = host_guest(host, id, &l.vm);

    if (status != HV_OK)
        return status;
    if (!bare || host_has_hyp(bare) || !bare->booted || !l.vm ||
        l.vm->config.mem_size != bare->config.ram_size)
        return HV_ERR_STATE;
    l.vcpu = &l.vm->vcpu[0];
    l.hart = machine_hart(bare->machine, 0);
    l.under = machine_hart(host->machine, 0);
    if (serves && !(l.logged = malloc(HV_PRIVGEN_RAM)))
        return HV_ERR_NO_MEMORY;
    while (max_steps-- && status == HV_OK && step_both(&l) &&
           out->end == HV_LOCKSTEP_SAME)
        if ((moves && !move(&l)) || (serves && !serve(&l)))
            status = HV_ERR_STATE;
    free(l.logged);
    if (out->end == HV_LOCKSTEP_SAME)
        same_console(&l);
    return status;
}

int hv_lockstep(hv_host *bare, hv_host *host, uint32_t vm, uint32_t max_steps,
                struct hv_divergence *out)
{
    if (!out)
        return HV_ERR_INVALID;
    *out = (struct hv_divergence){ .end = HV_LOCKSTEP_SAME };
    return lockstep_run(bare, host, vm, 0, max_steps, out, NULL);
}

/* --- pairs and batches -------------------------------------------------------- */

static int make_vm(hv_host *host, const struct hv_vm_config *guest,
                   const uint8_t *image, size_t n, uint32_t *vm)
{
    struct hv_vm_config config = *guest;
    int                 status;

    config.mem_size = HV_PRIVGEN_RAM;
    status = hv_vm_create(host, &config, vm, NULL, 0);
    for (size_t at = 0; status == HV_OK && at + PAGE_SIZE <= n;
         at += PAGE_SIZE) {
        /* Later pages first, so that no page is where the guest thinks. */
        size_t         from = n - PAGE_SIZE - at;
        const uint8_t *page = image + from;

        if (page[0] || memcmp(page, page + 1, PAGE_SIZE - 1) != 0)
            status = hv_mem_write(host, *vm, RAM_BASE + (uint32_t)from, page,
                                  PAGE_SIZE);
    }
    return status == HV_OK ? hv_vm_boot(host, *vm, RAM_BASE, 0, 0) : status;
}

int hv_lockstep_pair(const struct hv_config    *config,
                     const struct hv_vm_config *guest, const uint8_t *image,
                     size_t n, hv_host **bare, hv_host **host, uint32_t *vm)
{
    struct hv_config one, two;
    int              status;

    if (!config || !guest || !image || !bare || !host || !vm ||
        n > HV_PRIVGEN_RAM || n % PAGE_SIZE)
        return HV_ERR_INVALID;
    *bare = *host = NULL;
    one = two = *config;
    one.m_mode = HV_M_FIRMWARE;
    one.ram_size = HV_PRIVGEN_RAM;
    one.asid_bits = 0; /* as in a VM */
    two.m_mode = HV_M_HYPERVISOR;
    status = hv_host_new(&one, bare, NULL, 0);
    if (status == HV_OK)
        status = hv_host_new(&two, host, NULL, 0);
    if (status == HV_OK)
        status = hv_mem_write(*bare, 0, RAM_BASE, image, n);
    if (status == HV_OK)
        status = hv_vm_boot(*bare, 0, RAM_BASE, 0, 0);
    if (status == HV_OK)
        status = make_vm(*host, guest, image, n, vm);
    if (status != HV_OK) {
        hv_host_free(*bare);
        hv_host_free(*host);
        *bare = *host = NULL;
    }
    return status;
}

static void add_counters(hv_host *host, uint32_t vm, struct hv_coverage *sum)
{
    uint64_t count[sizeof(sum->vm) / sizeof(sum->vm[0])];
    uint32_t n = hv_counter_count(HV_COUNTERS_VM);

    if (n > sizeof(count) / sizeof(count[0]) ||
        hv_counters(host, vm, HV_COUNTERS_VM, count, n) != HV_OK)
        return;
    for (uint32_t i = 0; i < n; i++)
        sum->vm[i] += count[i];
}

/* From the smallest there may be, where eviction never ends, to one with room
 * for everything. */
uint32_t hv_lockstep_pool(uint64_t seed)
{
    static const uint32_t frames[] = { 0, 4, 5, 6, 7, 8, 9, 10 };

    return frames[seed % (sizeof(frames) / sizeof(frames[0]))];
}

/* A VM with the same image, that stands still: pages to share. */
static int make_twin(hv_host *host, const struct hv_vm_config *guest,
                     const uint8_t *image)
{
    uint32_t twin;
    int      status = make_vm(host, guest, image, HV_PRIVGEN_RAM, &twin);

    return status == HV_OK ? hv_vm_pause(host, twin) : status;
}

static int run_seed(const struct hv_config *config, struct hv_vm_config guest,
                    uint64_t seed, uint32_t flags, uint32_t max_steps,
                    uint8_t *image, struct hv_divergence *out,
                    struct hv_coverage *coverage)
{
    hv_host *bare, *host;
    uint32_t vm;
    int      status = hv_privgen(seed, flags, image, HV_PRIVGEN_RAM);

    guest.shadow_frames = hv_lockstep_pool(seed);
    if (status == HV_OK)
        status = hv_lockstep_pair(config, &guest, image, HV_PRIVGEN_RAM, &bare,
                                  &host, &vm);
    if (status != HV_OK)
        return status;
    if (flags & HV_LOCKSTEP_SHARES)
        status = make_twin(host, &guest, image);
    *out = (struct hv_divergence){ .seed = seed, .end = HV_LOCKSTEP_SAME };
    if (status == HV_OK)
        status = lockstep_run(bare, host, vm, flags, max_steps, out, coverage);
    if (out->end == HV_LOCKSTEP_SAME && hv_audit(host, NULL, 0) != HV_OK)
        out->end = HV_LOCKSTEP_BROKEN;
    coverage->programs++;
    coverage->legal += out->end == HV_LOCKSTEP_LEGAL;
    add_counters(host, vm, coverage);
    hv_host_free(bare);
    hv_host_free(host);
    return status;
}

int hv_lockstep_batch(const struct hv_config    *config,
                      const struct hv_vm_config *guest, uint64_t first,
                      uint32_t count, uint32_t flags, uint32_t max_steps,
                      struct hv_divergence *out, struct hv_coverage *coverage)
{
    int status = HV_OK;

    if (!config || !guest || !out || !coverage)
        return HV_ERR_INVALID;
    uint8_t *image = malloc(HV_PRIVGEN_RAM);
    if (!image)
        return HV_ERR_NO_MEMORY;
    *out = (struct hv_divergence){ .end = HV_LOCKSTEP_SAME };
    for (uint32_t i = 0;
         i < count && status == HV_OK && out->end <= HV_LOCKSTEP_LEGAL; i++)
        status = run_seed(config, *guest, first + i, flags, max_steps, image,
                          out, coverage);
    free(image);
    return status;
}
