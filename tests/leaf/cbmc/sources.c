/* sources.c - no offset, source or context leads outside the interrupt
 * controller's arrays (with --bounds-check), and what is kept is in range. */
#include "dev/plic.c"
#include "prove.h"

void prove_sources(void);

void prove_sources(void)
{
    static struct plic plic;
    uint32_t           offset = any_u32(), size = any_u32(), val = any_u32();
    uint32_t           source = any_u32(), out = 0;

    plic_reset(&plic, any_u32());
    PROVE(plic.nr_contexts <= PLIC_CONTEXTS);
    plic_set_line(&plic, source, true);
    PROVE(!(plic.pending & 1));
    PROVE(plic_store(&plic, offset, size, val) ==
          (size == 4 && offset % 4 == 0));
    if (plic_load(&plic, offset, size, &out))
        PROVE(out == 0 || out <= PRIORITY_MASK || out == (val & ~1u) ||
              out == plic.pending);
    PROVE(plic.priority[0] == 0);
    PROVE(!plic_pending(&plic, PLIC_CONTEXTS));
}
