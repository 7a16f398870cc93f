/* tag.c - give tags to roots, and take them back all at once. */
#include "hyp/tag.h"
#include "hyp/hyp.h"

void tags_init(struct tags *tags, uint32_t count)
{
    *tags = (struct tags){ .generation = 1, .count = count };
}

bool tag_valid(const struct vm *vm, enum tag_kind kind, const struct tag *tag)
{
    return tag->generation == vm->hyp->tags[kind].generation &&
           tag->vm == vm->tags;
}

/* Nothing on this hart has a tag of this kind any more. */
static void flush(struct pcpu *pcpu, enum tag_kind kind)
{
    if (kind == TAG_VMID)
        hal_fence_vmids(pcpu);
    else
        hal_fence(pcpu, (struct fence){ .size = 0 });
}

/* marker: tag-use */
uint32_t tag_use(struct vm *vm, struct pcpu *pcpu, enum tag_kind kind,
                 struct tag *tag)
{
    struct tags *tags = &vm->hyp->tags[kind];

    if (!tag_valid(vm, kind, tag)) {
        if (tags->used == tags->count) {
            tags->generation++;
            tags->used = 0;
        }
        *tag = (struct tag){ tags->generation, vm->tags, tags->used++ };
    }
    if (pcpu->hyp->tags[kind] != tags->generation) {
        flush(pcpu, kind);
        pcpu->hyp->tags[kind] = tags->generation;
    }
    return tag->id;
}
/* marker: end */

void tag_forget(struct vm *vm)
{
    vm->tags++;
}
