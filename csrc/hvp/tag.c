/* tag.c - words that say whose they are: P21.
 *
 * A VM's memory is filled with its tags. One word in a million is a tag of
 * anybody, and the words that programs make up (small numbers, addresses,
 * entries, instructions) are none but by such an accident; so a tag in other
 * hands has got there through the hypervisor; or by that accident, which does
 * not happen again with other tags. The second run of a twin gives the first VM
 * other tags. */
#include "hvp/run.h"
#include <string.h>

#define TAG_MAGIC   0x2d1e4u /* 19 bits of the word before it is mixed */
#define TAG_OTHER   0x15a93u
#define TAG_SHIFT   13
#define TAG_VARIANT (1u << 12)
#define TAG_SERIAL  8
#define TAG_SERIALS 15
#define TAG_ODD     0x9e3779b1u
#define TAG_INVERSE 0x0e8b2f51u /* of TAG_ODD, modulo 2^32 */
#define TAG_BOTH    0x5bd1e995u

static uint32_t tag_mix(uint32_t word)
{
    word *= TAG_ODD;
    word ^= word >> 16;
    word *= TAG_ODD;
    return word ^ TAG_BOTH;
}

static uint32_t tag_unmix(uint32_t word)
{
    word ^= TAG_BOTH;
    word *= TAG_INVERSE;
    word ^= word >> 16;
    return word * TAG_INVERSE;
}

static uint32_t magic(const struct hvp_run *run)
{
    return TAG_MAGIC ^ (run->context->other_tags ? TAG_OTHER : 0);
}

uint32_t hvp_tag(const struct hvp_run *run, uint32_t serial, uint32_t index)
{
    uint32_t variant = serial == 1 && run->secret ? TAG_VARIANT : 0;

    return tag_mix(magic(run) << TAG_SHIFT | variant |
                   (serial % (TAG_SERIALS + 1)) << TAG_SERIAL |
                   index % HVP_TAGS);
}

uint32_t hvp_tag_bit(uint32_t serial)
{
    return 1u << serial % (TAG_SERIALS + 1);
}

bool hvp_tag_foreign(const struct hvp_vm *vm, uint32_t owner)
{
    return owner && !(vm->kin & hvp_tag_bit(owner));
}

uint32_t hvp_tag_owner(const struct hvp_run *run, uint32_t word)
{
    uint32_t plain = tag_unmix(word);

    if (plain >> TAG_SHIFT != magic(run))
        return 0;
    return plain >> TAG_SERIAL & TAG_SERIALS;
}

/* Most memory has none: a line is looked through without a branch. */
uint32_t hvp_tag_find(const struct hvp_run *run, const uint8_t *frame)
{
    uint32_t word[16], first = magic(run) << TAG_SHIFT, at = 0;

    for (; at < PAGE_SIZE; at += sizeof(word)) {
        bool some = false;

        memcpy(word, frame + at, sizeof(word));
        for (uint32_t i = 0; i < 16; i++)
            some |= tag_unmix(word[i]) - first < 1u << TAG_SHIFT;
        if (some)
            break;
    }
    return at;
}
