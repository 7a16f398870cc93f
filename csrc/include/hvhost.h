/* hvhost.h - a whole host as bytes, and back: beside hv.h, by its rules.
 *
 * What is kept is the configuration of the machine, and every VM with its
 * memory, its number and its place in the schedule: queues, clocks, budgets,
 * the table of slots, what is shared with whom. Not kept: breakpoints, marks,
 * the trace, a record of rounds, and what was said at a console and taken. */
#ifndef HV_HVHOST_H
#define HV_HVHOST_H

#include "include/hv.h"

/* cdef: begin */

/* Of a VM in a saved host. */
struct hv_host_image_vm {
    uint32_t             id;
    struct hv_image_info vm;
};

/* What there is in a saved host. */
struct hv_host_image_info {
    struct hv_config config; /* but for the engine */
    uint32_t         vms;
    uint32_t         contents; /* different pages, of all VMs together */
    uint64_t         cycles;   /* of hart 0 */
    uint64_t         note_at, note_size; /* where the note is, in the bytes */
};

/* Save a host, with `size` bytes that mean something to the caller alone. All
 * VMs stand still for a moment, as for hv_vm_save(); who was on a hart is on it
 * again first, for a new slice. From there on the host and what is restored
 * from its image have the same future, to the cycle. UNSUPPORTED, with nothing
 * changed, where a VM is of style `direct`. */
int hv_host_save(hv_host *host, const uint8_t *note, size_t size,
                 hv_image **out, char *why, size_t n);
/* Make a host of an image, on this engine; INVALID if there is none such. IMAGE
 * for all bytes that no host could have been saved as; NO_MEMORY if this
 * computer has not enough. */
int hv_host_restore(const uint8_t *bytes, size_t len, uint32_t engine,
                    hv_host **out, char *why, size_t n);
/* What is in it, and in at most `max` of its VMs, in the order of their slots.
 * Every record is checked by itself; how they go together, only by restoring
 * it. */
int hv_host_image_info(const uint8_t *bytes, size_t len,
                       struct hv_host_image_info *out,
                       struct hv_host_image_vm *vms, uint32_t max, char *why,
                       size_t n);
/* How it is configured. */
int hv_host_config(hv_host *host, struct hv_config *out);

/* cdef: end */

#endif
