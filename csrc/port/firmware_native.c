/* firmware_native.c - how the firmware reaches the machine when it is native.
 *
 * As machine code, firmware.c executes csrr, lw and mret, and a stopped hart
 * sleeps inside it. Here the same steps are calls of machine.h, and a stopped
 * hart is one that hart_run() does not run. */
#ifndef FW_NATIVE
#define FW_NATIVE 1
#endif
#include "port/firmware_native.h"
#include "machine/machine.h"
#include "port/firmware.h"

uint32_t fw_csr_read(struct hart *hart, uint32_t csr)
{
    uint32_t val = 0;

    hart_csr_read(hart, csr, &val);
    return val;
}

void fw_csr_write(struct hart *hart, uint32_t csr, uint32_t val)
{
    hart_csr_write(hart, csr, val);
}

/* Where nothing answers, a load gives 0 and a store is lost: the firmware asks
 * fw_is_ram() first about every address that comes from a supervisor. */
uint32_t fw_load(struct hart *hart, uint32_t pa, uint32_t size)
{
    uint32_t val = 0;

    machine_load(hart->machine, hart, pa, size, &val);
    return val;
}

void fw_store(struct hart *hart, uint32_t pa, uint32_t size, uint32_t val)
{
    machine_store(hart->machine, hart, pa, size, val);
}

bool fw_is_ram(struct hart *hart, uint32_t pa, uint32_t len)
{
    uint32_t size = machine_config(hart->machine)->ram_size;
    uint32_t offset = pa - RAM_BASE;

    return offset < size && len <= size - offset;
}

/* This machine's memory is coherent for fetches too. */
void fw_fence_i(struct hart *hart)
{
    (void)hart;
}

void fw_sfence(struct hart *hart)
{
    hart_fence(hart, false, 0, false, 0);
}

/* What the machine code does with its last instruction. */
static void firmware_mret(struct hart *hart)
{
    uint32_t mstatus = fw_csr_read(hart, CSR_MSTATUS);
    uint32_t priv = (mstatus & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
    uint32_t next = mstatus & ~(uint32_t)(MSTATUS_MIE | MSTATUS_MPP);

    if (mstatus & MSTATUS_MPIE)
        next |= MSTATUS_MIE;
    if (priv != PRIV_M)
        next &= ~(uint32_t)MSTATUS_MPRV;
    fw_csr_write(hart, CSR_MSTATUS, next | MSTATUS_MPIE);
    hart->regs.pc = fw_csr_read(hart, CSR_MEPC);
    hart_set_priv(hart, priv);
    hart_charge(hart, COST_xret, 1);
}

static void firmware_start(struct firmware *fw, struct hart *hart,
                           uint32_t entry, uint32_t opaque)
{
    hart->stopped = false;
    hart->waiting = false;
    hart_set_priv(hart, PRIV_M);
    fw_boot(fw, hart, &hart->regs, entry, opaque);
    fw->hart[hart->id].status = SBI_HSM_STARTED;
    firmware_mret(hart);
}

void firmware_power_on(struct firmware *fw, struct machine *m, uint32_t entry,
                       uint32_t dtb)
{
    *fw = (struct firmware){ .nr_harts = machine_config(m)->nr_harts };
    for (uint32_t i = 0; i < fw->nr_harts; i++) {
        fw->hart[i].status = SBI_HSM_STOPPED;
        machine_hart(m, i)->stopped = true;
    }
    firmware_start(fw, machine_hart(m, 0), entry, dtb);
}

/* Harts that this call asked to start begin at the caller's time: they were in
 * reset, where no time passes. */
static void firmware_start_pending(struct firmware *fw, struct hart *caller)
{
    for (uint32_t i = 0; i < fw->nr_harts; i++) {
        struct fw_hart_state *state = &fw->hart[i];
        struct hart          *hart = machine_hart(caller->machine, i);

        if (state->status == SBI_HSM_START_PENDING && hart->stopped) {
            hart_skip(hart, caller->cycle);
            firmware_start(fw, hart, state->start_pc, state->opaque);
        }
    }
}

void firmware_serve(struct firmware *fw, struct hart *hart)
{
    fw_trap(fw, hart, &hart->regs);
    hart->stopped = fw->hart[hart->id].status == SBI_HSM_STOPPED;
    if (!hart->stopped)
        firmware_mret(hart);
    firmware_start_pending(fw, hart);
}
