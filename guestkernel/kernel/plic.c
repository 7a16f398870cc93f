/* plic.c - the interrupt controller: which device wants attention.
 *
 * Each hart has two contexts, M-mode's and S-mode's; ours is the second. We
 * enable one source, the serial port (PLIC specification 1.0.0). */
#include "kernel/kernel.h"
#include "kernel/native.h"

#define PRIORITY(irq)      (4 * (irq))
#define ENABLE(context)    (0x2000 + 0x80 * (context))
#define THRESHOLD(context) (0x200000 + 0x1000 * (context))
#define CLAIM(context)     (THRESHOLD(context) + 4)

static uint32_t context(void)
{
    return 2 * boot_info.hart + 1;
}

bool plic_start(void)
{
    uint32_t plic = boot_info.plic, irq = boot_info.uart_irq;

    if (plic == 0 || irq == 0)
        return false;
    *device_at(plic + PRIORITY(irq)) = 1;
    *device_at(plic + ENABLE(context()) + 4 * (irq / 32)) = 1u << irq % 32;
    *device_at(plic + THRESHOLD(context())) = 0;
    return true;
}

/*
 * Claimed and completed before the bytes are fetched: a byte that arrives
 * meanwhile raises the line again, which is one interrupt too many rather
 * than one too few.
 */
void plic_acknowledge(void)
{
    volatile uint32_t *claim = device_at(boot_info.plic + CLAIM(context()));
    uint32_t           irq = *claim;

    if (irq != 0)
        *claim = irq;
}
