/* host_image_record.c - what an image says of a host: to bytes and back.
 *
 * The records are lists: image_fields.h. What a record cannot tell by
 * itself is looked at when a host is made of it: host_image_resume.c. */
#include "api/host_image.h"
#include "api/image_fields.h"
#include <stdlib.h>
#include <string.h>

/* --- records ---------------------------------------------------------------- */

static const char *host_fields(const struct image_pass *pass, void *record)
{
    struct image_host *r = record;

#include "api/image_host.def"
    return NULL;
}

static const char *hart_fields(const struct image_pass *pass, void *record)
{
    struct image_hart *r = record;

#include "api/image_hart.def"
    return NULL;
}

static const char *place_fields(const struct image_pass *pass, void *record)
{
    struct image_place *r = record;

#include "api/image_place.def"
    return NULL;
}

static const char *turn_fields(const struct image_pass *pass, void *record)
{
    struct image_turn *r = record;

#include "api/image_turn.def"
    return NULL;
}

static const struct image_record host_record = { "host", "HOST", host_fields };
static const struct image_record hart_record = { "host", "HART", hart_fields };
static const struct image_record place_record = { "host", "PLAC",
                                                  place_fields };
static const struct image_record turn_record = { "host", "TURN", turn_fields };

static bool said(bool ok, const char *tag, const char *what,
                 struct image_why why)
{
    return value_ok(ok, "host", tag, what, why);
}

/* --- the host --------------------------------------------------------------- */

static void put_numbers(struct hv_image *to, const char *tag,
                        const uint32_t *number, uint32_t n)
{
    size_t section = image_begin(to, tag);

    for (uint32_t i = 0; i < n; i++)
        put_uint32(to, number[i]);
    image_end(to, section);
}

static void put_table(struct hv_image *to, const struct slot_table *table)
{
    size_t section = image_begin(to, "TABL");

    put_uint64(to, table->begins);
    for (uint32_t i = 0; i < table->nr; i++) {
        put_uint32(to, table->slot[i].vm);
        put_uint32(to, table->slot[i].ticks);
    }
    image_end(to, section);
}

void host_image_put(struct hv_image *to, struct host_image *image)
{
    record_put(to, &host_record, &image->host);
    put_numbers(to, "COST", image->cost, NR_COSTS);
    put_numbers(to, "SLOT", image->generation, image->nr_slots);
    put_table(to, &image->table[0]);
    put_table(to, &image->table[1]);
    section_put(to, "ASKD", &image->asked);
    section_put(to, "NOTE", &image->note);
    for (uint32_t i = 0; i < image->host.harts; i++)
        record_put(to, &hart_record, &image->hart[i]);
}

struct hv_config host_image_config(const struct host_image *image)
{
    const struct image_host *r = &image->host;
    struct hv_config         config = {
        .m_mode = HV_M_HYPERVISOR,
        .engine = HV_ENGINE_FAST,
        .profile = r->profile,
        .harts = r->harts,
        .ram_size = r->ram_size,
        .asid_bits = r->asid_bits,
        .ad_fault = r->ad_fault,
        .time_div = r->time_div,
        .slice = r->slice,
        .policy = r->policy,
        .period = r->period,
        .quantum = r->quantum,
        .audit = r->audit,
        .fill = r->fill,
        .admission = r->admission,
    };

    memcpy(config.cost, image->cost, sizeof(image->cost));
    return config;
}

static bool get_numbers(struct image_in *sections, const char *tag,
                        uint32_t *number, uint32_t *n, uint32_t max,
                        struct image_why why)
{
    struct image_in body;

    if (!image_section(sections, tag, &body, why) ||
        !said(body.left % 4 == 0 && body.left / 4 <= max, tag, "its length",
              why))
        return false;
    *n = (uint32_t)(body.left / 4);
    for (uint32_t i = 0; i < *n; i++)
        number[i] = get_uint32(&body);
    return true;
}

/* Rows are looked at when the machine is there, whose ticks they are in. */
static bool get_table(struct image_in *sections, struct slot_table *table,
                      struct image_why why)
{
    struct image_in body;

    if (!image_section(sections, "TABL", &body, why) ||
        !said(body.left >= 8 && body.left % 8 == 0 &&
                  body.left / 8 - 1 <= MAX_SLOTS,
              "TABL", "its length", why))
        return false;
    *table = (struct slot_table){ .nr = (uint32_t)(body.left / 8) - 1 };
    table->begins = get_uint64(&body);
    for (uint32_t i = 0; i < table->nr; i++) {
        table->slot[i].vm = get_uint32(&body);
        table->slot[i].ticks = get_uint32(&body);
        table->length += table->slot[i].ticks;
    }
    return true;
}

static bool get_the_host(struct image_in *in, struct host_image *image,
                         struct image_why why)
{
    uint32_t costs = 0;

    if (!record_get(in, &host_record, &image->host, why) ||
        !get_numbers(in, "COST", image->cost, &costs, NR_COSTS, why) ||
        !said(costs == NR_COSTS, "COST", "its length", why))
        return false;
    struct hv_config config = host_image_config(image);
    const char      *bad = host_config_bad(&config);
    if (bad) {
        host_say(why.text, why.n, "no host is configured so: %s", bad);
        return false;
    }
    if (!get_numbers(in, "SLOT", image->generation, &image->nr_slots, MAX_VMS,
                     why) ||
        !get_table(in, &image->table[0], why) ||
        !get_table(in, &image->table[1], why) ||
        !image_section(in, "ASKD", &image->asked, why) ||
        !said(image->asked.left % ROUND_SIZE == 0, "ASKD", "its length", why) ||
        !image_section(in, "NOTE", &image->note, why))
        return false;
    for (uint32_t i = 0; i < config.harts; i++)
        if (!record_get(in, &hart_record, &image->hart[i], why))
            return false;
    return true;
}

/* --- its VMs ------------------------------------------------------------------ */

/* Its number is one that was given out last for its slot, and comes after the
 * one before. */
static bool id_ok(const struct host_image *image, uint32_t id, uint32_t before)
{
    uint32_t slot = id % MAX_VMS;

    return slot > before % MAX_VMS && slot < image->nr_slots &&
           image->generation[slot] == id / MAX_VMS + 1;
}

void guest_put(struct hv_image *to, struct image_guest *guest)
{
    record_put(to, &place_record, &guest->place);
    image_put(to, &guest->vm);
    for (uint32_t i = 0; i < guest->vm.vm.vcpus; i++)
        record_put(to, &turn_record, &guest->turn[i]);
}

static bool get_guest(struct image_in *in, struct host_image *image,
                      uint32_t nth, struct image_why why)
{
    struct image_guest *guest = &image->guest[nth];
    uint32_t            before = nth ? image->guest[nth - 1].place.id : 0;

    guest->vm.with_others = true;
    if (!record_get(in, &place_record, &guest->place, why) ||
        !said(id_ok(image, guest->place.id, before), "PLAC", "id", why) ||
        !image_get_records(in, &guest->vm, why))
        return false;
    for (uint32_t i = 0; i < guest->vm.vm.vcpus; i++)
        if (!record_get(in, &turn_record, &guest->turn[i], why))
            return false;
    return image_section(in, "MAP ", &guest->vm.map, why);
}

static bool get_lists(struct image_in *in, struct host_image *image,
                      struct image_why why)
{
    for (uint32_t i = 0; i < image->host.harts; i++)
        if (!image_section(in, "QUEU", &image->queue[i], why) ||
            !said(image->queue[i].left % QUEUE_SIZE == 0, "QUEU", "its length",
                  why))
            return false;
    return image_section(in, "TIME", &image->timers, why) &&
           said(image->timers.left % TIMER_SIZE == 0, "TIME", "its length",
                why);
}

static bool get_pages(struct image_in *in, struct host_image *image,
                      struct image_why why)
{
    uint32_t most = 0;

    if (!image_section(in, "DATA", &image->data, why) ||
        !image_whole(in, "after DATA", why))
        return false;
    for (uint32_t i = 0; i < image->host.vms; i++) {
        uint32_t pages = image->guest[i].vm.vm.mem_size / PAGE_SIZE;

        if (!said(pages <= HOST_IMAGE_FRAMES - most, "VM  ", "mem_size", why))
            return false;
        most += pages;
    }
    for (uint32_t i = 0; i < image->host.vms; i++) {
        struct image *vm = &image->guest[i].vm;

        vm->data = image->data;
        if (!pages_check(vm, most, why) || !image_together(vm, why))
            return false;
    }
    return true;
}

int host_image_get(struct image_in *in, struct host_image *image,
                   struct image_why why)
{
    if (!get_the_host(in, image, why))
        return HV_ERR_IMAGE;
    image->guest = calloc(image->host.vms + 1, sizeof(*image->guest));
    if (!image->guest) {
        host_say(why.text, why.n, "no memory for what it says");
        return HV_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < image->host.vms; i++)
        if (!get_guest(in, image, i, why))
            return HV_ERR_IMAGE;
    return get_lists(in, image, why) && get_pages(in, image, why)
               ? HV_OK
               : HV_ERR_IMAGE;
}
