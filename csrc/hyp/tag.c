/* tag.c - give tags to roots, and take them back all at once. */
#include "hyp/tag.h"
#include "hyp/hyp.h"

void tags_init(struct tags *tags, struct hal *hal)
{
    *tags = (struct tags){ .generation = 1, .count = hal_asids(hal) };
}

bool tag_valid(const struct vm *vm, const struct tag *tag)
{
    return tag->generation == vm->hyp->tags.generation && tag->vm == vm->tags;
}

/* marker: tag-use */
uint32_t tag_use(struct vm *vm, struct pcpu *pcpu, struct tag *tag)
{
    struct tags *tags = &vm->hyp->tags;

    if (!tag_valid(vm, tag)) {
        if (tags->used == tags->count) {
            tags->generation++;
            tags->used = 0;
        }
        *tag = (struct tag){ tags->generation, vm->tags, tags->used++ };
    }
    if (pcpu->hyp->tags != tags->generation) {
        hal_fence(pcpu, (struct fence){ .size = 0 });
        pcpu->hyp->tags = tags->generation;
    }
    return tag->id;
}
/* marker: end */

void tag_forget(struct vm *vm)
{
    vm->tags++;
}
