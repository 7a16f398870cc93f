/* firmware_code.c - the firmware as machine code: what firmware_entry.S calls,
 * between it and firmware.c. Its native counterpart is firmware_native.c. */
#include "port/firmware.h"
#include <stddef.h>

#define MSIP(id) (CLINT_BASE + 4 * (id))

/* What a boot loader passes in a2 to say which kernel to start: the first
 * words of OpenSBI's fw_dynamic_info, which QEMU's -kernel fills in. */
#define FW_DYNAMIC_MAGIC 0x4942534f /* "OSBI" */
#define ROM_BASE         0x1000     /* QEMU's, where it keeps them */
#define ROM_END          0x10000
struct fw_dynamic_info { uint32_t magic, version, next_addr, next_mode; };

void fw_code_boot(struct regs *regs, uint32_t dtb, uint32_t info);
void fw_code_park(struct regs *regs);
void fw_code_trap(struct regs *regs);

static struct firmware fw_state;

/* A hart exists if its msip can be set. It may see that, and then finds that
 * nobody has asked it for anything. */
static uint32_t count_harts(void)
{
    uint32_t count = 1;

    while (count < MAX_HARTS) {
        fw_store(NULL, MSIP(count), 4, 1);
        if (fw_load(NULL, MSIP(count), 4) == 0)
            break;
        fw_store(NULL, MSIP(count++), 4, 0);
    }
    return count;
}

/* First C code of hart 0, which every other hart waits for. */
void fw_code_boot(struct regs *regs, uint32_t dtb, uint32_t info)
{
    const struct fw_dynamic_info *dynamic = (const void *)info;
    bool in_memory = info >= RAM_BASE || (info >= ROM_BASE && info < ROM_END);
    uint32_t entry = KERNEL_BASE;

    if (in_memory && !(info & 3) && dynamic->magic == FW_DYNAMIC_MAGIC)
        entry = dynamic->next_addr;
    for (uint32_t id = 1; id < MAX_HARTS; id++)
        fw_state.hart[id].status = SBI_HSM_STOPPED;
    fw_state.nr_harts = count_harts();
    fw_boot(&fw_state, NULL, regs, entry, dtb);
}

/* A hart without work sleeps until someone starts it by hsm_start(). The msip
 * ends the wfi but is not taken: interrupts are off in M-mode. */
void fw_code_park(struct regs *regs)
{
    volatile struct fw_hart_state *self =
        &fw_state.hart[FW_READ(NULL, CSR_MHARTID)];

    FW_WRITE(NULL, CSR_MIE, (uint32_t)MIP_MSIP);
    while (self->status != SBI_HSM_START_PENDING)
        __asm__ volatile("wfi");
    fw_boot(&fw_state, NULL, regs, self->start_pc, self->opaque);
}

void fw_code_trap(struct regs *regs)
{
    fw_trap(&fw_state, NULL, regs);
    if (fw_state.hart[FW_READ(NULL, CSR_MHARTID)].status == SBI_HSM_STOPPED)
        fw_code_park(regs);
}
