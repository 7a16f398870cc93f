/* fdt.h - reading the device tree. */
#ifndef KERNEL_FDT_H
#define KERNEL_FDT_H

#include <stdbool.h>
#include <stdint.h>

struct boot_info;

/* Fill in *info from the flattened device tree at physical address `dtb`;
 * false if there is none, and *info may then be half filled in. */
bool fdt_read(uint32_t dtb, struct boot_info *info);

#endif
