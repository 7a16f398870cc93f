/* layout.h - the virtual address space, the same in every process.
 *
 * 00000000  nothing: a null pointer faults
 * 00010000  the program: text, then data, then the heap, growing up
 * 3fffe000  its stack
 * 40000000  devices: physical 00000000-3fffffff, as far as we use them
 * 80000000  nothing: the firmware's memory
 * 80400000  the kernel's image, text and data in pages of their own
 * 80800000  the rest of RAM, where physical and virtual address are the same
 *
 * All but the first two is the kernel's: the upper entries of every root
 * table are copies of the kernel's own, none of them with U. */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

#include "abi/memmap.h"
#include "abi/pte.h"

#define USER_BASE        0x00010000
#define USER_TOP         0x40000000
#define USER_STACK_PAGES 2
#define USER_STACK       (USER_TOP - USER_STACK_PAGES * PAGE_SIZE)
#define DEVICE_WINDOW    0x40000000

#define KERNEL_STACK_SIZE PAGE_SIZE

#endif
