/* kernel.h - what every part of the kernel uses. */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A range of physical memory. */
struct range { uint32_t start, end; };

/* What the device tree told us; zero where it said nothing. */
struct boot_info {
    uint32_t     hart;     /* the one that started */
    uint32_t     harts;    /* a bit for each hart id */
    uint32_t     hart_end; /* above the highest */
    struct range dtb, ram, initrd;
    const char  *args;     /* the command line, "" if there is none */
    uint32_t     timebase; /* ticks of `time` per second */
    uint32_t     uart, uart_irq, plic, power; /* physical addresses */
};

extern struct boot_info boot_info;

#define PANIC_STATUS 99 /* exit status of a machine whose kernel panicked */

/* From the linker script: first byte of each part of the image. */
extern char kernel_text[], kernel_rodata[], kernel_data[], kernel_end[];

/* Our own bug, or a machine we cannot trust: say why and power off. */
_Noreturn void panic(const char *form, ...)
    __attribute__((format(printf, 1, 2)));

/* A line about the kernel itself; silent when booted with `quiet`. */
void say(const char *form, ...) __attribute__((format(printf, 1, 2)));

#endif
