/* vm.h - a virtual machine: memory, devices, vCPUs, and how it ended. */
#ifndef HV_HYP_VM_H
#define HV_HYP_VM_H

#include "dev/plic.h"
#include "dev/uart.h"
#include "hyp/frame.h"
#include "hyp/p2m.h"
#include "hyp/shadow.h"
#include "hyp/stage2.h"
#include "hyp/style.h"
#include "hyp/vcpu.h"

#define VM_REASON_SIZE 96

enum vm_state {
    VM_CREATED,
    VM_LIVE,
    VM_PAUSED,
    VM_OFF,    /* it switched itself off */
    VM_KILLED, /* it broke a rule */
    VM_BUDGET, /* its instruction budget ran out */
};

struct vm_config {
    const struct style *style;
    uint32_t            mem_size;      /* bytes, a multiple of PAGE_SIZE */
    uint32_t            nr_vcpus;      /* 1..MAX_HARTS */
    uint32_t            shadow_frames; /* the pool's bound */
    enum sync_policy    sync;
    uint64_t            max_insns; /* 0: no budget */
    uint32_t            minimum;   /* frames promised if over-committed */
    struct sched_params sched;
};

/* balloon.c: what the host wants, and what the guest last said of it. */
struct balloon {
    uint32_t target; /* frames it is to have */
    uint32_t said;   /* PV_BALLOON_x; 0: nothing yet */
};

struct vm_counters {
#define COUNTER(name, doc) uint64_t name;
#include "hyp/counters.def"
#undef COUNTER
};

struct vm {
    struct hyp         *hyp;
    uint32_t            id;
    enum vm_state       state;
    struct vm_config    config;
    const struct style *style;     /* config.style, or what it was changed to */
    uint32_t            exit_code; /* in VM_OFF */
    bool                rebooted;  /* in VM_OFF: it asked for a reset */
    char                reason[VM_REASON_SIZE];
    uint64_t            born_time, born_cycle; /* of the machine */
    struct p2m          p2m;
    struct balloon      balloon;
    struct shadows      shadows;
    struct stage2       stage2;
    enum sync_policy    sync;  /* config.sync, or what it was changed to */
    uint32_t            tags;  /* tag.h: what its tables are tagged with now */
    uint32_t            harts; /* mask: whose TLBs may know its present tags */
    struct sched_params sched;
    int64_t             cap_left; /* cycles in this period: cap.c */
    struct tag         *root_tag; /* direct: of the root in each guest frame */
    struct uart         uart;
    struct plic         plic;
    struct vm_counters  count;
    struct vcpu        *vcpu; /* config.nr_vcpus of them */
};

/*
 * Make a VM with all its memory promised and none of it touched. NULL with
 * *why set if it cannot be; nothing is left behind then.
 */
struct vm *vm_create(struct hyp *hyp, const struct vm_config *config,
                     const char **why);
/* Return everything. No vCPU of it runs afterwards, on any hart. */
void vm_destroy(struct vm *vm);

/* Start vCPU 0 at entry, untranslated, in kernel mode. */
void vm_boot(struct vm *vm, uint32_t entry, uint32_t a1, uint32_t a2);

/* Virtualize it in another way from here on. False, and nothing changed, if its
 * kernel was made for another kind, or if there is no memory for what the new
 * way needs. No exit is being served. */
bool vm_set_style(struct vm *vm, const struct style *style);

/* The same for how its shadows follow its tables. */
bool vm_set_sync(struct vm *vm, enum sync_policy sync);

/* Leave of it only what its guest could tell: it is on no hart, and nothing is
 * left that was derived from its tables, here or in a TLB. A copy of it that is
 * made now and the VM itself go on alike. Not of style `direct`. */
void vm_settle(struct vm *vm);

void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);

/* The guest switched itself off. */
void vm_off(struct vm *vm, uint32_t exit_code, bool rebooted);
void vm_out_of_budget(struct vm *vm);
/* The guest broke a rule. The first reason wins; `value` is shown in hex
 * behind it. Only the VM dies. */
void vm_kill(struct vm *vm, const char *reason, uint32_t value);

/* Instructions that its vCPUs retired, as of their last exits. */
uint64_t vm_insns(const struct vm *vm);

/* Nothing of it will ever run again. */
bool vm_ended(const struct vm *vm);

/*
 * Guest-physical memory. False, with nothing read or written, unless all of
 * [pa, pa + len) is RAM of this VM (no wrapping), and not in the balloon.
 * Reading does not populate; writing does, copies what is shared, and notes
 * what is logged, for which the machine may have no memory: false, too. It
 * wants memory that is no page table of the guest's (direct).
 * vm_read32/vm_write32 want pa aligned to 4.
 */
bool vm_owns(const struct vm *vm, gpa_t pa, uint32_t len);
/* Within the memory it was made with, be it there now or not. */
bool vm_spans(const struct vm *vm, gpa_t pa, uint32_t len);
/* Prepare a write: once P2M_OK, it cannot fail until the guest runs again. */
enum p2m_result vm_ready(struct vm *vm, struct pcpu *pcpu, gpa_t pa,
                         uint32_t len);
/* Does the hypervisor write here of its own accord? It is then neither shared
 * nor given back, so that delivering a trap needs no memory. */
bool vm_holds(const struct vm *vm, gfn_t gfn);
bool vm_read(struct vm *vm, gpa_t pa, void *to, uint32_t len);
bool vm_write(struct vm *vm, struct pcpu *pcpu, gpa_t pa, const void *from,
              uint32_t len);
bool vm_read32(struct vm *vm, gpa_t pa, uint32_t *val);
bool vm_writable(const struct vm *vm, gpa_t pa, uint32_t len);
/* Keep the page of pa from becoming a page table. False: not RAM, or it is one
 * already. */
bool vm_hold(struct vm *vm, struct pcpu *pcpu, gpa_t pa);
void vm_release(struct vm *vm, gpa_t pa);
bool vm_write32(struct vm *vm, struct pcpu *pcpu, gpa_t pa, uint32_t val);
/* The same, of an entry of the guest's tables of which nothing but A and D
 * changes: its shadows stay right. */
bool vm_write_ad(struct vm *vm, struct pcpu *pcpu, gpa_t pa, uint32_t val);

#endif
