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

static void renew(struct tags *tags)
{
    tags->generation++;
    tags->used = 0;
}

void tags_renew(struct hyp *hyp)
{
    for (uint32_t i = 0; i < NR_TAG_KINDS; i++)
        renew(&hyp->tags[i]);
}

/* marker: tag-use */
uint32_t tag_use(struct vm *vm, struct pcpu *pcpu, enum tag_kind kind,
                 struct tag *tag)
{
    struct tags *tags = &vm->hyp->tags[kind];

    if (!tag_valid(vm, kind, tag)) {
        if (tags->used == tags->count)
            renew(tags);
        *tag = (struct tag){ tags->generation, vm->tags, tags->used++ };
    }
    if (pcpu->hyp->tags[kind] != tags->generation) {
        flush(pcpu, kind);
        pcpu->hyp->tags[kind] = tags->generation;
    }
    vm->harts |= 1u << pcpu->id;
    return tag->id;
}
/* marker: end */

/* marker: shootdown */
void tag_forget(struct vm *vm)
{
    struct hyp *hyp = vm->hyp;

    vm->tags++;
    vm->harts = 0;
    if (hyp->nr_cpus == 1)
        return;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        struct vcpu *current = hyp->cpu[i].current;

        if (current && current->vm == vm && current->entered)
            cpu_kick(&hyp->cpu[i]);
    }
}
/* marker: end */

void tag_forget_page(struct vm *vm, gva_t page)
{
    const struct hyp *hyp = vm->hyp;

    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (vm->harts >> i & 1)
            hal_fence(hyp->cpu[i].pcpu, (struct fence){ page, PAGE_SIZE });
}
