/* shadow.h - shadow page tables: what the machine really walks for a guest.
 *
 *      guest's tables          p2m                shadow
 *      gva -> gpa      then    gpa -> hpa    =    gva -> hpa
 *
 * A shadow table lives in a machine frame from a bounded pool of its VM and is
 * filled on demand, one entry per fault. It is keyed by what it was derived
 * from, so that it outlives a switch of address spaces:
 *
 *   ROOT      a guest's level-1 table, and a role
 *   LEAF      a guest's level-0 table, and a role
 *   FRAGMENT  4 MiB of guest memory, and rights: the inside of a guest
 *             megapage, or of the untranslated mode
 *   BARE      the root of the untranslated mode
 *
 * The role says whose eyes it is for. Where both guest modes run in real
 * U-mode, what tells kernel from user is which tables are in force. MXR is no
 * part of it: the real mstatus.MXR is the guest's. In `assist` SUM is, too,
 * and the machine tells user from kernel by the guest's own U bits.
 *
 * How shadows follow the guest's tables is a policy: enum sync_policy below and
 * shadow_sync.c. */
#ifndef HV_HYP_SHADOW_H
#define HV_HYP_SHADOW_H

#include "hyp/hal.h"
#include "hyp/rmap.h"
#include "hyp/tag.h"
#include "hyp/walk.h"

struct vm;
struct vcpu;

#define SHADOW_MIN_FRAMES     4
#define SHADOW_DEFAULT_FRAMES 64
#define SHADOW_BUCKETS        64

enum shadow_kind { SHADOW_ROOT, SHADOW_LEAF, SHADOW_FRAGMENT, SHADOW_BARE };

enum shadow_role {
    ROLE_USER,       /* vU, and all of style `direct`: pages with U */
    ROLE_KERNEL,     /* vS: pages without U */
    ROLE_KERNEL_SUM, /* vS with SUM: both, but no execution of U pages */
    ROLE_ASSIST,     /* vU and vS in real U and S: the guest's own U */
};

enum sync_policy {
    SYNC_LAZY,  /* a shadow is a big TLB: it may be stale exactly as a TLB may
                   be, and the guest's sfence.vma brings it up to date */
    SYNC_TRACE, /* the guest's tables are write-protected; one of leaves that
                   is written to goes out of sync until the next fence */
    SYNC_TRACE_STRICT, /* the same, but each store is emulated */
    SYNC_TOLD,         /* the kernel says what it changed */
};

struct shadow {
    uint32_t          key;    /* shadow_key() */
    bool              live;   /* in use; else on the free list */
    hfn_t             hfn;    /* its frame, NO_FRAME until first used */
    uint32_t          holds;  /* vCPUs that run on it, and work in progress */
    uint32_t          links;  /* entries of roots that point to it */
    struct tag        tag;    /* roots: what the TLB knows them by */
    bool              traced; /* stores to the guest's table are seen */
    struct rmap_link *chain;  /* of its entries; comes with the frame */
    struct shadow    *next;   /* in its bucket, or on the free list */
    uint32_t          used[PT_ENTRIES / 32]; /* which entries are valid */
};

struct shadows {
    struct shadow *pool;
    uint32_t       count; /* size of the pool */
    uint32_t       in_use;
    uint32_t       framed; /* pool entries that have a frame */
    uint32_t       hand;   /* eviction goes round */
    struct shadow *free;
    struct shadow *bucket[SHADOW_BUCKETS];
};

/* False: no memory, nothing left behind. */
bool shadows_init(struct vm *vm);
void shadows_fini(struct vm *vm);
/* As if it had just been made: no table, no frame in use, all of it promised.
 * No vCPU is on a hart. */
void shadows_clear(struct vm *vm);

static inline uint32_t shadow_key(enum shadow_kind kind, uint32_t gfn,
                                  enum shadow_role role, uint32_t rights)
{
    return gfn << 10 | (uint32_t)kind << 8 | (uint32_t)role << 6 | rights;
}

static inline enum shadow_kind shadow_kind(const struct shadow *shadow)
{
    return (enum shadow_kind)(shadow->key >> 8 & 3);
}

static inline enum shadow_role shadow_role(const struct shadow *shadow)
{
    return (enum shadow_role)(shadow->key >> 6 & 3);
}

static inline uint32_t shadow_rights_of(const struct shadow *shadow)
{
    return shadow->key & (PTE_RWX | PTE_U);
}

static inline uint32_t shadow_gfn(const struct shadow *shadow)
{
    return shadow->key >> 10;
}

/* The table for this key, made if need be (which may evict another); comes
 * with a hold, to be given back. */
struct shadow *shadow_get(struct vcpu *vcpu, uint32_t key);
void shadow_release(struct vm *vm, struct shadow *shadow);

/* The root for the mode and address space that this vCPU is in. */
uint32_t shadow_root_key(const struct vcpu *vcpu);

/*
 * The rights (R, W, X, U) a shadow leaf may have for a guest leaf that was (or
 * need not be) marked accessed: what the guest grants, what the role may see,
 * and W only once the guest's D is set.
 */
uint32_t shadow_rights(uint32_t gpte, enum shadow_role role);

/*
 * The guest's tables allow this access, to RAM that is populated (and to be
 * written, for a store): make the machine's agree.
 * False if no shadow entry can express exactly what is allowed (then the
 * access must be emulated); nothing has changed then.
 */
bool shadow_fill(struct vcpu *vcpu, gva_t va, enum access access,
                 const struct walk *walk);

/* Forget translations, as sfence.vma asks: of one page, or all. */
bool shadow_fence(struct vm *vm, struct pcpu *pcpu, bool one_page, gva_t va);

/* Forget all that was derived from the guest's tables. No vCPU is on a hart. */
void shadow_reset(struct vm *vm);

/* Is this entry of one of the guest's tables derived into shadows? Then they
 * forget it, since it has changed: the guest told, or was seen storing. */
void shadow_forget_slot(struct vm *vm, struct pcpu *pcpu, gpa_t slot);
/* It is no table any more: no root links a shadow of it, no vCPU runs on one,
 * and none is left. */
void shadow_drop(struct vm *vm, struct pcpu *pcpu, gfn_t table);
/* The hypervisor wrote to a traced frame in the guest's name. */
void shadow_written(struct vm *vm, struct pcpu *pcpu, gpa_t pa, uint32_t len);

/* What becomes of a store by the guest to this frame. */
enum sync_store {
    STORE_FREE,    /* no table that is traced */
    STORE_LET,     /* it was; it may be written from now on */
    STORE_EMULATE, /* it is, and stays so */
};
enum sync_store shadow_store(struct vcpu *vcpu, gpa_t pa);

/* No entry of this VM names the frame behind this guest frame any more;
 * `lost`: nor is anything left that was derived from it as a table. */
void shadow_zap(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, bool lost);

/* The same as for a frame that is lost, but the exit works no longer than it
 * should: false if something is left. `*done` counts entries. */
bool shadow_wipe(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, uint32_t *done);

/* Take the right to store away from every mapping of this frame. */
void shadow_protect(struct hyp *hyp, struct pcpu *pcpu, hfn_t hfn);

/* Every mapping of it goes; whoever still has the right faults it in. */
void shadow_unmap(struct hyp *hyp, struct pcpu *pcpu, hfn_t hfn);

/* One entry of a shadow table, for audit and views. */
uint32_t shadow_read(const struct vm *vm, const struct shadow *shadow,
                     uint32_t index);

/* The shadow that lives in this frame, or NULL. */
struct shadow *shadow_of_frame(struct vm *vm, hfn_t hfn);

#endif
