/* memmap.h - the board: where things are in physical memory.
 *
 * The addresses of QEMU's riscv "virt" board, so that images move between the
 * two. A VM sees the same board at the same guest-physical addresses, without
 * the CLINT, which is M-mode's.
 *
 * 00100000  test/poweroff   write 0x5555 = pass, 0x3333 | code << 16 = fail
 * 02000000  CLINT           msip, mtimecmp, mtime
 * 0c000000  PLIC            external interrupts
 * 10000000  UART 16550      PLIC source 10
 * 10001000  virtio-mmio     eight slots, PLIC sources 1-8 (reserved)
 * 80000000  RAM             firmware at its start, kernels from 80400000
 */
#ifndef HV_ABI_MEMMAP_H
#define HV_ABI_MEMMAP_H

#define TEST_BASE   0x00100000
#define TEST_SIZE   0x00001000
#define TEST_PASS   0x5555
#define TEST_FAIL   0x3333
#define TEST_RESET  0x7777
#define CLINT_BASE  0x02000000
#define CLINT_SIZE  0x00010000
#define PLIC_BASE   0x0c000000
#define PLIC_SIZE   0x00600000
#define UART_BASE   0x10000000
#define UART_SIZE   0x00000100
#define UART_IRQ    10
#define VIRTIO_BASE 0x10001000
#define VIRTIO_STEP 0x00001000
#define RAM_BASE    0x80000000
#define KERNEL_BASE 0x80400000

#define MAX_HARTS 8

/* time ticks per second, as timebase-frequency in the device tree says. */
#define TIMEBASE_HZ 10000000

#endif
