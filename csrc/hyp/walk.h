/* walk.h - the guest's own page tables, walked as the machine would. */
#ifndef HV_HYP_WALK_H
#define HV_HYP_WALK_H

#include "abi/access.h"
#include "hyp/hal.h"

struct vcpu;

enum walk_status {
    WALK_OK,
    WALK_FAULT,   /* the guest's own tables say no */
    WALK_OUTSIDE, /* they name memory that is not there: an access fault for
                     the guest, as on the bare machine */
};

struct walk {
    enum walk_status status;
    gpa_t            pa;    /* translated address, if WALK_OK */
    uint32_t         pte;   /* the leaf that said so (0: untranslated) */
    gpa_t            slot;  /* where that leaf lies */
    int              level; /* 1: a megapage; 0: a page; -1: untranslated */
};

/*
 * What one access by this vCPU, in its present virtual mode, would see. Guest
 * memory is only read, and only through vm_read32(), so a hostile table can
 * make this fail but never look outside the VM.
 */
struct walk walk_guest(struct vcpu *vcpu, gva_t va, enum access access);
/* The same, for somebody who only looks: no time passes. */
struct walk walk_peek(struct vcpu *vcpu, gva_t va, enum access access);

/* Set A, and D for a store, in the guest's leaf: the access really happens.
 * False if the table is to be copied and there is no memory: nothing changed. */
bool walk_set_ad(struct vcpu *vcpu, struct walk *walk, enum access access);

/* The exception that a failed walk means for the guest. */
uint32_t walk_cause(enum walk_status status, enum access access);

#endif
