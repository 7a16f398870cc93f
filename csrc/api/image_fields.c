/* image_fields.c - a section for each record: what it is does not matter here. */
#include "api/image_fields.h"

void record_put(struct hv_image *to, const struct image_record *kind,
                void *record)
{
    size_t section = image_begin(to, kind->tag);

    kind->fields(&(struct image_pass){ .to = to }, record);
    image_end(to, section);
}

bool record_get(struct image_in *sections, const struct image_record *kind,
                void *record, struct image_why why)
{
    struct image_in body;

    if (!image_section(sections, kind->tag, &body, why))
        return false;
    kind->fields(&(struct image_pass){ .in = &body }, record);
    if (!image_whole(&body, kind->tag, why))
        return false;
    const char *bad = kind->fields(&(struct image_pass){ .to = NULL }, record);
    return value_ok(!bad, kind->whose, kind->tag, bad, why);
}

bool value_ok(bool ok, const char *whose, const char *tag, const char *what,
              struct image_why why)
{
    if (!ok)
        host_say(why.text, why.n, "section %s: no %s has such a value of %s",
                 tag, whose, what);
    return ok;
}

void section_put(struct hv_image *to, const char *tag,
                 const struct image_in *bytes)
{
    size_t section = image_begin(to, tag);

    put_bytes(to, bytes->at, bytes->left);
    image_end(to, section);
}
