/* hash.c - all architectural state in one number.
 *
 * Two machines with the same hash behave the same from here on: RAM, harts
 * with their TLBs and counters, devices. Not in it: what is derived
 * (view, event, host pointers) and console output that waits for a reader.
 * Field by field, since padding has no defined value. */
#include "machine/internal.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t mix_words(uint64_t h, const uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = mix(h, words[i]);
    return h;
}

static uint64_t hash_ram(uint64_t h, const struct machine *m)
{
    for (size_t i = 0; i < m->config.ram_size; i += 8) {
        uint64_t low = load_le(m->ram + i, 4);

        h = mix(h, low | (uint64_t)load_le(m->ram + i + 4, 4) << 32);
    }
    return h;
}

static uint64_t hash_tlb(uint64_t h, const struct tlb *tlb)
{
    for (size_t access = 0; access < NR_ACCESS; access++) {
        for (size_t i = 0; i < TLB_ENTRIES; i++) {
            const struct tlb_entry *entry = &tlb->entry[access][i];

            if (entry->tag == 0)
                continue; /* what was in it before does not matter */
            h = mix(h, access * TLB_ENTRIES + i);
            h = mix(h, entry->tag);
            h = mix(h, (uint64_t)entry->flags << 32 | entry->page);
        }
    }
    return h;
}

static uint64_t hash_hart(uint64_t h, const struct hart *hart)
{
    const void *csrs = &hart->csr; /* words only, hence without padding */

    h = mix_words(h, hart->regs.x, 32);
    h = mix(h, hart->regs.pc);
    h = mix_words(h, csrs, sizeof(hart->csr) / 4);
    h = mix(h, hart->priv);
    h = mix(h, (uint64_t)hart->waiting | (uint64_t)hart->stopped << 1 |
                   (uint64_t)hart->reserved << 2 | (uint64_t)hart->virt << 3);
    h = mix(h, hart->reserved ? hart->reservation : 0);
    h = mix(h, hart->cycle);
    h = mix(h, hart->instret);
#define COUNTER(name, doc) h = mix(h, hart->count.name);
#include "machine/counters.def"
#undef COUNTER
    return hash_tlb(h, &hart->tlb);
}

static uint64_t hash_plic(uint64_t h, const struct plic *plic)
{
    h = mix(h, (uint64_t)plic->pending << 32 | plic->claimed);
    h = mix(h, plic->lines);
    h = mix_words(h, plic->priority, PLIC_SOURCES + 1);
    h = mix_words(h, plic->enable, PLIC_CONTEXTS);
    return mix_words(h, plic->threshold, PLIC_CONTEXTS);
}

static uint64_t hash_uart(uint64_t h, const struct uart *uart)
{
    const uint8_t registers[8] = {
        uart->ier, uart->fcr, uart->lcr, uart->mcr,
        uart->scr, uart->dll, uart->dlm, uart->thre_irq,
    };

    h = mix(h, load_le(registers, 4));
    h = mix(h, load_le(registers + 4, 4));
    h = mix(h, uart->rx_count);
    for (uint32_t i = 0; i < uart->rx_count; i++)
        h = mix(h, uart->rx[(uart->rx_head + i) % UART_FIFO]);
    return h;
}

uint64_t machine_hash(const struct machine *m, uint64_t seed)
{
    uint64_t h = hash_ram(seed, m);

    for (uint32_t i = 0; i < m->config.nr_harts; i++) {
        h = hash_hart(h, &m->hart[i]);
        h = mix(h, m->clint.msip[i]);
        h = mix(h, m->clint.mtimecmp[i]);
    }
    h = hash_plic(h, &m->plic);
    h = hash_uart(h, &m->uart);
    return mix(h, (uint64_t)m->power.code << 2 | (uint64_t)m->power.reset << 1 |
                      m->power.off);
}
