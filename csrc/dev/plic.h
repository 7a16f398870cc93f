/* plic.h - the platform-level interrupt controller.
 *
 * Sources 1..31, priorities 0..7 (0 never interrupts), two contexts per hart:
 * M (2 * hart) and S (2 * hart + 1). The layout of QEMU's "virt" board:
 *
 * offset                     register
 * 000000 + 4 * source        priority
 * 001000                     pending, one bit per source, read-only
 * 002000 + 80 * context      enable, one bit per source
 * 200000 + 1000 * context    threshold
 * 200004 + 1000 * context    claim (read) and complete (write)
 *
 * Lines are level-triggered. A request, once seen, stays pending until it is
 * claimed, even if its line falls; a claimed source asks again only after its
 * completion, and at once if its line is still up. Only 32-bit access is
 * accepted; an offset with no register reads 0 and ignores writes. */
#ifndef HV_DEV_PLIC_H
#define HV_DEV_PLIC_H

#include <stdbool.h>
#include <stdint.h>

#define PLIC_SOURCES      31
#define PLIC_CONTEXTS     16
#define PLIC_PRIORITY     0x000000
#define PLIC_PENDING      0x001000
#define PLIC_ENABLE       0x002000
#define PLIC_ENABLE_STEP  0x80
#define PLIC_CONTEXT      0x200000
#define PLIC_CONTEXT_STEP 0x1000

struct plic {
    uint32_t nr_contexts;
    uint32_t priority[PLIC_SOURCES + 1];
    uint32_t lines;   /* level of each source, bit n for source n */
    uint32_t pending; /* asked, not yet claimed */
    uint32_t claimed; /* claimed, not yet completed */
    uint32_t enable[PLIC_CONTEXTS];
    uint32_t threshold[PLIC_CONTEXTS];
};

void plic_reset(struct plic *plic, uint32_t nr_contexts);
void plic_set_line(struct plic *plic, uint32_t source, bool up);

/* One access, `size` bytes at `offset`; false, and nothing done, if refused. */
bool plic_load(struct plic *plic, uint32_t offset, uint32_t size,
               uint32_t *val);
bool plic_store(struct plic *plic, uint32_t offset, uint32_t size,
                uint32_t val);

/* The external interrupt line of a context. */
bool plic_pending(const struct plic *plic, uint32_t context);

#endif
