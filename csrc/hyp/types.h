/* types.h - the three address spaces, as three types.
 *
 * Passing one for another is a compile error, not a two-day debugging session.
 * gfn and hfn are frame numbers: an address without its low twelve bits. */
#ifndef HV_HYP_TYPES_H
#define HV_HYP_TYPES_H

#include "abi/pte.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { uint32_t raw; } gva_t; /* guest virtual */
typedef struct { uint32_t raw; } gpa_t; /* guest physical */
typedef struct { uint32_t raw; } hpa_t; /* host physical: what the bus sees */

typedef struct { uint32_t raw; } gfn_t; /* guest frame number */
typedef struct { uint32_t raw; } hfn_t; /* host frame number */

static inline gfn_t gpa_frame(gpa_t pa)
{
    return (gfn_t){ pa.raw >> PAGE_SHIFT };
}

static inline hpa_t hfn_base(hfn_t frame)
{
    return (hpa_t){ frame.raw << PAGE_SHIFT };
}

/* The index into a table of this level (1: root, 0: leaf). */
static inline uint32_t pt_index(gva_t va, int level)
{
    return va.raw >> (PAGE_SHIFT + 10 * level) & (PT_ENTRIES - 1);
}

#endif
