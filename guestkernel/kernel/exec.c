/* exec.c - starting programs: from an ELF file to an address space.
 *
 * The files are part of the kernel's image, since there is no file system.
 * They are checked as if they were not: a loader that trusts a file is a hole
 * in the kernel. */
#include "kernel/exec.h"
#include "abi/regs.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "kernel/space.h"
#include "lib/elf.h"
#include "lib/string.h"

static const struct program *program_find(const char *name)
{
    for (const struct program *it = programs; it->name != NULL; it++)
        if (string_equal(it->name, name))
            return it;
    return NULL;
}

/* Copy into a space that is not current. Its pages are there: we made them. */
static void space_fill(const struct space *space, uint32_t va, const void *from,
                       uint32_t len)
{
    const uint8_t *in = from;

    while (len > 0) {
        uint32_t pa = space_find(space, va, 0);
        uint32_t part = PAGE_SIZE - (va & PAGE_MASK);

        if (part > len)
            part = len;
        memcpy((void *)pa, in, part);
        va += part;
        in += part;
        len -= part;
    }
}

static bool segment_valid(const struct elf_segment *segment, uint32_t file)
{
    return segment->offset <= file &&
           segment->filesz <= file - segment->offset &&
           segment->filesz <= segment->memsz && segment->vaddr >= USER_BASE &&
           segment->vaddr % PAGE_SIZE == 0 && segment->vaddr < USER_STACK &&
           segment->memsz < USER_STACK - segment->vaddr &&
           (segment->flags & (ELF_PF_W | ELF_PF_X)) != (ELF_PF_W | ELF_PF_X);
}

static bool map_segment(struct space *space, const struct elf_segment *segment)
{
    uint32_t end = (segment->vaddr + segment->memsz + PAGE_MASK) &
                   ~(uint32_t)PAGE_MASK;
    uint32_t rights = PTE_R;

    if (segment->flags & ELF_PF_W)
        rights |= PTE_W;
    if (segment->flags & ELF_PF_X)
        rights |= PTE_X;
    if (segment->vaddr < space->heap) /* ascending, no page shared */
        return false;
    space->heap = end;
    return space_map(space, segment->vaddr, end, rights);
}

/* The segments of a program that was checked; NULL if it is none. */
static const struct elf_segment *elf_segments(const struct program *program)
{
    const struct elf_header *header = (const void *)program->elf;
    uint32_t                 size = (uint32_t)(program->end - program->elf);

    if (size < sizeof(*header) || header->magic != ELF_MAGIC ||
        header->machine != ELF_RISCV || header->phoff > size ||
        header->phoff % 4 != 0 ||
        header->phnum > (size - header->phoff) / sizeof(struct elf_segment))
        return NULL;
    const uint8_t *table = program->elf + header->phoff;
    return (const void *)table;
}

static bool is_loaded(const struct elf_segment *segment)
{
    return segment->type == ELF_PT_LOAD && segment->memsz != 0;
}

/* Map all segments; the heap begins behind the last. */
static bool map_elf(struct space *space, const struct program *program)
{
    const struct elf_header  *header = (const void *)program->elf;
    const struct elf_segment *segments = elf_segments(program);
    uint32_t                  size = (uint32_t)(program->end - program->elf);

    if (segments == NULL)
        return false;
    for (uint32_t i = 0; i < header->phnum; i++)
        if (is_loaded(&segments[i]) && (!segment_valid(&segments[i], size) ||
                                        !map_segment(space, &segments[i])))
            return false;
    space->brk = space->heap;
    return true;
}

static void fill_elf(const struct space *space, const struct program *program)
{
    const struct elf_header  *header = (const void *)program->elf;
    const struct elf_segment *segments = elf_segments(program);

    for (uint32_t i = 0; i < header->phnum; i++)
        if (is_loaded(&segments[i]))
            space_fill(space, segments[i].vaddr,
                       program->elf + segments[i].offset, segments[i].filesz);
}

/* Put the two strings that the program starts with on its stack. */
static void fill_stack(const struct space *space, struct trapframe *frame,
                       const char *name, const char *args)
{
    uint32_t args_size = (uint32_t)strlen(args) + 1;
    uint32_t name_size = (uint32_t)strlen(name) + 1;
    uint32_t args_at = USER_TOP - args_size;
    uint32_t name_at = args_at - name_size;

    space_fill(space, args_at, args, args_size);
    space_fill(space, name_at, name, name_size);
    frame->x[REG_A0] = name_at;
    frame->x[REG_A1] = args_at;
    frame->x[REG_SP] = name_at & ~15u;
}

/* First everything is mapped, and committed once; then it is filled. False if
 * memory ran out or the file is no program. */
static bool load(struct space *space, struct trapframe *frame,
                 const struct program *program, const char *args)
{
    if (!map_elf(space, program) ||
        !space_map(space, USER_STACK, USER_TOP, PTE_R | PTE_W))
        return false;
    space_commit(space);
    fill_elf(space, program);
    fill_stack(space, frame, program->name, args);
    frame->epc = ((const struct elf_header *)(const void *)program->elf)->entry;
    return true;
}

int32_t exec_program(const char *name, const char *args)
{
    const struct program *program = program_find(name);
    struct proc          *proc = proc_current;
    struct space         *old = proc->space, *fresh;
    struct trapframe      frame = { .epc = 0 };

    if (program == NULL || (fresh = space_create()) == NULL)
        return -1;
    if (!load(fresh, &frame, program, args)) {
        space_leave(fresh);
        return -1;
    }
    proc->space = fresh;
    space_enter(fresh, proc->stack + KERNEL_STACK_SIZE);
    space_leave(old);
    memset(proc->name, 0, NAME_SIZE);
    for (uint32_t i = 0; i + 1 < NAME_SIZE && program->name[i]; i++)
        proc->name[i] = program->name[i];
    priv_frame_enter_user(&frame);
    *proc_frame(proc) = frame;
    return (int32_t)frame.x[REG_A0];
}
