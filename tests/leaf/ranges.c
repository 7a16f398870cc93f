/* ranges.c - which guest addresses are a VM's memory, and what a copy that
 * crosses pages touches. The second opinion counts in 64 bits, and keeps the
 * memory in one flat array. */
#include "api/host.h"
#include "hyp/guestmem.c"
#include "leaf_check.h"
#include <string.h>

#define PAGES 4

static bool spans(uint64_t pa, uint64_t len, uint64_t size)
{
    return pa >= RAM_BASE && pa + len <= RAM_BASE + size;
}

static bool check_spans(struct leaf *out)
{
    static const uint32_t sizes[] = { 0x1000, 0x2000, 0x3ff000, 0x40000000 };

    for (uint32_t s = 0; s < COUNT_OF(sizes); s++) {
        struct vm vm = { .config.mem_size = sizes[s] };

        for (uint32_t i = 0; i < COUNT_OF(edges); i++)
            for (uint32_t j = 0; j < COUNT_OF(edges); j++)
                SAME("vm_spans", spans(edges[i], edges[j], sizes[s]),
                     vm_spans(&vm, (gpa_t){ edges[i] }, edges[j]), edges[i],
                     edges[j], sizes[s], 0);
    }
    return true;
}

/* Is each page of it there? `gone` has a bit for each that is not. */
static bool owns(uint64_t pa, uint64_t len, uint32_t gone)
{
    if (!spans(pa, len, PAGES * PAGE_SIZE))
        return false;
    for (uint64_t at = pa; at < pa + len; at = (at | PAGE_MASK) + 1)
        if (gone >> ((at - RAM_BASE) / PAGE_SIZE) & 1)
            return false;
    return true;
}

static bool check_owns(struct leaf *out, uint32_t gone)
{
    static const uint32_t near[] = { 0, 1, 4, 0xffc, 0xfff };
    uint8_t               state[PAGES];
    struct vm             vm = { .config.mem_size = PAGES * PAGE_SIZE,
                                 .p2m = { .first = RAM_BASE >> PAGE_SHIFT,
                                          .count = PAGES,
                                          .state = state } };

    for (uint32_t i = 0; i < PAGES; i++) {
        state[i] = gone >> i & 1 ? P2M_GONE : 0;
        vm.p2m.gone += gone >> i & 1;
    }
    for (uint32_t page = 0; page <= PAGES; page++)
        for (uint32_t i = 0; i < COUNT_OF(near); i++)
            for (uint32_t j = 0; j < COUNT_OF(edges); j++) {
                uint32_t pa = RAM_BASE + page * PAGE_SIZE + near[i];

                SAME("vm_owns", owns(pa, edges[j], gone),
                     vm_owns(&vm, (gpa_t){ pa }, edges[j]), pa, edges[j], gone,
                     0);
            }
    return true;
}

bool leaf_ranges(struct leaf *out)
{
    if (!check_spans(out))
        return false;
    for (uint32_t gone = 0; gone < 1u << PAGES; gone++)
        if (!check_owns(out, gone))
            return false;
    return true;
}

/* One write, and then all of memory against the array. */
static bool check_copy(struct leaf *out, struct vm *vm, uint8_t *flat,
                       uint32_t at, uint32_t len)
{
    static uint8_t bytes[PAGES * PAGE_SIZE];
    static uint8_t seed;
    bool           fits = at + len <= PAGES * PAGE_SIZE;

    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(++seed ^ i >> 8);
    SAME("vm_write", fits,
         vm_write(vm, NULL, (gpa_t){ RAM_BASE + at }, bytes, len), at, len, 0,
         0);
    if (fits)
        memcpy(flat + at, bytes, len);
    for (uint32_t page = 0; page < PAGES; page++) {
        vm_read(vm, (gpa_t){ RAM_BASE + page * PAGE_SIZE }, bytes, PAGE_SIZE);
        SAME("vm_write: memory", 0,
             memcmp(bytes, flat + page * PAGE_SIZE, PAGE_SIZE) != 0, at, len,
             page, 0);
    }
    if (fits) {
        vm_read(vm, (gpa_t){ RAM_BASE + at }, bytes, len);
        SAME("vm_read", 0, memcmp(bytes, flat + at, len) != 0, at, len, 0, 0);
    }
    return true;
}

static bool check_copies(struct leaf *out, struct vm *vm)
{
    static const uint32_t lens[] = { 0, 1,    2,    3,    4,    5,   8,
                                     9, 4095, 4096, 4097, 8192, 8200 };
    static uint8_t        flat[PAGES * PAGE_SIZE];

    memset(flat, 0, sizeof(flat));           /* as the VM's memory is */
    for (uint32_t page = PAGES; page-- > 0;) /* neighbours are strangers */
        vm_write(vm, NULL, (gpa_t){ RAM_BASE + (page ^ 1) * PAGE_SIZE }, "", 1);
    for (uint32_t edge = 1; edge <= PAGES; edge++)
        for (uint32_t back = 0; back < 9; back++)
            for (uint32_t i = 0; i < COUNT_OF(lens); i++)
                if (!check_copy(out, vm, flat, edge * PAGE_SIZE - back,
                                lens[i]))
                    return false;
    return true;
}

bool leaf_copies(struct leaf *out)
{
    struct hv_config    config;
    struct hv_vm_config guest;
    hv_host            *host;
    uint32_t            id = 0;

    hv_config_default(&config);
    hv_vm_config_default(&guest);
    config.ram_size = 128 * PAGE_SIZE;
    guest.mem_size = PAGES * PAGE_SIZE;
    SAME("a host", HV_OK, hv_host_new(&config, &host, NULL, 0), 0, 0, 0, 0);
    SAME("a VM", HV_OK, hv_vm_create(host, &guest, &id, NULL, 0), 0, 0, 0, 0);
    bool good = check_copies(out, hyp_vm(&host->hal.hyp, id));
    hv_host_free(host);
    return good;
}
