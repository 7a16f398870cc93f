/* image_bytes.c - numbers, sections and the frame around them. */
#include "api/image.h"
#include <stdlib.h>
#include <string.h>

/* --- writing ---------------------------------------------------------------- */

void put_bytes(struct hv_image *to, const void *from, size_t len)
{
    if (to->failed)
        return;
    if (len > to->cap - to->len) {
        size_t   cap = 2 * to->cap + len;
        uint8_t *bytes = realloc(to->bytes, cap);

        if (!bytes) {
            to->failed = true;
            return;
        }
        to->bytes = bytes;
        to->cap = cap;
    }
    if (len)
        memcpy(to->bytes + to->len, from, len);
    to->len += len;
}

void put_uint8(struct hv_image *to, uint8_t val)
{
    put_bytes(to, &val, 1);
}

static void store(uint8_t *to, uint64_t val, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        to[i] = (uint8_t)(val >> 8 * i);
}

void put_uint32(struct hv_image *to, uint32_t val)
{
    uint8_t bytes[4];

    store(bytes, val, 4);
    put_bytes(to, bytes, 4);
}

void put_uint64(struct hv_image *to, uint64_t val)
{
    uint8_t bytes[8];

    store(bytes, val, 8);
    put_bytes(to, bytes, 8);
}

size_t image_begin(struct hv_image *to, const char *tag)
{
    size_t section = to->len;

    put_bytes(to, tag, 4);
    put_uint32(to, 0);
    put_uint64(to, 0);
    return section;
}

void image_end(struct hv_image *to, size_t section)
{
    if (!to->failed)
        store(to->bytes + section + 8, to->len - section - IMAGE_SECTION, 8);
}

/* --- the frame -------------------------------------------------------------- */

/* marker: checksum */
/* FNV-1a (Fowler, Noll and Vo) of 64 bits, over all but itself. */
static uint64_t checksum(const uint8_t *bytes, size_t len)
{
    uint64_t sum = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        if (i < IMAGE_HEADER - 8 || i >= IMAGE_HEADER)
            sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}
/* marker: end */

void image_open(struct hv_image *to)
{
    static const uint8_t room[IMAGE_HEADER];

    put_bytes(to, room, sizeof(room));
}

void image_close(struct hv_image *to, enum image_kind kind)
{
    if (to->failed)
        return;
    memcpy(to->bytes, IMAGE_MAGIC, 8);
    store(to->bytes + 8, IMAGE_VERSION, 4);
    store(to->bytes + 12, kind, 4);
    store(to->bytes + 16, to->len, 8);
    store(to->bytes + 24, checksum(to->bytes, to->len), 8);
}

/* --- reading ---------------------------------------------------------------- */

static uint64_t get(struct image_in *in, uint32_t size)
{
    uint64_t val = 0;

    in->cut = in->cut || in->left < size;
    if (in->cut)
        return 0;
    for (uint32_t i = 0; i < size; i++)
        val |= (uint64_t)in->at[i] << 8 * i;
    in->at += size;
    in->left -= size;
    return val;
}

uint8_t get_uint8(struct image_in *in)
{
    return (uint8_t)get(in, 1);
}

uint32_t get_uint32(struct image_in *in)
{
    return (uint32_t)get(in, 4);
}

uint64_t get_uint64(struct image_in *in)
{
    return get(in, 8);
}

bool image_frame(const uint8_t *bytes, size_t len, enum image_kind kind,
                 struct image_in *sections, struct image_why why)
{
    struct image_in in = { .at = bytes, .left = len };

    if (len < IMAGE_HEADER || memcmp(bytes, IMAGE_MAGIC, 8) != 0) {
        host_say(why.text, why.n, "it is no saved VM or host");
        return false;
    }
    in.at += 8;
    in.left -= 8;
    uint32_t version = get_uint32(&in), is = get_uint32(&in);
    uint64_t length = get_uint64(&in), sum = get_uint64(&in);
    *sections = in;
    if (version != IMAGE_VERSION)
        host_say(why.text, why.n, "it has version %u of the format, not %u",
                 (unsigned)version, IMAGE_VERSION);
    else if (length != len)
        host_say(why.text, why.n, "it has %llu bytes, and says %llu",
                 (unsigned long long)len, (unsigned long long)length);
    else if (sum != checksum(bytes, len))
        host_say(why.text, why.n, "it was damaged: its checksum is wrong");
    else if (is != (uint32_t)kind)
        host_say(why.text, why.n, "it is no saved %s",
                 kind == IMAGE_VM ? "VM" : "host");
    else
        return true;
    return false;
}

bool image_section(struct image_in *in, const char *tag, struct image_in *body,
                   struct image_why why)
{
    const uint8_t *at = in->at;
    bool           there = in->left >= 4 && memcmp(at, tag, 4) == 0;
    bool           plain = get_uint32(in) && get_uint32(in) == 0;
    uint64_t       len = get_uint64(in);

    if (!there || !plain || in->cut || len > in->left) {
        host_say(why.text, why.n, "section %s is not where it should be", tag);
        return false;
    }
    *body = (struct image_in){ .at = in->at, .left = (size_t)len };
    in->at += len;
    in->left -= (size_t)len;
    return true;
}

bool image_whole(const struct image_in *body, const char *tag,
                 struct image_why why)
{
    if (!body->cut && body->left == 0)
        return true;
    host_say(why.text, why.n, "section %s is too %s", tag,
             body->cut ? "short" : "long");
    return false;
}
