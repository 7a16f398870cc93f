/* host_save.c - a whole host to bytes and back: the calls. What such an image
 * is: host_image.h. */
#include "api/host_image.h"
#include <stdlib.h>

int hv_host_config(hv_host *host, struct hv_config *out)
{
    if (!host || !out)
        return HV_ERR_INVALID;
    *out = host->config;
    return HV_OK;
}

/* HV_OK, or why it cannot be saved. */
static int can_be_saved(hv_host *host, struct image_why why)
{
    const struct hyp *hyp = &host->hal.hyp;
    uint64_t          frames = 0;

    if (!host_has_hyp(host)) {
        host_say(why.text, why.n, "this host has no hypervisor");
        return HV_ERR_UNSUPPORTED;
    }
    if (host->hal.broken)
        return HV_ERR_BROKEN;
    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        const struct vm *vm = hyp->slot[slot];

        if (vm && vm->style->direct) {
            host_say(why.text, why.n,
                     "VM %u is of style direct: its page tables name the "
                     "frames that it has here",
                     (unsigned)vm->id);
            return HV_ERR_UNSUPPORTED;
        }
        frames += vm ? vm->p2m.count : 0;
    }
    if (frames <= HOST_IMAGE_FRAMES)
        return HV_OK;
    host_say(why.text, why.n, "its VMs have more than 64 GiB of guest memory");
    return HV_ERR_UNSUPPORTED;
}

static void write_host(struct hv_image *to, hv_host *host, void *of)
{
    const struct image_in *note = of;

    host_freeze(host);
    host_put(to, host, *note);
}

int hv_host_save(hv_host *host, const uint8_t *bytes, size_t size,
                 hv_image **out, char *text, size_t n)
{
    struct image_why why = { text, n };
    struct image_in  note = { .at = bytes, .left = size };

    if (!host || !out || (!bytes && size)) {
        host_say(text, n, "host, note or out is missing");
        return HV_ERR_INVALID;
    }
    *out = NULL;
    int status = can_be_saved(host, why);
    return status == HV_OK
               ? image_write(host, IMAGE_HOST, write_host, &note, out, why)
               : status;
}

/* --- and back --------------------------------------------------------------- */

static void drop(struct host_image *image)
{
    if (image)
        free(image->guest);
    free(image);
}

/* All that it says, checked; NULL, and a status. */
static struct host_image *read_image(const uint8_t *bytes, size_t len,
                                     int *status, struct image_why why)
{
    struct host_image *image = calloc(1, sizeof(*image));
    struct image_in    sections;

    *status = HV_ERR_NO_MEMORY;
    if (!image) {
        host_say(why.text, why.n, "no memory for what it says");
        return NULL;
    }
    *status = HV_ERR_IMAGE;
    if (image_frame(bytes, len, IMAGE_HOST, &sections, why))
        *status = host_image_get(&sections, image, why);
    if (*status == HV_OK)
        return image;
    drop(image);
    return NULL;
}

/* Of the assertions of csrc/hyp none can fail here; if one does, it is said. */
static int fill(hv_host *host, struct host_image *image, struct image_why why)
{
    if (setjmp(host->hal.unwind) != 0) {
        host_say(why.text, why.n, "%s", host->hal.why);
        return HV_ERR_BROKEN;
    }
    int status = host_image_make(host, image, why);
    return status == HV_OK ? host_image_resume(host, image, why) : status;
}

int hv_host_restore(const uint8_t *bytes, size_t len, uint32_t engine,
                    hv_host **out, char *text, size_t n)
{
    struct image_why why = { text, n };
    int              status;

    if (!out || (!bytes && len)) {
        host_say(text, n, "bytes or out is missing");
        return HV_ERR_INVALID;
    }
    *out = NULL;
    struct host_image *image = read_image(bytes, len, &status, why);
    if (!image)
        return status;
    struct hv_config config = host_image_config(image);
    config.engine = engine;
    hv_host *host;
    status = hv_host_new(&config, &host, text, n);
    if (status == HV_OK)
        status = fill(host, image, why);
    drop(image);
    if (status == HV_OK)
        *out = host;
    else
        hv_host_free(host);
    return status;
}

int hv_host_image_info(const uint8_t *bytes, size_t len,
                       struct hv_host_image_info *out,
                       struct hv_host_image_vm *vms, uint32_t max, char *text,
                       size_t n)
{
    int status;

    if (!out || !bytes || (!vms && max)) {
        host_say(text, n, "bytes, out or vms is missing");
        return HV_ERR_INVALID;
    }
    struct host_image *image = read_image(bytes, len, &status,
                                          (struct image_why){ text, n });
    if (!image)
        return status;
    *out = (struct hv_host_image_info){
        .config = host_image_config(image),
        .vms = image->host.vms,
        .contents = (uint32_t)(image->data.left / PAGE_SIZE),
        .cycles = image->hart[0].cycle,
        .note_at = (uint64_t)(image->note.at - bytes),
        .note_size = image->note.left,
    };
    for (uint32_t i = 0; i < image->host.vms && i < max; i++) {
        vms[i].id = image->guest[i].place.id;
        image_facts(&image->guest[i].vm, &vms[i].vm);
    }
    drop(image);
    return HV_OK;
}
