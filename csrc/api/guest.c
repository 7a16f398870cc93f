/* guest.c - VMs: create, destroy, boot, pause; and their consoles. */
#include "api/image.h"
#include <stdlib.h>

#define DEFAULT_MEM (16u << 20)

void hv_vm_config_default(struct hv_vm_config *config)
{
    *config = (struct hv_vm_config){
        .mem_size = DEFAULT_MEM,
        .vcpus = 1,
        .sched = { .weight = WEIGHT_DEFAULT },
    };
}

static const char *config_bad(const struct hv_vm_config *c)
{
    if (host_sched_bad(&c->sched))
        return host_sched_bad(&c->sched);
    if (c->style >= HV_NR_STYLES)
        return "style must be one of enum hv_style";
    if (c->mem_size == 0 || c->mem_size % PAGE_SIZE || c->mem_size > (1u << 30))
        return "mem_size must be a multiple of 4096 up to 1 GiB";
    if (c->min_size % PAGE_SIZE)
        return "min_size must be a multiple of 4096";
    if (c->sync >= HV_NR_SYNCS)
        return "sync must be one of enum hv_sync";
    if (c->sync == HV_SYNC_TOLD && c->style != HV_STYLE_PV)
        return "sync can be `told` only for a kernel that tells: style pv";
    if (c->vcpus < 1 || c->vcpus > MAX_HARTS)
        return "vcpus must be in 1..8";
    if (c->shadow_frames != 0 &&
        (c->shadow_frames < SHADOW_MIN_FRAMES || c->shadow_frames > 65536))
        return "shadow_frames must be 0 (default) or in 4..65536";
    return NULL;
}

const struct style *const vm_styles[HV_NR_STYLES] = {
    [HV_STYLE_EMULATE] = &style_emulate, [HV_STYLE_PV] = &style_pv,
    [HV_STYLE_ASSIST] = &style_assist,   [HV_STYLE_NESTED] = &style_nested,
    [HV_STYLE_DIRECT] = &style_direct,
};

_Static_assert((int)HV_SYNC_TOLD - (int)HV_SYNC_LAZY ==
                   (int)SYNC_TOLD - (int)SYNC_LAZY,
               "the policies, in one order");

enum sync_policy sync_policy(uint32_t sync, const struct style *style)
{
    static const enum sync_policy policy[HV_NR_SYNCS] = {
        [HV_SYNC_LAZY] = SYNC_LAZY,
        [HV_SYNC_TRACE] = SYNC_TRACE,
        [HV_SYNC_TRACE_STRICT] = SYNC_TRACE_STRICT,
        [HV_SYNC_TOLD] = SYNC_TOLD,
    };

    if (sync == HV_SYNC_DEFAULT)
        return style->hypercalls ? SYNC_TOLD : SYNC_LAZY;
    return policy[sync];
}

uint32_t style_number(const struct style *style)
{
    uint32_t i = 0;

    while (vm_styles[i] != style)
        i++;
    return i;
}

bool host_pool_ok(const hv_host *host, uint32_t frames, uint32_t vcpus)
{
    uint32_t harts = host->config.harts;

    return frames >= SHADOW_MIN_FRAMES * (vcpus < harts ? vcpus : harts);
}

int hv_vm_create(hv_host *host, const struct hv_vm_config *config, uint32_t *vm,
                 char *why, size_t n)
{
    const char *bad = config ? config_bad(config) : "config is missing";

    if (!host || !vm || bad) {
        host_say(why, n, "%s", bad ? bad : "host or vm is missing");
        return HV_ERR_INVALID;
    }
    if (!host_has_hyp(host)) {
        host_say(why, n, "this host has no hypervisor");
        return HV_ERR_UNSUPPORTED;
    }
    if (config->shadow_frames &&
        !host_pool_ok(host, config->shadow_frames, config->vcpus)) {
        host_say(why, n,
                 "shadow_frames must be at least 4 for each vCPU that "
                 "can run at the same time");
        return HV_ERR_INVALID;
    }
    if (host->hal.broken || setjmp(host->hal.unwind) != 0) {
        host_say(why, n, "%s", host->hal.why);
        return HV_ERR_BROKEN;
    }
    struct vm_config c = {
        .style = vm_styles[config->style],
        .mem_size = config->mem_size,
        .nr_vcpus = config->vcpus,
        .shadow_frames = config->shadow_frames ? config->shadow_frames
                                               : SHADOW_DEFAULT_FRAMES,
        .max_insns = config->max_insns,
        .minimum = config->min_size / PAGE_SIZE,
        .sync = sync_policy(config->sync, vm_styles[config->style]),
        .sched = host_sched(&config->sched),
    };
    const char *reason = "";
    struct vm  *made = vm_create(&host->hal.hyp, &c, &reason);
    if (!made && host->hal.hyp.refused) {
        host_say(why, n, "%s", reason);
        return HV_ERR_STATE;
    }
    if (!made) {
        const struct hyp *hyp = &host->hal.hyp;
        uint32_t          pages = c.mem_size / PAGE_SIZE;

        if (hyp->config.overcommit && c.minimum < pages)
            pages = c.minimum;
        host_say(why, n, "%s: wanted %u frames and %u for shadows, %u are free",
                 reason, (unsigned)pages, (unsigned)c.shadow_frames,
                 (unsigned)frames_available(&hyp->frames));
        return HV_ERR_NO_MEMORY;
    }
    *vm = made->id;
    return HV_OK;
}

int hv_vm_destroy(hv_host *host, uint32_t id)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    vm_destroy(vm);
    channels_free(&host->hal, id);
    if (host->hal.console_full == id)
        host->hal.console_full = 0;
    return HV_OK;
}

static enum hv_vm_state vm_api_state(const struct vm *vm)
{
    bool blocked = true;

    switch (vm->state) {
    case VM_CREATED:
        return HV_VM_CREATED;
    case VM_PAUSED:
        return HV_VM_PAUSED;
    case VM_OFF:
        return HV_VM_OFF;
    case VM_KILLED:
        return HV_VM_KILLED;
    case VM_BUDGET:
        return HV_VM_BUDGET;
    case VM_LIVE:
        break;
    }
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        blocked = blocked && vm->vcpu[i].state != VCPU_RUNNABLE;
    return blocked ? HV_VM_BLOCKED : HV_VM_RUNNABLE;
}

/* The bare machine as if it were a VM. */
static void bare_info(hv_host *host, struct hv_vm_info *out)
{
    struct power power = machine_power(host->machine);

    *out = (struct hv_vm_info){
        .state = power.off      ? HV_VM_OFF
                 : host->booted ? HV_VM_RUNNABLE
                                : HV_VM_CREATED,
        .exit_code = power.code,
        .rebooted = power.reset,
        .vcpus = host->config.harts,
        .mem_size = host->config.ram_size,
        .frames = host->config.ram_size / PAGE_SIZE,
    };
    for (uint32_t i = 0; i < host->config.harts; i++) {
        const struct hart *hart = machine_hart(host->machine, i);

        out->insns += hart->instret;
        out->cycles += hart->cycle - hart->count.idle_cycles;
    }
}

int hv_vm_info(hv_host *host, uint32_t id, struct hv_vm_info *out)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK || !out)
        return status != HV_OK ? status : HV_ERR_INVALID;
    if (!vm) {
        bare_info(host, out);
        return HV_OK;
    }
    *out = (struct hv_vm_info){
        .state = vm_api_state(vm),
        .style = style_number(vm->style),
        .sync = HV_SYNC_LAZY + (uint32_t)vm->sync,
        .exit_code = vm->exit_code,
        .rebooted = vm->rebooted,
        .vcpus = vm->config.nr_vcpus,
        .mem_size = vm->config.mem_size,
        .frames = vm->p2m.populated,
        .frames_own = vm->p2m.own,
        .shadow_frames = vm->shadows.in_use,
        .cycles = vm->count.guest_cycles + vm->count.hyp_cycles,
    };
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        out->insns += host_vcpu_insns(host, &vm->vcpu[i]);
    return HV_OK;
}

int hv_vm_reason(hv_host *host, uint32_t id, char *why, size_t n)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status == HV_OK)
        host_say(why, n, "%s", vm ? vm->reason : "");
    return status;
}

int hv_vm_set_style(hv_host *host, uint32_t id, uint32_t style)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (style >= HV_NR_STYLES)
        return HV_ERR_INVALID;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    return vm_set_style(vm, vm_styles[style]) ? HV_OK : HV_ERR_STATE;
}

int hv_vm_set_sync(hv_host *host, uint32_t id, uint32_t sync)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (sync >= HV_NR_SYNCS)
        return HV_ERR_INVALID;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    return vm_set_sync(vm, sync_policy(sync, vm->style)) ? HV_OK : HV_ERR_STATE;
}

int hv_vm_pause(hv_host *host, uint32_t id)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    if (vm->state != VM_LIVE)
        return HV_ERR_STATE;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    vm_pause(vm);
    return HV_OK;
}

int hv_vm_resume(hv_host *host, uint32_t id)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    if (vm->state != VM_PAUSED)
        return HV_ERR_STATE;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    vm_resume(vm);
    return HV_OK;
}

/* Out of reset, as QEMU does it: all harts at once, at the same address. */
static void code_boot(struct hart *hart, uint32_t entry, uint32_t a1,
                      uint32_t a2)
{
    hart->regs = (struct regs){ .pc = entry };
    hart->regs.x[REG_A0] = hart->id;
    hart->regs.x[REG_A1] = a1;
    hart->regs.x[REG_A2] = a2;
    hart_set_priv(hart, PRIV_M);
}

static void bare_boot(hv_host *host, uint32_t entry, uint32_t a1, uint32_t a2)
{
    host->booted = true;
    if (host->config.m_mode == HV_M_FIRMWARE) {
        firmware_power_on(&host->fw, host->machine, entry, a1);
        machine_hart(host->machine, 0)->regs.x[REG_A2] = a2;
        return;
    }
    for (uint32_t i = 0; i < host->config.harts; i++)
        code_boot(machine_hart(host->machine, i), entry, a1, a2);
}

int hv_vm_boot(hv_host *host, uint32_t id, uint32_t entry, uint32_t a1,
               uint32_t a2)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (entry % 4 != 0)
        return HV_ERR_INVALID;
    if (vm ? vm->state != VM_CREATED : host->booted)
        return HV_ERR_STATE;
    if (!vm) {
        bare_boot(host, entry, a1, a2);
        return HV_OK;
    }
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    vm_boot(vm, entry, a1, a2);
    return HV_OK;
}

size_t hv_console_take(hv_host *host, uint32_t id, uint8_t *to, size_t max)
{
    struct vm *vm;

    if (!to || host_guest(host, id, &vm) != HV_OK)
        return 0;
    if (!vm)
        return machine_uart_take(host->machine, to, max);
    if (host->hal.console_full == id)
        host->hal.console_full = 0;
    struct channels *of = channels_of(&host->hal, id);
    return of ? channel_take(&of->out, to, max) : 0;
}

/* Input is never refused: what a UART has no room for waits here. */
static size_t channel_give(hv_host *host, struct channel *in,
                           const uint8_t *from, size_t len)
{
    bool   failed = false;
    size_t n = 0;

    while (n < len) {
        channel_put(in, machine_arena(host->machine), from[n], &failed);
        if (failed)
            break;
        n++;
    }
    return n;
}

size_t hv_console_give(hv_host *host, uint32_t id, const uint8_t *from,
                       size_t len)
{
    struct vm *vm;

    if (!from || host_guest(host, id, &vm) != HV_OK)
        return 0;
    if (!vm)
        return channel_give(host, &host->uart_in, from, len);
    if (setjmp(host->hal.unwind) != 0)
        return 0;
    struct channels *of = channels_make(&host->hal, id);
    len = of ? channel_give(host, &of->in, from, len) : 0;
    hyp_console_input(&host->hal.hyp, vm);
    return len;
}
