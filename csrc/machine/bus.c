/* bus.c - physical addresses: RAM, and the table of devices.
 *
 * An access is 1, 2 or 4 bytes, naturally aligned. Where nothing answers, and
 * where a device does not like the width, the answer is an access fault. The
 * addresses are in abi/memmap.h, the registers in csrc/dev. */
#include "dev/testdev.h"
#include "machine/internal.h"

/* One access to a device; false is an access fault. */
struct bus_access {
    struct machine *m;
    struct hart    *hart; /* who asks */
    uint32_t        offset, size;
};

struct bus_device {
    uint32_t base, size;
    bool (*load)(struct bus_access a, uint32_t *val);
    bool (*store)(struct bus_access a, uint32_t val);
};

static bool test_load(struct bus_access a, uint32_t *val)
{
    (void)a;
    *val = 0;
    return true;
}

static bool test_store(struct bus_access a, uint32_t val)
{
    struct power *power = &a.m->power;

    if (a.offset != 0)
        return true;
    switch (testdev_store(val, &power->code)) {
    case TESTDEV_OFF:
        power->off = true;
        break;
    case TESTDEV_RESET:
        power->off = power->reset = true;
        break;
    case TESTDEV_NONE:
        break;
    }
    return true;
}

static bool clint_bus_load(struct bus_access a, uint32_t *val)
{
    return clint_load(&a.m->clint, a.offset, a.size, hart_time(a.hart), val);
}

static bool clint_bus_store(struct bus_access a, uint32_t val)
{
    return clint_store(&a.m->clint, a.offset, a.size, val);
}

static bool plic_bus_load(struct bus_access a, uint32_t *val)
{
    return plic_load(&a.m->plic, a.offset, a.size, val);
}

static bool plic_bus_store(struct bus_access a, uint32_t val)
{
    return plic_store(&a.m->plic, a.offset, a.size, val);
}

/* Append to what the outside has not fetched yet. Only an exhausted host loses
 * a byte, since nothing that a guest can see may depend on the reader. */
static void console_put(struct machine *m, uint8_t byte)
{
    struct console *console = &m->console;

    if (console->len == console->cap) {
        size_t   cap = console->cap ? 2 * console->cap : 1024;
        uint8_t *bytes = arena_resize(m->marks->arena, console->bytes, cap);

        if (!bytes)
            return;
        console->bytes = bytes;
        console->cap = cap;
    }
    console->bytes[console->len++] = byte;
}

static bool uart_bus_load(struct bus_access a, uint32_t *val)
{
    bool ok = uart_load(&a.m->uart, a.offset, a.size, val);

    plic_set_line(&a.m->plic, UART_IRQ, uart_line(&a.m->uart));
    return ok;
}

static bool uart_bus_store(struct bus_access a, uint32_t val)
{
    struct uart_sent sent = { .any = false };
    bool             ok = uart_store(&a.m->uart, a.offset, a.size, val, &sent);

    if (sent.any)
        console_put(a.m, sent.byte);
    plic_set_line(&a.m->plic, UART_IRQ, uart_line(&a.m->uart));
    return ok;
}

static const struct bus_device devices[] = {
    { TEST_BASE, TEST_SIZE, test_load, test_store },
    { CLINT_BASE, CLINT_SIZE, clint_bus_load, clint_bus_store },
    { PLIC_BASE, PLIC_SIZE, plic_bus_load, plic_bus_store },
    { UART_BASE, UART_SIZE, uart_bus_load, uart_bus_store },
};

#define NR_DEVICES (sizeof(devices) / sizeof(devices[0]))

static const struct bus_device *bus_device(uint32_t pa)
{
    for (size_t i = 0; i < NR_DEVICES; i++) {
        if (pa - devices[i].base < devices[i].size)
            return &devices[i];
    }
    return NULL;
}

bool bus_page_exists(const struct machine *m, uint32_t pa, enum access access)
{
    if (ram_at(m, pa, 1))
        return true;
    return access != ACCESS_FETCH && bus_device(pa & ~(uint32_t)PAGE_MASK);
}

void bus_ram_written(struct machine *m, uint32_t pa, uint32_t len)
{
    for (uint32_t i = 0; i < m->config.nr_harts; i++) {
        struct hart *hart = &m->hart[i];
        uint32_t     word = hart->reservation;

        /* The word overlaps [pa, pa+len); neither end wraps inside RAM. */
        if (hart->reserved && (word - pa < len || pa - word < 4))
            hart->reserved = false;
    }
    if (m->engine->ram_written)
        m->engine->ram_written(m, pa, len);
}

static bool bus_aligned(uint32_t pa, uint32_t size)
{
    return (size == 1 || size == 2 || size == 4) && pa % size == 0;
}

/* A device access can change any interrupt line. */
static struct bus_access bus_reach(struct machine *m, struct hart *hart,
                                   const struct bus_device *dev, uint32_t pa,
                                   uint32_t size)
{
    if (!hart)
        hart = &m->hart[0];
    hart->event = 0;
    return (struct bus_access){ m, hart, pa - dev->base, size };
}

bool machine_load(struct machine *m, struct hart *hart, uint32_t pa,
                  uint32_t size, uint32_t *val)
{
    if (!bus_aligned(pa, size))
        return false;
    const uint8_t *ram = ram_at(m, pa, size);
    if (ram) {
        *val = load_le(ram, size);
        return true;
    }
    const struct bus_device *dev = bus_device(pa);
    return dev && dev->load(bus_reach(m, hart, dev, pa, size), val);
}

bool machine_store(struct machine *m, struct hart *hart, uint32_t pa,
                   uint32_t size, uint32_t val)
{
    if (!bus_aligned(pa, size))
        return false;
    uint8_t *ram = ram_at(m, pa, size);
    if (ram) {
        ram_touch(m, pa);
        store_le(ram, size, val);
        bus_ram_written(m, pa, size);
        return true;
    }
    const struct bus_device *dev = bus_device(pa);
    if (size < 4) /* a device sees the bytes that were stored, no more */
        val &= (1u << 8 * size) - 1;
    return dev && dev->store(bus_reach(m, hart, dev, pa, size), val);
}
