/* frame.h - the frame table: who owns each frame of machine memory.
 *
 * Every frame is free, the hypervisor's, one VM's, or shared: the same for
 * several entries of p2m, of any VMs, and written by nobody. Everything that
 * can reach a frame - a p2m entry, a shadow leaf, a link between shadow tables,
 * a vCPU that runs on a root - holds a counted reference. A frame is freed only
 * at reference count 0, and its bytes are zeroed before its next owner sees
 * them. */
#ifndef HV_HYP_FRAME_H
#define HV_HYP_FRAME_H

#include "hyp/hal.h"

#define OWNER_FREE   0u
#define OWNER_HYP    0xffffffffu
#define OWNER_SHARED 0xfffffffeu /* else: the VM's id */
#define NO_FRAME     0xffffffffu
#define NO_ENTRY     0xffffffffu

enum frame_type {
    FRAME_PLAIN,
    FRAME_SHADOW, /* a shadow table; the machine walks it */
};

struct frame {
    uint32_t owner;
    uint32_t refs;
    uint32_t vm;     /* shadow: the id of the VM it serves */
    uint32_t gfn;    /* plain: where its VM sees it; free: next free frame;
                        shared: by how many p2m entries */
    uint32_t map;    /* rmap.h: the first shadow entry that names it */
    uint16_t traced; /* shadow tables that follow every write to it */
    uint8_t  type;   /* enum frame_type */
    bool     dirty;  /* may hold somebody's bytes */
};

struct frames {
    struct hal   *hal;
    struct frame *table;
    uint32_t      first; /* frame number of table[0] */
    uint32_t      count;
    uint32_t      free;     /* how many are owned by nobody ... */
    uint32_t      reserved; /* ... of which so many are promised to VMs */
    uint32_t      hyp;      /* how many the hypervisor owns */
    uint32_t      shared;   /* how many are shared */
    uint32_t      free_head;
};

bool frames_init(struct frames *frames, struct hal *hal);
void frames_fini(struct frames *frames);

/* Promise n frames to somebody. False: they are not there, nothing changed. */
bool frames_reserve(struct frames *frames, uint32_t n);
void frames_unreserve(struct frames *frames, uint32_t n);

/* Take one frame of a reservation, zeroed, with one reference. It cannot fail:
 * a reservation is a promise. */
hfn_t frame_alloc(struct frames *frames, struct pcpu *pcpu, uint32_t owner,
                  enum frame_type type);

/* How many are neither owned by somebody nor promised. */
static inline uint32_t frames_available(const struct frames *frames)
{
    return frames->free - frames->reserved;
}

void frame_get(struct frames *frames, hfn_t hfn);
/* Drop a reference that is not the last. */
void frame_put(struct frames *frames, hfn_t hfn);
/* Drop the last reference; the frame becomes free. */
void frame_free(struct frames *frames, hfn_t hfn);

/* The frame's entry; the frame must be RAM. */
struct frame *frame_of(struct frames *frames, hfn_t hfn);
bool frame_exists(const struct frames *frames, hfn_t hfn);

#endif
