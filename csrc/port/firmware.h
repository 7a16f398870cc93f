/* firmware.h - a small SBI firmware: one source, two ways to run it.
 *
 * `native`: the machine returns each trap to M, and port/firmware_native.c
 * calls fw_trap(). `code`: firmware_entry.S is the M trap vector of a real
 * RISC-V computer (this machine in its `code` mode, or QEMU with -bios) and
 * calls the same fw_trap(). What differs is only how a CSR or a physical
 * address is reached: the FW_x operations below. */
#ifndef HV_PORT_FIRMWARE_H
#define HV_PORT_FIRMWARE_H

#include "abi/cause.h"
#include "abi/csr.h"
#include "abi/memmap.h"
#include "abi/regs.h"
#include "abi/sbi.h"
#include <stdbool.h>
#include <stdint.h>

/* Per-hart HSM state and what the firmware remembers; zeroed at power-on. */
struct fw_hart_state {
    uint32_t status; /* SBI_HSM_x */
    uint32_t start_pc, opaque;
    uint32_t ipi, fence; /* asked for by other harts, which raise msip */
};

struct firmware {
    struct fw_hart_state hart[MAX_HARTS];
    uint32_t             nr_harts;
};

struct hart; /* the machine's, in the native build; unused as code */

#ifdef FW_NATIVE
uint32_t fw_csr_read(struct hart *hart, uint32_t csr);
void fw_csr_write(struct hart *hart, uint32_t csr, uint32_t val);
uint32_t fw_load(struct hart *hart, uint32_t pa, uint32_t size);
void fw_store(struct hart *hart, uint32_t pa, uint32_t size, uint32_t val);
/* True if [pa, pa+len) is RAM that a supervisor may name in a call. */
bool fw_is_ram(struct hart *hart, uint32_t pa, uint32_t len);
void fw_fence_i(struct hart *hart);
void fw_sfence(struct hart *hart);
#define FW_READ(hart, csr)       fw_csr_read(hart, csr)
#define FW_WRITE(hart, csr, val) fw_csr_write(hart, csr, val)
#else
#include "port/firmware_code.h" /* the same names, as inline assembly */
#endif

/* Set up this hart's M-mode CSRs (delegation, counters, interrupts) and make
 * mepc/mstatus such that mret enters S-mode at `entry`, untranslated, with a0 =
 * hart id and a1 = opaque (the device tree's address). */
void fw_boot(struct firmware *fw, struct hart *hart, struct regs *regs,
             uint32_t entry, uint32_t opaque);

/* Serve one trap to M. On return, mret resumes what mepc and mstatus say, with
 * *regs in the integer registers (regs->pc is not used: mepc is the truth). */
void fw_trap(struct firmware *fw, struct hart *hart, struct regs *regs);

#endif
