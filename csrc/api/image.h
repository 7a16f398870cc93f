/* image.h - the state of a VM as bytes: what the files of saving share.
 *
 *   image_bytes.c  numbers, sections and the frame around them
 *   image_fields.c what a list of fields becomes: image_fields.h
 *   image_record.c records: every field, in order, and what it may hold
 *   image_pages.c  guest memory: a map of runs, and each content once
 *   image_vm.c     from a VM that stands still to records
 *   image_make.c   a new VM of that shape
 *   image_thaw.c   ... that becomes what the records say
 *   save.c         the calls of hv.h; of a whole host: host_image.h
 *
 * The format knows of no pointer, no compiler and no engine: little-endian
 * numbers, each of the size that image_x.def says, in that order. Whoever wrote
 * the bytes, they are taken apart and checked as a whole before anything is
 * made of them. The checksum is against accidents; against an attacker, who
 * can compute one, there are the checks of every field. */
#ifndef HV_API_IMAGE_H
#define HV_API_IMAGE_H

#include "api/host.h"

/* marker: image-frame */
#define IMAGE_MAGIC   "\x89hvsave\n" /* 8 bytes, as PNG's: no text file's */
#define IMAGE_VERSION 1
#define IMAGE_HEADER  32 /* magic, version, kind, length, checksum */
#define IMAGE_SECTION 16 /* tag, 0, length of what follows */

enum image_kind { IMAGE_VM = 1, IMAGE_HOST };
/* marker: end */

struct hv_image {
    uint8_t *bytes;
    size_t   len, cap;
    bool     failed; /* there was no memory for it */
};

/* --- image_bytes.c ---------------------------------------------------------- */

/* What is left to be read of a piece of an image. Reading past its end gives 0
 * and sets `cut`. */
struct image_in {
    const uint8_t *at;
    size_t         left;
    bool           cut;
};

void put_uint8(struct hv_image *to, uint8_t val);
void put_uint32(struct hv_image *to, uint32_t val);
void put_uint64(struct hv_image *to, uint64_t val);
void put_bytes(struct hv_image *to, const void *from, size_t len);
uint8_t get_uint8(struct image_in *in);
uint32_t get_uint32(struct image_in *in);
uint64_t get_uint64(struct image_in *in);

/* A section; returns where, for the end of it. */
size_t image_begin(struct hv_image *to, const char *tag);
void image_end(struct hv_image *to, size_t section);
/* The frame around all sections: room for it first, the rest last. */
void image_open(struct hv_image *to);
void image_close(struct hv_image *to, enum image_kind kind);

/* Reading. A function that returns false has said why. */
struct image_why {
    char  *text;
    size_t n;
};
bool image_frame(const uint8_t *bytes, size_t len, enum image_kind kind,
                 struct image_in *sections, struct image_why why);
/* The next section, which is to be this one. */
bool image_section(struct image_in *in, const char *tag, struct image_in *body,
                   struct image_why why);
/* All of it was read, and no more. */
bool image_whole(const struct image_in *body, const char *tag,
                 struct image_why why);

/* --- image_record.c ----------------------------------------------------------- */

#define FIELD(type, name, check, doc)        type##_t name;
#define ARRAY(type, name, count, check, doc) type##_t name[count];
struct image_vm {
#include "api/image_vm.def"
};
struct image_vcpu {
#include "api/image_vcpu.def"
};
struct image_uart {
#include "api/image_uart.def"
};
struct image_plic {
#include "api/image_plic.def"
};
#undef FIELD
#undef ARRAY

/* A run of guest frames; see image_pages.c. */
enum run_kind { RUN_ABSENT, RUN_ZERO, RUN_DATA, NR_RUN_KINDS };
struct image_run {
    uint32_t count; /* of frames */
    uint32_t what;  /* enum run_kind | P2M_x << 8 */
    uint32_t index; /* of the first one's content */
};
static inline enum run_kind run_kind(struct image_run run)
{
    return (enum run_kind)(run.what & 0xff);
}
static inline uint32_t run_state(struct image_run run)
{
    return run.what >> 8;
}

/* All that an image says of a VM. What has no fixed size stays where it is, in
 * the bytes of the image, which have to outlive it. */
struct image {
    struct image_vm    vm;
    struct vm_counters count;
    struct image_uart  uart;
    struct image_plic  plic;
    struct image_vcpu  vcpu[MAX_HARTS];
    struct image_in    reason, out, in; /* texts */
    struct image_in    map;             /* of runs, checked */
    struct image_in    data;            /* of pages */
    uint32_t           populated, gone; /* frames, as the map says */
    bool               with_others;     /* in its host's: it may share pages */
};

void image_put(struct hv_image *to, struct image *image);
bool image_get(struct image_in *sections, struct image *image,
               struct image_why why);
/* The sections before MAP alone; and what no field tells by itself, once the
 * map is checked. */
bool image_get_records(struct image_in *sections, struct image *image,
                       struct image_why why);
bool image_together(const struct image *image, struct image_why why);

/* --- image_pages.c ---------------------------------------------------------- */

/* Sections "MAP " and "DATA". False: no memory. */
bool pages_put(struct hv_image *to, hv_host *host, const struct vm *vm);
/* The two by themselves, for a host: a MAP for each VM, and one DATA. */
struct contents;
struct contents *contents_new(uint32_t room, bool with_others);
void contents_free(struct contents *contents);
void map_put(struct hv_image *to, hv_host *host, const struct vm *vm,
             struct contents *contents);
void data_put(struct hv_image *to, const struct contents *contents);
struct image_run run_get(struct image_in *map);
/* Count what the map says; false, with *why set, if it says nonsense, or DATA
 * has more than `most` pages. */
bool pages_check(struct image *image, uint32_t most, struct image_why why);
/* Does the map populate this guest frame, for this VM alone? */
bool pages_has(const struct image *image, uint32_t gfn);
/* Give a VM that was never run its memory. False: there is not enough. The
 * frames that are shared, by content, are in `shared`; NULL: none are. */
bool pages_fill(struct vm *vm, const struct image *image, uint32_t *shared);

/* --- image_vm.c ------------------------------------------------------------- */

/* Let the VM stand still, in the form that its image has, too. */
void vm_freeze(hv_host *host, struct vm *vm);
/* What is to be said of it, but its memory. */
void vm_describe(hv_host *host, struct vm *vm, struct image *image);

/* The latest cycle that any hart has reached. */
uint64_t host_latest(hv_host *host);
/* Harts empty their TLBs when they first enter a guest with a tag of a new
 * generation. That is done now, and not on a guest's time. */
void host_flush_owed(hv_host *host);
/* Its hart comes in, and sets its timer for what it now waits for. */
void vcpu_look_again(const struct vcpu *vcpu);

/* --- image_make.c ----------------------------------------------------------- */

/* Frames that it cannot do without, at once: such a VM, of whose memory so many
 * are promised, and at least so many are there; and the one of an image. */
uint64_t vm_frames(const hv_host *host, const struct image_vm *r,
                   uint32_t minimum, uint32_t least);
uint64_t vm_wanted(const hv_host *host, const struct image *image);
/* Make one, on this host, whose memory is still to be given to it. A status,
 * and nothing changed if it is not HV_OK. */
int vm_remake(hv_host *host, const struct image *image, struct vm **vm,
              struct image_why why);
/* What that is made of. NULL, or what the host cannot give it; what to make;
 * false: no memory for what is at its console. */
const char *image_unfit(const hv_host *host, const struct image *image);
struct vm_config image_config(const struct image_vm *r);
bool image_refill(hv_host *host, uint32_t vm, const struct image *image);

/* --- image_thaw.c ----------------------------------------------------------- */

/* It has its memory now: let it be what the image says. */
void vm_thaw(hv_host *host, struct vm *vm, const struct image *image);
/* The same, if it is cycle `now`, but for who waits to run. */
void vm_thaw_still(struct vm *vm, const struct image *image, uint64_t now);

/* --- save.c ----------------------------------------------------------------- */

/* What hv_image_info() tells. */
void image_facts(const struct image *image, struct hv_image_info *out);
/* The image that `write` makes of this. A status; if it is not HV_OK, there is
 * no image. */
int image_write(hv_host *host, enum image_kind kind,
                void (*write)(struct hv_image *to, hv_host *host, void *of),
                void *of, hv_image **out, struct image_why why);

/* guest.c: by enum hv_style and enum hv_sync, and back. */
extern const struct style *const vm_styles[HV_NR_STYLES];
uint32_t style_number(const struct style *style);
enum sync_policy sync_policy(uint32_t sync, const struct style *style);
/* What its vCPUs need at one time must not evict each other. */
bool host_pool_ok(const hv_host *host, uint32_t frames, uint32_t vcpus);

#endif
