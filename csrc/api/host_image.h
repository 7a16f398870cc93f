/* host_image.h - a whole host as bytes: what the files of that share.
 *
 *   host_image_record.c   records and lists, to bytes and back
 *   host_image_still.c    a host that stands still, and what is to be said of it
 *   host_image_make.c     a new host, whose VMs have their memory
 *   host_image_resume.c   ... and go on
 *   host_save.c           the calls of hvhost.h
 *
 * The frame, and what is said of each VM, is image.h's. Around it come the host
 * itself, and for each VM its place in the schedule. In this order:
 *
 *   HOST COST SLOT TABL TABL ASKD NOTE, a HART for each,
 *   for each VM: PLAC, all of image.h up to CIN, a TURN for each vCPU, MAP
 *   a QUEU for each hart, TIME, DATA
 *
 * Pages are those of all VMs, each content once; but a frame that is shared is
 * a content of its own, whoever else has the same bytes, so that who shares
 * with whom is in the maps. */
#ifndef HV_API_HOST_IMAGE_H
#define HV_API_HOST_IMAGE_H

#include "api/image.h"
#include "include/hvhost.h"

/* Signed, and so far from the ends that it can be reckoned with. */
static inline bool image_small(uint64_t val)
{
    return val + (1ull << 60) <= 1ull << 61;
}

#define FIELD(type, name, check, doc)        type##_t name;
#define ARRAY(type, name, count, check, doc) type##_t name[count];
struct image_host {
#include "api/image_host.def"
};
struct image_hart {
#include "api/image_hart.def"
};
struct image_place {
#include "api/image_place.def"
};
struct image_turn {
#include "api/image_turn.def"
};
#undef FIELD
#undef ARRAY

struct image_guest {
    struct image_place place;
    struct image       vm;
    struct image_turn  turn[MAX_HARTS];
};

/* Guest memory of all VMs together, in frames: the tables of a host that has
 * more would not fit into a computer. */
#define HOST_IMAGE_FRAMES (1u << 24)

struct host_image {
    struct image_host   host;
    uint32_t            cost[NR_COSTS];
    uint32_t            generation[MAX_VMS], nr_slots;
    struct slot_table   table[2];
    struct image_in     asked; /* rounds */
    struct image_in     note;
    struct image_hart   hart[MAX_HARTS];
    struct image_guest *guest;            /* host.vms of them */
    struct image_in     queue[MAX_HARTS]; /* of entries: VM, vCPU */
    struct image_in     timers;           /* ... and a time */
    struct image_in     data;
};
#define ROUND_SIZE (4 + MAX_HARTS)
#define QUEUE_SIZE 8
#define TIMER_SIZE 16

/* --- host_image_record.c ---------------------------------------------------- */

void host_image_put(struct hv_image *to, struct host_image *image);
/* Once HOST is read, there is memory for image->guest. A status. */
int host_image_get(struct image_in *sections, struct host_image *image,
                   struct image_why why);
struct hv_config host_image_config(const struct host_image *image);
/* A guest but for its memory. */
void guest_put(struct hv_image *to, struct image_guest *guest);

/* --- host_image_still.c ----------------------------------------------------- */

/* Let it stand still, in the form that its image has, too. */
void host_freeze(hv_host *host);
/* All of it. */
void host_put(struct hv_image *to, hv_host *host, struct image_in note);

/* --- host_image_make.c, host_image_resume.c --------------------------------- */

/* Statuses; if not HV_OK, the host is good for nothing but to be freed. */
int host_image_make(hv_host *host, struct host_image *image,
                    struct image_why why);
int host_image_resume(hv_host *host, const struct host_image *image,
                      struct image_why why);

#endif
