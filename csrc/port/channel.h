/* channel.h - console bytes on their way between a guest and the outside. */
#ifndef HV_PORT_CHANNEL_H
#define HV_PORT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct hal;

/* What a guest wrote and nobody fetched yet; what it will be able to read. */
struct channel {
    uint8_t *bytes;
    size_t   head, len, cap;
};

/* Of one VM. */
struct channels { struct channel out, in; };

/* So many VM slots have theirs in one block, made when one of them is used. */
#define CHANNELS_BLOCK 16

/* Append a byte, in memory of this arena. */
void channel_put(struct channel *channel, struct arena *arena, uint8_t byte,
                 bool *failed);
size_t channel_take(struct channel *channel, uint8_t *to, size_t max);

/* NULL: nothing has gone either way yet. Make: NULL if there is no memory. */
struct channels *channels_of(struct hal *hal, uint32_t vm);
struct channels *channels_make(struct hal *hal, uint32_t vm);
/* Forget what is in them. */
void channels_free(struct hal *hal, uint32_t vm);

#endif
