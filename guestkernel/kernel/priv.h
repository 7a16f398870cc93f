/* priv.h - everything that only a privileged kernel can do.
 *
 * Two implementations, and nothing else differs between the two kernels:
 *
 *   priv_native.c, priv_native.S   privileged instructions, SBI, real devices
 *   priv_pv.c, priv_pv.S           hypercalls and the shared-info page; and
 *   priv_direct.c                  ... the same, with tables that the machine
 *                                  walks, if the hypervisor offers that
 *
 * Compare them line by line: that is what paravirtualization is. */
#ifndef KERNEL_PRIV_H
#define KERNEL_PRIV_H

#include "kernel/trapframe.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const char priv_name[]; /* "native" or "pv" */

/* Starting ----------------------------------------------------------------- */

/* Take over this hart, interrupts off. Panics if it is not what it claims to be.
 * Before this only priv_console_write() and priv_power_off() work. */
void priv_init(void);

/* Turn translation on, on this hart; `root` maps everything that is in use. */
void priv_paging_on(uint32_t root);

/* Traps -------------------------------------------------------------------- */

/* Both kernels' trap entry calls trap_handle() (trap.c) with interrupts off,
 * and then falls into priv_trap_return, which leaves through the frame that
 * sp points to. A new process starts there. */
void priv_trap_return(void);

/* Was user mode interrupted? */
bool priv_from_user(const struct trapframe *tf);

/* Make the frame one that enters user mode with interrupts on. */
void priv_frame_enter_user(struct trapframe *tf);

/* Interrupts --------------------------------------------------------------- */

/* Turn interrupts off, and say whether they were on; put that back. Turning
 * them on takes what is pending before the next line of C. */
bool priv_irq_off(void);
void priv_irq_restore(bool on);

/* Sleep until an interrupt, and take it. Called and returns with interrupts
 * off. */
void priv_idle(void);

/* Find out and silence what raised an external interrupt, or take back the one
 * that another hart raised. */
void priv_external_irq(void);
void priv_ipi_clear(void);

/* Time: in units of 1 / timebase seconds. A timer interrupt stays pending
 * until the timer is set again. */
uint64_t priv_time(void);
void priv_timer_set(uint64_t when);

/* Address spaces ----------------------------------------------------------- */

/* What memory there is, is known now. */
void priv_memory_init(void);

/* An entry for physical address `pa`, and the address that an entry is for.
 * Entries need not hold it as it is. */
uint32_t priv_pte_make(uint32_t pa, uint32_t bits);
uint32_t priv_pte_address(uint32_t pte);

/* May an entry of a root table map a megapage? */
bool priv_megapages(void);

/* A page of zeroes becomes a table of this level (1: root), before any entry
 * is stored there. False if there is no memory for what that takes. */
bool priv_table_make(uint32_t page, uint32_t level);
/* It is a page again: nothing points to it any more, and what it holds is
 * forgotten. */
void priv_table_free(uint32_t page);

/* Run in another address space, and take traps from user mode on the stack
 * that ends at `stack`. */
void priv_switch(uint32_t root, uint32_t stack);

/* Store a page-table entry. It is certain to be stored, and the translation
 * before it to be forgotten, only after priv_pte_flush(). */
void priv_pte_set(uint32_t *slot, uint32_t pte);
void priv_pte_flush(void);

/* Copy between kernel memory and one user page: at user address `va` in the
 * current address space, which the caller found to lie at physical `pa`. */
void priv_copy_in(void *to, uint32_t va, uint32_t pa, size_t len);
void priv_copy_out(uint32_t va, uint32_t pa, const void *from, size_t len);

/* Locks -------------------------------------------------------------------- */

/* Is there anything better to do, for a hart that waits for a lock, than to look
 * again? If so: sleep until it is kicked, perhaps less long; the lock is another
 * hart's, or its own if it is free. A kick may come before the sleep. */
bool priv_lock_can_wait(void);
void priv_lock_wait(uint32_t holder);
void priv_lock_kick(uint32_t hart);

/* Console and power -------------------------------------------------------- */

/* Prepare for input; false if nothing will interrupt us when it comes. */
bool priv_console_start(void);
void priv_console_write(const char *text, size_t len);
int priv_console_read(void); /* the next byte, or -1 */

/* Between two programs, when nothing of the kernel is half done: what a kernel
 * that knows of a hypervisor has to settle with it (balloon.c). */
void priv_background(void);
/* How many pages of the allocator's that has cost. */
uint32_t priv_pages_lent(void);

/* Switch the machine off; 0 is success. */
_Noreturn void priv_power_off(uint32_t code);

#endif
