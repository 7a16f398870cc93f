/* trap.h - what happens when the processor leaves a program. */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include "kernel/trapframe.h"
#include <stdint.h>

/* Start the timer of this hart; ticks come from now on. */
void trap_start_timer(void);

/* Timer ticks since then, also those that nobody was there to count. */
uint32_t trap_ticks(void);

/* Every trap comes here, interrupts off: priv_native.S and priv_pv.S. */
void trap_handle(struct trapframe *tf);

/* syscall.c: carry out the system call that the frame describes. */
void syscall_handle(struct trapframe *tf);

#endif
