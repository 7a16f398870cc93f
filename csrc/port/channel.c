/* channel.c - a queue of bytes that grows, and whose is which. */
#include "port/channel.h"
#include "machine/arena.h"
#include "port/hosted.h"
#include <string.h>

void channel_put(struct channel *channel, struct arena *arena, uint8_t byte,
                 bool *failed)
{
    if (channel->head == channel->len)
        channel->head = channel->len = 0;
    if (channel->len == channel->cap) {
        size_t   cap = channel->cap ? 2 * channel->cap : 256;
        uint8_t *bytes = arena_resize(arena, channel->bytes, cap);

        *failed = bytes == NULL;
        if (*failed)
            return;
        channel->bytes = bytes;
        channel->cap = cap;
    }
    channel->bytes[channel->len++] = byte;
}

size_t channel_take(struct channel *channel, uint8_t *to, size_t max)
{
    size_t n = channel->len - channel->head;

    if (n > max)
        n = max;
    if (n)
        memcpy(to, channel->bytes + channel->head, n);
    channel->head += n;
    return n;
}

struct channels *channels_of(struct hal *hal, uint32_t vm)
{
    uint32_t         slot = vm % MAX_VMS;
    struct channels *block = hal->channels[slot / CHANNELS_BLOCK];

    return block ? &block[slot % CHANNELS_BLOCK] : NULL;
}

struct channels *channels_make(struct hal *hal, uint32_t vm)
{
    struct channels **block = &hal->channels[vm % MAX_VMS / CHANNELS_BLOCK];

    if (!*block)
        *block = arena_zalloc(hal->arena, CHANNELS_BLOCK * sizeof(**block));
    return channels_of(hal, vm);
}

void channels_free(struct hal *hal, uint32_t vm)
{
    struct channels *channels = channels_of(hal, vm);

    if (!channels)
        return;
    arena_release(hal->arena, channels->out.bytes);
    arena_release(hal->arena, channels->in.bytes);
    *channels = (struct channels){ .out = { .bytes = NULL } };
}
