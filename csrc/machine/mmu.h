/* mmu.h - what the two walks share: mmu.c has the one of an ordinary address,
 * mmu_guest.c that of a guest's, which is made of several ordinary ones. */
#ifndef HV_MACHINE_MMU_H
#define HV_MACHINE_MMU_H

#include "machine/internal.h"

/* The mode and bits that decide an access, beside the tables. */
struct mmu_rights {
    uint32_t priv;
    bool     sum, mxr;
    bool     guest;   /* made with V = 1 */
    bool     mxr_all; /* MXR of HS: for the second stage, too, and there for
                         the walk's own reads, whatever the access is */
};

enum walk_status { WALK_OK, WALK_PAGE_FAULT, WALK_ACCESS_FAULT };

struct walk {
    enum walk_status status;
    uint32_t         page; /* WALK_OK: the 4 KiB page that va lies in */
    bool             mega; /* ... which is a part of a 4 MiB page */
    uint32_t         slot; /* physical address of the last entry read */
    uint32_t         pte;  /* ... and what it said */
    uint32_t         refs; /* entries read */
};

/*
 * Read the tables below satp's PPN, change nothing. (The answer is not returned
 * but filled in, because copying it is what a walk would spend most of its time
 * on.) `va` has 32 bits, or 34 for a root of four pages: Sv32x4 is this walk.
 */
void mmu_walk(const struct machine *m, uint32_t satp, uint64_t va,
              enum access access, struct mmu_rights rights, struct walk *walk);
/* The exception that stands for the status of a walk; MMU_OK for WALK_OK. */
int mmu_cause(enum walk_status status, enum access access);

bool mmu_leaf_permits(uint32_t pte, enum access access,
                      struct mmu_rights rights);
/* The A and D bits that this access needs and the leaf has not. */
uint32_t mmu_leaf_missing(uint32_t pte, enum access access);

/* Set bits of an entry in RAM, if they are clear, and count that. */
void mmu_set_ad(struct hart *hart, uint32_t slot, uint32_t bits);
void mmu_count_miss(struct hart_counters *count, enum access access);

/* mmu_guest.c. mmu_miss() and hart_translate() for an access with V = 1. */
int mmu_guest_miss(struct hart *hart, enum access access, uint32_t va,
                   struct mmu_rights rights, uint32_t *pa);
int mmu_guest_ask(const struct hart *hart, uint32_t va, enum access access,
                  struct mmu_rights rights, uint32_t *pa);

#endif
