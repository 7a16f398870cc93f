/* image_record.c - records: every field, in order, and what it may hold.
 *
 * The lists are image_x.def; what they become is told in image_fields.h. What
 * concerns more than one record is checked in image_together(). */
#include "abi/pv.h"
#include "api/image_fields.h"
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

/* --- the lists -------------------------------------------------------------- */

static const char *vm_fields(const struct image_pass *pass, void *record)
{
    struct image_vm *r = record;

#include "api/image_vm.def"
    return NULL;
}

static const char *vcpu_fields(const struct image_pass *pass, void *record)
{
    struct image_vcpu *r = record;

#include "api/image_vcpu.def"
    return NULL;
}

static const char *uart_fields(const struct image_pass *pass, void *record)
{
    struct image_uart *r = record;

#include "api/image_uart.def"
    return NULL;
}

static const char *plic_fields(const struct image_pass *pass, void *record)
{
    struct image_plic *r = record;

#include "api/image_plic.def"
    return NULL;
}

static const struct image_record vm_record = { "VM", "VM  ", vm_fields };
static const struct image_record vcpu_record = { "VM", "VCPU", vcpu_fields };
static const struct image_record uart_record = { "VM", "UART", uart_fields };
static const struct image_record plic_record = { "VM", "PLIC", plic_fields };

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

void image_put(struct hv_image *to, struct image *image)
{
    record_put(to, &vm_record, &image->vm);
    put_counters(to, &image->count);
    record_put(to, &uart_record, &image->uart);
    record_put(to, &plic_record, &image->plic);
    for (uint32_t i = 0; i < image->vm.vcpus; i++)
        record_put(to, &vcpu_record, &image->vcpu[i]);
    section_put(to, "WHY ", &image->reason);
    section_put(to, "COUT", &image->out);
    section_put(to, "CIN ", &image->in);
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
    if (!record_get(in, &vm_record, &image->vm, why) ||
        !get_counters(in, &image->count, why) ||
        !record_get(in, &uart_record, &image->uart, why) ||
        !record_get(in, &plic_record, &image->plic, why))
        return false;
    for (uint32_t i = 0; i < image->vm.vcpus; i++)
        if (!record_get(in, &vcpu_record, &image->vcpu[i], why))
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
