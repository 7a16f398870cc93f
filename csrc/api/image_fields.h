/* image_fields.h - records: what the lists image_x.def become where they are
 * included. Each is the body of one function that goes over all its fields,
 *
 *     static const char *x_fields(const struct image_pass *pass, void *record)
 *     {
 *         struct image_x *r = record;
 *
 *     #include "api/image_x.def"
 *         return NULL;
 *     }
 *
 * and an image is written, read and checked by three passes over the same list.
 * This header has to be the last that is included: the others have made structs
 * of the same lists. */
#ifndef HV_API_IMAGE_FIELDS_H
#define HV_API_IMAGE_FIELDS_H

#include "api/image.h"

/* Write the fields to `to`, or read them from `in`; neither: check them. */
struct image_pass {
    struct hv_image *to;
    struct image_in *in;
};

/* A kind of record. `fields` returns NULL; or, where it checks, the name of the
 * first field that holds what could not be. */
struct image_record {
    const char *whose, *tag;
    const char *(*fields)(const struct image_pass *pass, void *record);
};

#define FIELD(type, name, check, doc)   \
    if (pass->to)                       \
        put_##type(pass->to, r->name);  \
    else if (pass->in)                  \
        r->name = get_##type(pass->in); \
    else if (!(check))                  \
        return #name;
#define ARRAY(type, name, count, check, doc)                         \
    for (uint32_t i = 0; (pass->to || pass->in) && i < (count); i++) \
        if (pass->to)                                                \
            put_##type(pass->to, r->name[i]);                        \
        else                                                         \
            r->name[i] = get_##type(pass->in);                       \
    if (!pass->to && !pass->in && !(check))                          \
        return #name;

/* --- image_fields.c --------------------------------------------------------- */

/* One section, all of it. Reading, false: `why` says what is wrong. */
void record_put(struct hv_image *to, const struct image_record *kind,
                void *record);
bool record_get(struct image_in *sections, const struct image_record *kind,
                void *record, struct image_why why);
/* Is the value of `what` one that could be? It is said if not. */
bool value_ok(bool ok, const char *whose, const char *tag, const char *what,
              struct image_why why);
/* What has no fixed size. */
void section_put(struct hv_image *to, const char *tag,
                 const struct image_in *bytes);

#endif
