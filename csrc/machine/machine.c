/* machine.c - building a machine, and reaching into it from outside. */
#define _DEFAULT_SOURCE /* for madvise() */
#include "machine/machine.h"
#include "machine/internal.h"
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

static const struct engine *const engines[NR_ENGINES] = {
    [ENGINE_REF] = &engine_ref,
    [ENGINE_FAST] = &engine_fast,
};

bool machine_config_ok(const struct machine_config *config)
{
    return config->engine < NR_ENGINES && config->ram_size >= PAGE_SIZE &&
           config->ram_size <= 0u - RAM_BASE &&
           config->ram_size % PAGE_SIZE == 0 && config->nr_harts >= 1 &&
           config->nr_harts <= MAX_HARTS &&
           (config->asid_bits == 0 || config->asid_bits == 9) &&
           config->time_div >= 1 &&
           config->cost[COST_insn] >= 1; /* or no run would ever end */
}

/* RAM in large pages, if the host has any: a guest that goes through many pages
 * would keep the host's own TLB busy, too. Only a hint. */
static uint8_t *ram_new(uint32_t size)
{
    uint8_t *ram = calloc(1, size);

#if defined(__linux__) && defined(MADV_HUGEPAGE)
    uintptr_t from = ((uintptr_t)ram + PAGE_SIZE - 1) & ~(uintptr_t)PAGE_MASK;

    if (ram && size >= 2 * MEGAPAGE_SIZE)
        madvise((void *)from, size - PAGE_SIZE, MADV_HUGEPAGE);
#endif
    return ram;
}

static void hart_reset(struct hart *hart, struct machine *m, uint32_t id)
{
    hart->machine = m;
    hart->id = id;
    hart->priv = PRIV_M;
    hart->regs.pc = RAM_BASE;
    if (m->config.h_ext) {
        hart->csr.misa = MISA_H;
        hart->csr.mideleg = HIP_MASK; /* read-only ones */
    }
    mmu_refresh(hart);
}

/* It lies in its own arena, so it goes back with all that is there. */
static struct machine *machine_alloc(const struct machine_config *config)
{
    struct marks   *marks = marks_new(config->ram_size / PAGE_SIZE);
    size_t          harts = config->nr_harts * sizeof(struct hart);
    struct machine *m;

    if (!marks)
        return NULL;
    m = arena_zalloc(marks->arena, sizeof(*m) + harts);
    if (!m) {
        marks_free(marks);
        return NULL;
    }
    m->marks = marks;
    m->touched = marks->touched;
    return m;
}

struct machine *machine_new(const struct machine_config *config)
{
    if (!machine_config_ok(config))
        return NULL;
    struct machine *m = machine_alloc(config);
    if (!m)
        return NULL;
    m->config = *config;
    m->engine = engines[config->engine];
    m->ram = ram_new(config->ram_size);
    if (!m->ram || (m->engine->init && !m->engine->init(m))) {
        free(m->ram);
        marks_free(m->marks);
        return NULL;
    }
    clint_reset(&m->clint, config->nr_harts);
    plic_reset(&m->plic, 2 * config->nr_harts);
    uart_reset(&m->uart);
    for (uint32_t id = 0; id < config->nr_harts; id++)
        hart_reset(&m->hart[id], m, id);
    return m;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    if (m->engine->fini)
        m->engine->fini(m);
    free(m->ram);
    marks_free(m->marks); /* and m itself */
}

const struct machine_config *machine_config(const struct machine *m)
{
    return &m->config;
}

struct hart *machine_hart(struct machine *m, uint32_t id)
{
    return id < m->config.nr_harts ? &m->hart[id] : NULL;
}

struct power machine_power(const struct machine *m)
{
    return m->power;
}

uint64_t machine_time_to_cycle(const struct machine *m, uint64_t t)
{
    uint64_t div = m->config.time_div;

    if (t >> 32 == 0) /* the usual case, without a division */
        return t * div;
    return t > CYCLE_NEVER / div ? CYCLE_NEVER : t * div;
}

const uint8_t *machine_ram(const struct machine *m, uint32_t pa)
{
    return ram_at(m, pa, 1);
}

bool machine_ram_read(const struct machine *m, uint32_t pa, void *to,
                      uint32_t len)
{
    const uint8_t *from = ram_at(m, pa, len);

    if (!from)
        return false;
    memcpy(to, from, len);
    return true;
}

static void ram_touch_all(struct machine *m, uint32_t pa, uint32_t len)
{
    uint32_t first = pa & ~(uint32_t)PAGE_MASK;

    for (uint32_t at = 0; len && at < pa - first + len; at += PAGE_SIZE)
        ram_touch(m, first + at);
}

bool machine_ram_write(struct machine *m, uint32_t pa, const void *from,
                       uint32_t len)
{
    uint8_t *to = ram_at(m, pa, len);

    if (!to)
        return false;
    ram_touch_all(m, pa, len);
    memcpy(to, from, len);
    bus_ram_written(m, pa, len);
    return true;
}

bool machine_ram_zero(struct machine *m, uint32_t pa, uint32_t len)
{
    uint8_t *to = ram_at(m, pa, len);

    if (!to)
        return false;
    ram_touch_all(m, pa, len);
    memset(to, 0, len);
    bus_ram_written(m, pa, len);
    return true;
}

size_t machine_uart_take(struct machine *m, uint8_t *to, size_t max)
{
    struct console *console = &m->console;
    size_t          taken = max < console->len ? max : console->len;

    if (taken == 0)
        return 0;
    memcpy(to, console->bytes, taken);
    console->len -= taken;
    memmove(console->bytes, console->bytes + taken, console->len);
    return taken;
}

size_t machine_uart_pending(const struct machine *m)
{
    return m->console.len;
}

bool machine_uart_give(struct machine *m, uint8_t byte)
{
    bool taken = uart_receive(&m->uart, byte);

    plic_set_line(&m->plic, UART_IRQ, uart_line(&m->uart));
    return taken;
}

void machine_set_msip(struct machine *m, uint32_t hart, bool on)
{
    if (hart < m->config.nr_harts) {
        m->clint.msip[hart] = on;
        m->hart[hart].event = 0;
    }
}

bool machine_msip(const struct machine *m, uint32_t hart)
{
    return hart < m->config.nr_harts && clint_software(&m->clint, hart);
}

void machine_set_mtimecmp(struct machine *m, uint32_t hart, uint64_t time)
{
    if (hart < m->config.nr_harts) {
        m->clint.mtimecmp[hart] = time;
        m->hart[hart].event = 0;
    }
}

uint64_t machine_mtimecmp(const struct machine *m, uint32_t hart)
{
    return hart < m->config.nr_harts ? m->clint.mtimecmp[hart] : CYCLE_NEVER;
}
