/* frame.h - the frame table: who owns each frame of machine memory.
 *
 * Every frame is free, the hypervisor's, one VM's, or shared: the same for
 * several entries of p2m, of any VMs, and written by nobody. Everything that
 * can reach a frame - a p2m entry, a shadow leaf, a link between shadow tables,
 * a vCPU that runs on a root - holds a counted reference. A frame is freed only
 * at reference count 0, and its bytes are zeroed before its next owner sees
 * them.
 *
 * A frame has one type at a time, and its uses as that type are counted, too:
 * of a plain frame, the mappings that can write it; of a guest's page table
 * (direct.h), its pin, the links to it and the vCPUs that run on it. The type
 * changes only while nobody uses the frame, so what is a table is never mapped
 * writable. */
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
    FRAME_STAGE2, /* a second-stage table; so it does */
    /* The guest's own tables, validated; the machine walks them, too. */
    FRAME_LEAF_TABLE,
    FRAME_ROOT_TABLE,
};

struct frame {
    uint32_t owner;
    uint32_t refs;
    uint32_t uses;   /* as what `type` says; each comes with a reference */
    uint32_t vm;     /* shadow, stage 2: the id of the VM it serves */
    uint32_t gfn;    /* where its VM sees it; free: next free frame; shared: by
                        how many p2m entries */
    uint32_t map;    /* rmap.h: the first shadow entry that names it */
    uint16_t traced; /* shadow tables that follow every write to it */
    uint8_t  type;   /* enum frame_type */
    bool     pinned; /* table: its guest keeps it one */
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

/* The same for FRAMES_RUN frames that follow each other, the first a multiple
 * of that: a 16 KiB root. False, with nothing taken: no such run is free. What
 * is promised stays promised, so the caller has reserved them. */
#define FRAMES_RUN 4
bool frame_alloc_run(struct frames *frames, uint32_t owner,
                     enum frame_type type, hfn_t *first);

/* How many are neither owned by somebody nor promised. */
static inline uint32_t frames_available(const struct frames *frames)
{
    return frames->free - frames->reserved;
}

void frame_get(struct frames *frames, hfn_t hfn);
/* Drop a reference that is not the last. */
void frame_put(struct frames *frames, hfn_t hfn);
/* A reference that uses the frame as this type. False, and nothing changed: it
 * is of another type. */
bool frame_use(struct frames *frames, hfn_t hfn, enum frame_type type);
void frame_unuse(struct frames *frames, hfn_t hfn);
/* From here on it is something else; nobody uses it as what it was. */
void frame_retype(struct frames *frames, hfn_t hfn, enum frame_type type);

/* Drop the last reference; the frame becomes free. */
void frame_free(struct frames *frames, hfn_t hfn);

/* The frame's entry; the frame must be RAM. */
struct frame *frame_of(struct frames *frames, hfn_t hfn);
bool frame_exists(const struct frames *frames, hfn_t hfn);

#endif
