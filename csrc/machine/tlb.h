/* tlb.h - the translation lookaside buffer: real, visible, shared by engines.
 *
 * One direct-mapped array per access kind. An entry says: in this context,
 * this kind of access to this page was allowed, and went there. The context
 * is all that the decision depended on beside the tables - privilege, SUM,
 * MXR, address space - so that changing mode flushes nothing, and a hit needs
 * one 64-bit compare and no check of rights. Only valid translations are
 * cached. A store entry is made only when D is set (by this very store if need
 * be). A megapage is cached as 4 KiB fragments. */
#ifndef HV_MACHINE_TLB_H
#define HV_MACHINE_TLB_H

#include "abi/access.h"
#include <stdbool.h>
#include <stdint.h>

#define TLB_ENTRIES 128 /* per access kind; a power of two */

/*
 * 63            32 31        12 11    1 0
 * [    context    ][  page of va ][ 0 ][V]     tag
 *
 * 63   56  55  54  48 47 46 45 44    36 35  34  33 32
 * [   0   ][HX][ VMID ][2][1][V][ ASID  ][MXR][SUM][priv]   context (mmu.c)
 *
 * With extension H and V = 1 an entry is the combination of both stages, and
 * the decision depended on more: the VMID, whether the first (1) and the
 * second stage (2) translate at all, and the MXR of both stages (HX).
 *
 * Bit 0 set means the entry is valid; since a lookup compares with bit 0 set,
 * an all-zero entry never hits.
 */
#define TLB_VALID      1u
#define TLB_PRIV_SHIFT 32
#define TLB_SUM_SHIFT  34
#define TLB_MXR_SHIFT  35
#define TLB_ASID_SHIFT 36
#define TLB_ASID_MASK  0x1ff
#define TLB_V          ((uint64_t)1 << 45)
#define TLB_STAGE1     ((uint64_t)1 << 46)
#define TLB_STAGE2     ((uint64_t)1 << 47)
#define TLB_VMID_SHIFT 48
#define TLB_HX_SHIFT   55

/* The bits of a context that name an address space. */
#define TLB_ASID(asid) ((uint64_t)(asid) << TLB_ASID_SHIFT)
#define TLB_VMID(vmid) ((uint64_t)(vmid) << TLB_VMID_SHIFT)

struct tlb_entry {
    uint64_t tag;
    uint32_t page;  /* physical address of the page */
    uint32_t flags; /* TLB_MEGA if a fragment of a megapage */
};

#define TLB_MEGA (1u << 0)

/*
 * Beside each entry: where the page is in this process. No state of the
 * machine, but the fast engine's shortcut (engine_fast.c says what it holds);
 * it never outlives the entry that it was made from. Untranslated pages have
 * shortcuts too, in a context that no entry has.
 */
struct tlb_host {
    uint64_t  tag;
    uintptr_t at;
};

#define TLB_BARE ((uint64_t)1 << 62)

struct tlb {
    struct tlb_entry entry[NR_ACCESS][TLB_ENTRIES];
    struct tlb_host  host[NR_ACCESS][TLB_ENTRIES];

    /* No state of the machine either, but what a fence need not look at: all
     * but the entries made since they were last dropped, and, unless there has
     * been a fragment of a megapage, all but the entry of an address. */
    uint64_t used[NR_ACCESS][TLB_ENTRIES / 64];
    bool     fragments;
};

/* Where the entry of va is, and the tag that it must have to be one. The
 * lookup is in internal.h. */
#define TLB_INDEX(va) (((va) >> PAGE_SHIFT) % TLB_ENTRIES)
#define TLB_TAG(context, va) \
    ((context) | ((va) & ~(uint32_t)PAGE_MASK) | TLB_VALID)

void tlb_insert(struct tlb *tlb, enum access access, uint64_t context,
                uint32_t va, uint32_t page, uint32_t flags);

/* Drop entries: of one page (and, where it lies in a cached megapage, every
 * fragment of that megapage) or all; of the contexts that are `space` in the
 * bits of `mask`. */
void tlb_fence(struct tlb *tlb, bool one_va, uint32_t va, uint64_t mask,
               uint64_t space);

#endif
