/* clint.h - the core-local interruptor: software interrupts and timers.
 *
 * offset              register              width
 * 0000 + 4 * hart     msip: bit 0           32
 * 4000 + 8 * hart     mtimecmp, low, high   32 each
 * bff8, bffc          mtime, low, high      32 each, writes ignored
 *
 * Time is not kept here: whoever asks says what time it is. Access of another
 * width is refused; an offset with no register, or of a hart that does not
 * exist, reads 0 and ignores writes. */
#ifndef HV_DEV_CLINT_H
#define HV_DEV_CLINT_H

#include <stdbool.h>
#include <stdint.h>

#define CLINT_HARTS    8
#define CLINT_MSIP     0x0000
#define CLINT_MTIMECMP 0x4000
#define CLINT_MTIME    0xbff8

struct clint {
    uint32_t nr_harts;
    bool     msip[CLINT_HARTS];
    uint64_t mtimecmp[CLINT_HARTS]; /* all ones: no timer */
};

void clint_reset(struct clint *clint, uint32_t nr_harts);

/* One access, `size` bytes at `offset`; false, and nothing done, if refused. */
bool clint_load(const struct clint *clint, uint32_t offset, uint32_t size,
                uint64_t now, uint32_t *val);
bool clint_store(struct clint *clint, uint32_t offset, uint32_t size,
                 uint32_t val);

/* The software interrupt line of a hart; of time, whoever has the clock looks. */
bool clint_software(const struct clint *clint, uint32_t hart);

#endif
