/* save.c - a VM to bytes and back: the calls. What an image is: image.h. */
#include "api/image.h"
#include <stdlib.h>
#include <string.h>

/* --- images ----------------------------------------------------------------- */

size_t hv_image_size(const hv_image *image)
{
    return image ? image->len : 0;
}

size_t hv_image_read(const hv_image *image, size_t from, uint8_t *to,
                     size_t max)
{
    if (!image || !to || from >= image->len)
        return 0;
    if (max > image->len - from)
        max = image->len - from;
    memcpy(to, image->bytes + from, max);
    return max;
}

void hv_image_free(hv_image *image)
{
    if (!image)
        return;
    free(image->bytes);
    free(image);
}

int image_write(hv_host *host, enum image_kind kind,
                void (*write)(struct hv_image *to, hv_host *host, void *of),
                void *of, hv_image **out, struct image_why why)
{
    struct hv_image *image = calloc(1, sizeof(*image));

    if (image && setjmp(host->hal.unwind) != 0) {
        hv_image_free(image);
        return HV_ERR_BROKEN;
    }
    if (image) {
        image_open(image);
        write(image, host, of);
        image_close(image, kind);
    }
    if (!image || image->failed) {
        host_say(why.text, why.n, "no memory for its image");
        hv_image_free(image);
        return HV_ERR_NO_MEMORY;
    }
    *out = image;
    return HV_OK;
}

/* --- one VM ----------------------------------------------------------------- */

static int vm_guest(hv_host *host, uint32_t id, struct vm **vm,
                    struct image_why why)
{
    int status = host_guest(host, id, vm);

    if (status == HV_OK && !*vm)
        status = HV_ERR_UNSUPPORTED;
    if (status != HV_OK) {
        host_say(why.text, why.n, "%s", hv_status_text(status));
        return status;
    }
    if (!(*vm)->style->direct)
        return HV_OK;
    host_say(why.text, why.n,
             "style direct: its page tables name the frames that it has here");
    return HV_ERR_UNSUPPORTED;
}

static void write_vm(struct hv_image *to, hv_host *host, void *of)
{
    struct vm   *vm = of;
    struct image image;

    vm_freeze(host, vm);
    vm_describe(host, vm, &image);
    image_put(to, &image);
    if (!pages_put(to, host, vm))
        to->failed = true;
}

int hv_vm_save(hv_host *host, uint32_t id, hv_image **out, char *text, size_t n)
{
    struct image_why why = { text, n };
    struct vm       *vm;

    if (!out)
        return HV_ERR_INVALID;
    *out = NULL;
    int status = vm_guest(host, id, &vm, why);
    return status == HV_OK ? image_write(host, IMAGE_VM, write_vm, vm, out, why)
                           : status;
}

static int read_vm(hv_host *host, const struct image *image, uint32_t *id,
                   struct image_why why)
{
    struct vm *vm;
    int        status = vm_remake(host, image, &vm, why);

    if (status != HV_OK)
        return status;
    if (!pages_fill(vm, image, NULL))
        hal_halt(&host->hal, "a restored VM has not the memory it was given");
    vm_thaw(host, vm, image);
    *id = vm->id;
    return HV_OK;
}

/* All of it, and nothing behind it. */
static bool whole_vm(const uint8_t *bytes, size_t len, struct image *image,
                     struct image_why why)
{
    struct image_in sections;

    return image_frame(bytes, len, IMAGE_VM, &sections, why) &&
           image_get(&sections, image, why) &&
           image_whole(&sections, "after DATA", why);
}

static uint32_t zero_frames(const struct image *image)
{
    struct image_in map = image->map;
    uint32_t        n = 0;

    while (map.left) {
        struct image_run run = run_get(&map);

        n += run_kind(run) == RUN_ZERO ? run.count : 0;
    }
    return n;
}

void image_facts(const struct image *image, struct hv_image_info *out)
{
    static const uint32_t states[] = {
        [VM_CREATED] = HV_VM_CREATED, [VM_LIVE] = HV_VM_RUNNABLE,
        [VM_PAUSED] = HV_VM_PAUSED,   [VM_OFF] = HV_VM_OFF,
        [VM_KILLED] = HV_VM_KILLED,   [VM_BUDGET] = HV_VM_BUDGET,
    };

    *out = (struct hv_image_info){
        .version = IMAGE_VERSION,
        .style = image->vm.style,
        .sync = image->vm.sync,
        .state = states[image->vm.state],
        .vcpus = image->vm.vcpus,
        .mem_size = image->vm.mem_size,
        .shadow_frames = image->vm.shadow_frames,
        .ad_fault = image->vm.ad_fault,
        .profile = image->vm.leaky ? HV_PROFILE_LEAKY : HV_PROFILE_CLEAN,
        .frames = image->populated,
        .frames_zero = zero_frames(image),
        .contents = (uint32_t)(image->data.left / PAGE_SIZE),
        .frames_gone = image->gone,
        .out = (uint32_t)image->out.left,
        .in = (uint32_t)image->in.left,
        .ticks = image->vm.age_ticks,
    };
    for (uint32_t i = 0; i < image->vm.vcpus; i++)
        out->insns += image->vcpu[i].insns;
}

int hv_image_info(const uint8_t *bytes, size_t len, struct hv_image_info *out,
                  char *why, size_t n)
{
    struct image image;

    if (!out || (!bytes && len)) {
        host_say(why, n, "bytes or out is missing");
        return HV_ERR_INVALID;
    }
    if (!whole_vm(bytes, len, &image, (struct image_why){ why, n }))
        return HV_ERR_IMAGE;
    image_facts(&image, out);
    return HV_OK;
}

int hv_vm_restore(hv_host *host, const uint8_t *bytes, size_t len, uint32_t *vm,
                  char *text, size_t n)
{
    struct image_why why = { text, n };
    struct image     image;

    if (!host || !vm || (!bytes && len)) {
        host_say(text, n, "host, bytes or vm is missing");
        return HV_ERR_INVALID;
    }
    if (!host_has_hyp(host)) {
        host_say(text, n, "this host has no hypervisor");
        return HV_ERR_UNSUPPORTED;
    }
    if (host->hal.broken)
        return HV_ERR_BROKEN;
    if (!whole_vm(bytes, len, &image, why))
        return HV_ERR_IMAGE;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    return read_vm(host, &image, vm, why);
}
