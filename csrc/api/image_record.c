/* image_record.c - records: every field, in order, and what it may hold.
 *
 * The lists are image_x.def; here each becomes three functions: to write, to
 * read, and to name the first field that holds what no VM could. What concerns
 * more than one record is checked in image_together(). */
#include "abi/pv.h"
#include "api/image.h"
#include <string.h>

/* --- words of the lists ----------------------------------------------------- */

static bool plic_levels(const uint32_t *level, uint32_t n)
{
    uint32_t all = 0;

    for (uint32_t i = 0; i < n; i++)
        all |= level[i];
    return all <= 7 && (n != PLIC_SOURCES + 1 || level[0] == 0);
}

static bool plic_enables(const uint32_t *enable)
{
    uint32_t all = 0;

    for (uint32_t i = 0; i < PLIC_CONTEXTS; i++)
        all |= enable[i];
    return !(all & 1);
}

/* --- to write --------------------------------------------------------------- */

#define FIELD(type, name, check, doc) put_##type(to, r->name);
#define ARRAY(type, name, count, check, doc) \
    for (uint32_t i = 0; i < (count); i++)   \
        put_##type(to, r->name[i]);
static void put_vm(struct hv_image *to, const struct image_vm *r)
{
#include "api/image_vm.def"
}

static void put_vcpu(struct hv_image *to, const struct image_vcpu *r)
{
#include "api/image_vcpu.def"
}

static void put_uart(struct hv_image *to, const struct image_uart *r)
{
#include "api/image_uart.def"
}

static void put_plic(struct hv_image *to, const struct image_plic *r)
{
#include "api/image_plic.def"
}
#undef FIELD
#undef ARRAY

/* --- to read ---------------------------------------------------------------- */

#define FIELD(type, name, check, doc) r->name = get_##type(in);
#define ARRAY(type, name, count, check, doc) \
    for (uint32_t i = 0; i < (count); i++)   \
        r->name[i] = get_##type(in);
static void get_vm(struct image_in *in, struct image_vm *r)
{
#include "api/image_vm.def"
}

static void get_vcpu(struct image_in *in, struct image_vcpu *r)
{
#include "api/image_vcpu.def"
}

static void get_uart(struct image_in *in, struct image_uart *r)
{
#include "api/image_uart.def"
}

static void get_plic(struct image_in *in, struct image_plic *r)
{
#include "api/image_plic.def"
}
#undef FIELD
#undef ARRAY

/* --- to check: NULL, or the field that is wrong ----------------------------- */

#define FIELD(type, name, check, doc) \
    if (!(check))                     \
        return #name;
#define ARRAY(type, name, count, check, doc) FIELD(type, name, check, doc)
static const char *check_vm(const struct image_vm *r)
{
#include "api/image_vm.def"
    return NULL;
}

static const char *check_vcpu(const struct image_vcpu *r)
{
#include "api/image_vcpu.def"
    return NULL;
}

static const char *check_uart(const struct image_uart *r)
{
#include "api/image_uart.def"
    return NULL;
}

static const char *check_plic(const struct image_plic *r)
{
#include "api/image_plic.def"
    return NULL;
}
#undef FIELD
#undef ARRAY

/* --- all of it -------------------------------------------------------------- */

#define NR_COUNTERS ((uint32_t)(sizeof(struct vm_counters) / 8))

static void put_counters(struct hv_image *to, const struct vm_counters *count)
{
    size_t section = image_begin(to, "CNTR");

    put_uint32(to, NR_COUNTERS);
#define COUNTER(name, doc) put_uint64(to, count->name);
#include "hyp/counters.def"
#undef COUNTER
    image_end(to, section);
}

static void put_text(struct hv_image *to, const char *tag,
                     const struct image_in *text)
{
    size_t section = image_begin(to, tag);

    put_bytes(to, text->at, text->left);
    image_end(to, section);
}

#define PUT(to, tag, record, put)                \
    do {                                         \
        size_t section = image_begin((to), tag); \
        put((to), (record));                     \
        image_end((to), section);                \
    } while (0)

void image_put(struct hv_image *to, const struct image *image)
{
    PUT(to, "VM  ", &image->vm, put_vm);
    put_counters(to, &image->count);
    PUT(to, "UART", &image->uart, put_uart);
    PUT(to, "PLIC", &image->plic, put_plic);
    for (uint32_t i = 0; i < image->vm.vcpus; i++)
        PUT(to, "VCPU", &image->vcpu[i], put_vcpu);
    put_text(to, "WHY ", &image->reason);
    put_text(to, "COUT", &image->out);
    put_text(to, "CIN ", &image->in);
}

static bool get_counters(struct image_in *sections, struct vm_counters *count,
                         struct image_why why)
{
    struct image_in body, *in = &body;

    if (!image_section(sections, "CNTR", &body, why))
        return false;
    if (get_uint32(in) != NR_COUNTERS) {
        host_say(why.text, why.n, "it has other counters than this hv");
        return false;
    }
#define COUNTER(name, doc) count->name = get_uint64(in);
#include "hyp/counters.def"
#undef COUNTER
    return image_whole(in, "CNTR", why);
}

static bool field_ok(const char *bad, const char *tag, struct image_why why)
{
    if (bad)
        host_say(why.text, why.n, "section %s: no VM has such a value of %s",
                 tag, bad);
    return !bad;
}

/* marker: get-record */
/* Read one record, all of it, and check it. */
#define GET(sections, tag, record, get, check, why)              \
    (image_section((sections), tag, &body, (why)) &&             \
     ((get)(&body, (record)), image_whole(&body, tag, (why))) && \
     field_ok((check)(record), tag, (why)))
/* marker: end */

/* What the hypervisor itself writes to is RAM, populated and held. */
static bool held_ok(const struct image *image, const struct image_vcpu *v)
{
    if (!v->shared_set && !v->sta_set && !v->entry_set && !v->kicked &&
        !v->polls)
        return true;
    return vm_styles[image->vm.style]->hypercalls &&
           (!v->shared_set || pages_has(image, v->shared >> PAGE_SHIFT)) &&
           (!v->sta_set || pages_has(image, v->sta >> PAGE_SHIFT));
}

/* marker: image-together */
/* What no field tells by itself. */
bool image_together(const struct image *image, struct image_why why)
{
    uint32_t    places = 0;
    const char *bad = NULL;

    for (uint32_t i = 0; i < image->vm.vcpus; i++) {
        const struct image_vcpu *v = &image->vcpu[i];

        if (!held_ok(image, v))
            bad = "a page for a vCPU and the hypervisor is not there";
        if (v->shared_set && v->shared % PAGE_SIZE != i * SI_VCPU_SIZE)
            bad = "a vCPU has the part of another of the shared-info page";
        if (v->order >= image->vm.vcpus)
            bad = "a vCPU waits behind more than there are";
        places |= 1u << v->order;
    }
    if (places != (1u << image->vm.vcpus) - 1)
        bad = "two vCPUs have one place in the queue";
    if (image->reason.left &&
        (image->vm.state != VM_KILLED || image->reason.left >= VM_REASON_SIZE ||
         memchr(image->reason.at, 0, image->reason.left)))
        bad = "the reason why it was killed is none";
    if (bad)
        host_say(why.text, why.n, "%s", bad);
    return !bad;
}
/* marker: end */

static bool get_records(struct image_in *in, struct image *image,
                        struct image_why why)
{
    struct image_in body;

    if (!GET(in, "VM  ", &image->vm, get_vm, check_vm, why) ||
        !get_counters(in, &image->count, why) ||
        !GET(in, "UART", &image->uart, get_uart, check_uart, why) ||
        !GET(in, "PLIC", &image->plic, get_plic, check_plic, why))
        return false;
    for (uint32_t i = 0; i < image->vm.vcpus; i++)
        if (!GET(in, "VCPU", &image->vcpu[i], get_vcpu, check_vcpu, why))
            return false;
    return true;
}

bool image_get_records(struct image_in *in, struct image *image,
                       struct image_why why)
{
    return get_records(in, image, why) &&
           image_section(in, "WHY ", &image->reason, why) &&
           image_section(in, "COUT", &image->out, why) &&
           image_section(in, "CIN ", &image->in, why);
}

bool image_get(struct image_in *in, struct image *image, struct image_why why)
{
    image->with_others = false;
    return image_get_records(in, image, why) &&
           image_section(in, "MAP ", &image->map, why) &&
           image_section(in, "DATA", &image->data, why) &&
           pages_check(image, image->vm.mem_size / PAGE_SIZE, why) &&
           image_together(image, why);
}
