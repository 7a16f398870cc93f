/* lockstep.c - one program on the bare machine and in a VM, step by step.
 *
 * After every architectural step (an instruction retired, a trap or interrupt
 * taken) the two must agree in every register, in every CSR a kernel can see,
 * and in memory. Every cost is zero but that of an instruction, so even `time`
 * agrees, and timer interrupts arrive at the same instruction. One thing is
 * not compared: sip, while the firmware of the bare machine has been
 * interrupted and has not yet run. */
#include "lockstep.h"
#include "abi/csr.h"
#include "api/host.h"
#include "include/hv.h"
#include "privgen.h"
#include <stdio.h>
#include <string.h>

static const uint16_t compared[] = {
    CSR_SSTATUS, CSR_SIE,    CSR_STVEC, CSR_SCOUNTEREN, CSR_SSCRATCH,
    CSR_SEPC,    CSR_SCAUSE, CSR_STVAL, CSR_SATP,       CSR_TIME,
    CSR_INSTRET, CSR_CYCLE,
};

static hv_host *make_host(uint32_t m_mode, uint32_t ram)
{
    struct hv_config config;
    hv_host         *host = NULL;

    hv_config_default(&config);
    config.m_mode = m_mode;
    config.ram_size = ram;
    config.time_div = 1;
    config.slice = 1u << 30;
    memset(config.cost, 0, sizeof(config.cost));
    config.cost[0] = 1; /* insn */
    hv_host_new(&config, &host, NULL, 0);
    return host;
}

static int start(hv_host *host, uint32_t vm, const struct program *p)
{
    int bad = hv_mem_write(host, vm, PROGRAM_BASE, p->word, sizeof(p->word));
    const uint32_t csrs[][2] = {
        { CSR_STVEC, p->stvec },     { CSR_SIE, p->sie },
        { CSR_SSTATUS, p->sstatus }, { CSR_SCOUNTEREN, p->scounteren },
        { CSR_SATP, p->satp },
    };

    bad |= hv_vm_boot(host, vm, p->pc, 0, 0);
    for (uint32_t r = 1; r < 32; r++)
        bad |= hv_reg_set(host, vm, 0, r, p->x[r]);
    for (size_t i = 0; i < sizeof(csrs) / sizeof(csrs[0]); i++)
        bad |= hv_reg_set(host, vm, 0, HV_REG_CSR + csrs[i][0], csrs[i][1]);
    return bad | hv_reg_set(host, vm, 0, HV_REG_PRIV, p->priv);
}

static uint32_t get(hv_host *host, uint32_t vm, uint32_t reg)
{
    uint32_t val = 0;

    hv_reg_get(host, vm, 0, reg, &val);
    return val;
}

static bool differ(struct divergence *d, uint32_t reg, uint32_t bare,
                   uint32_t vm)
{
    if (bare == vm)
        return false;
    d->kind = DIVERGED_REGISTER;
    d->where = reg;
    d->bare = bare;
    d->vm = vm;
    return true;
}

static bool registers_differ(hv_host *bare, hv_host *host, uint32_t vm,
                             struct divergence *d)
{
    for (uint32_t r = 1; r <= HV_REG_PRIV; r++)
        if (differ(d, r, get(bare, 0, r), get(host, vm, r)))
            return true;
    for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
        uint32_t reg = HV_REG_CSR + compared[i];

        if (differ(d, reg, get(bare, 0, reg), get(host, vm, reg)))
            return true;
    }
    const struct hart *hart = machine_hart(bare->machine, 0);
    uint32_t           mip = get(bare, 0, HV_REG_CSR + CSR_MIP);
    uint32_t           sip = HV_REG_CSR + CSR_SIP;

    if (mip & hart->csr.mie & (MIP_MSIP | MIP_MTIP))
        return false;
    return differ(d, sip, get(bare, 0, sip), get(host, vm, sip));
}

static bool memory_differs(hv_host *bare, struct vm *vm, struct divergence *d)
{
    static const uint8_t zeros[4096];

    for (uint32_t page = 0; page < PROGRAM_PAGES; page++) {
        uint32_t       gpa = PROGRAM_BASE + page * 4096;
        const uint8_t *a = machine_ram(bare->machine, gpa), *b = zeros;
        hfn_t          hfn;

        if (p2m_lookup(vm, (gfn_t){ gpa >> 12 }, &hfn))
            b = machine_ram(vm->hyp->hal->machine, hfn.raw << 12);
        if (memcmp(a, b, 4096) == 0)
            continue;
        for (uint32_t i = 0; i < 4096; i += 4) {
            memcpy(&d->bare, a + i, 4);
            memcpy(&d->vm, b + i, 4);
            d->where = gpa + i;
            d->kind = DIVERGED_MEMORY;
            if (d->bare != d->vm)
                return true;
        }
    }
    return false;
}

static bool stopped_differently(int a, int b, struct divergence *d)
{
    d->kind = b == HV_ERR_BROKEN ? DIVERGED_BROKEN : DIVERGED_STOP;
    d->bare = (uint32_t)a;
    d->vm = (uint32_t)b;
    return a != b;
}

/* The one device that a VM does not have: the CLINT is M-mode's, which on the
 * bare machine cannot hide it, for want of a PMP. A program that touches it
 * ends there. */
static bool touched_clint(hv_host *bare, hv_host *host, uint32_t id)
{
    uint32_t cause = get(host, id, HV_REG_CSR + CSR_SCAUSE);
    uint32_t va = get(host, id, HV_REG_CSR + CSR_STVAL), pa = 0;
    int      access = cause == CAUSE_STORE_ACCESS ? HV_STORE : HV_LOAD;
    int      fault = -1;

    hv_translate(bare, 0, 0, va, access, &pa, &fault);
    return (cause == CAUSE_LOAD_ACCESS || cause == CAUSE_STORE_ACCESS) &&
           fault < 0 && pa - CLINT_BASE < CLINT_SIZE;
}

/* The steps of one program, until both stop, or they differ. */
static void steps(hv_host *bare, hv_host *host, uint32_t id, uint32_t max,
                  uint32_t flags, struct divergence *d)
{
    struct vm *vm = hyp_vm(&host->hal.hyp, id);

    for (d->step = 0; d->step < max; d->step++) {
        uint32_t pc = get(bare, 0, HV_REG_PC);
        uint32_t at = d->step % TRAIL;

        d->trail[at].pc = pc;
        d->trail[at].priv = get(bare, 0, HV_REG_PRIV);
        int a = hv_step(bare, 0, 0), b = hv_step(host, id, 0);
        if (stopped_differently(a, b, d))
            return;
        if (a != HV_OK)
            break; /* both wait for ever, or are off */
        if (registers_differ(bare, host, id, d) ||
            memory_differs(bare, vm, d)) {
            if (touched_clint(bare, host, id))
                d->kind = DIVERGED_NOT;
            return;
        }
        if ((flags & LOCKSTEP_AUDIT) &&
            hv_audit(host, d->why, sizeof(d->why)) != HV_OK) {
            d->kind = DIVERGED_AUDIT;
            return;
        }
    }
    d->kind = DIVERGED_NOT;
}

void lockstep(uint64_t seed, const struct program *p, uint32_t max,
              uint32_t flags, struct divergence *d)
{
    struct hv_vm_config config;
    uint32_t            id = 0;
    hv_host            *bare = make_host(HV_M_FIRMWARE, PROGRAM_MEM);
    hv_host            *host = make_host(HV_M_HYPERVISOR, 2 * PROGRAM_MEM);

    memset(d, 0, sizeof(*d));
    d->seed = seed;
    d->kind = DIVERGED_SETUP;
    hv_vm_config_default(&config);
    config.style = HV_STYLE_EMULATE;
    config.mem_size = PROGRAM_MEM;
    config.shadow_frames = flags & LOCKSTEP_TINY_POOL ? 4 : 0;
    if (bare && host &&
        hv_vm_create(host, &config, &id, d->why, sizeof(d->why)) == HV_OK &&
        start(bare, 0, p) == HV_OK && start(host, id, p) == HV_OK)
        steps(bare, host, id, max, flags, d);
    if (d->kind == DIVERGED_BROKEN)
        snprintf(d->why, sizeof(d->why), "%s", hv_host_reason(host));
    hv_host_free(bare);
    hv_host_free(host);
}

uint64_t lockstep_many(uint64_t first, uint64_t count, uint32_t max,
                       uint32_t flags, struct divergence *d)
{
    static _Thread_local struct program program;
    uint64_t                            total = 0;

    d->kind = DIVERGED_NOT;
    for (uint64_t seed = first; seed < first + count; seed++) {
        privgen(seed, &program);
        lockstep(seed, &program, max, flags, d);
        total += d->step;
        if (d->kind != DIVERGED_NOT)
            break;
    }
    return total;
}

uint32_t program_words(void)
{
    return PROGRAM_PAGES * 1024;
}

void program_make(uint64_t seed, uint32_t *words)
{
    static _Thread_local struct program program;

    privgen(seed, &program);
    memcpy(words, program.word, sizeof(program.word));
}
