/* pte.h - Sv32 page-table entries (Privileged Specification, 10.3).
 *
 * 31        20 19        10 9  8 7 6 5 4 3 2 1 0
 * [  PPN[1]  ][  PPN[0]  ][RSW][D A G U X W R V]
 *
 * A PPN has 22 bits: it can name 34 address bits, of which TRV32 has 32. An
 * entry that names more is an access fault, never a truncation. */
#ifndef HV_ABI_PTE_H
#define HV_ABI_PTE_H

#define PTE_V         (1 << 0)
#define PTE_R         (1 << 1)
#define PTE_W         (1 << 2)
#define PTE_X         (1 << 3)
#define PTE_U         (1 << 4)
#define PTE_G         (1 << 5)
#define PTE_A         (1 << 6)
#define PTE_D         (1 << 7)
#define PTE_RWX       (PTE_R | PTE_W | PTE_X)
#define PTE_PPN_SHIFT 10

#define PAGE_SHIFT     12
#define PAGE_SIZE      4096
#define PAGE_MASK      0xfff
#define MEGAPAGE_SHIFT 22
#define MEGAPAGE_SIZE  0x400000
#define PT_ENTRIES     1024

#endif
