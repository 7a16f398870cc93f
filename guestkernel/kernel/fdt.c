/* fdt.c - the flattened device tree: how a kernel learns what it runs on.
 *
 * The tree is a list of tokens in big-endian words (Devicetree Specification
 * 0.4, chapter 5): a node begins with its name, has properties, then
 * children, then ends. One pass collects the properties of a node as they
 * come and looks at them when its first child or its end is reached. */
#include "kernel/fdt.h"
#include "abi/memmap.h"
#include "kernel/kernel.h"
#include "lib/string.h"

#define FDT_MAGIC      0xd00dfeed
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE   2
#define FDT_PROP       3
#define FDT_NOP        4
#define MAX_DEPTH      8

struct prop {
    const uint8_t *data; /* NULL: the node does not have it */
    uint32_t       len;
};

struct node {
    const char *name;
    uint32_t    address_cells, size_cells; /* of its children's reg */
    struct prop type, compatible, reg, interrupts, args, initrd_start,
        initrd_end, timebase;
};

static uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

/* A number of one or two words, of which we can use the lower. */
static uint32_t number_of(const struct prop *prop)
{
    return prop->len >= 4 ? word_at(prop->data + prop->len - 4) : 0;
}

/* Is `text` one of the strings of the property? */
static bool lists(const struct prop *prop, const char *text)
{
    uint32_t at = 0;

    while (at < prop->len) {
        const char *item = (const char *)prop->data + at;

        if (string_equal(item, text))
            return true;
        at += (uint32_t)strlen(item) + 1;
    }
    return false;
}

/* The first range of a node's reg property; empty if it has none. */
static struct range reg_of(const struct node *node, const struct node *parent)
{
    uint32_t address = 4 * parent->address_cells;
    uint32_t size = 4 * parent->size_cells;

    if (address < 4 || node->reg.len < address + size)
        return (struct range){ 0, 0 };
    const uint8_t *behind = node->reg.data + address;
    uint32_t       start = word_at(behind - 4);
    uint32_t       length = size < 4 ? 0 : word_at(behind + size - 4);
    return (struct range){ start, start + length };
}

static void keep_property(struct node *node, const char *name,
                          struct prop value)
{
    const struct {
        const char  *name;
        struct prop *to;
    } wanted[] = {
        { "device_type", &node->type },
        { "compatible", &node->compatible },
        { "reg", &node->reg },
        { "interrupts", &node->interrupts },
        { "bootargs", &node->args },
        { "linux,initrd-start", &node->initrd_start },
        { "linux,initrd-end", &node->initrd_end },
        { "timebase-frequency", &node->timebase },
    };

    if (string_equal(name, "#address-cells"))
        node->address_cells = number_of(&value);
    else if (string_equal(name, "#size-cells"))
        node->size_cells = number_of(&value);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (string_equal(name, wanted[i].name))
            *wanted[i].to = value;
}

/* All properties of a node are known: is it one that we care about? */
static void look_at_node(const struct node *node, const struct node *parent,
                         struct boot_info *info)
{
    struct range reg = reg_of(node, parent);

    if (lists(&node->type, "memory") && info->ram.end == 0)
        info->ram = reg;
    if (lists(&node->type, "cpu") && reg.start < MAX_HARTS)
        info->harts |= 1u << reg.start;
    if (string_equal(node->name, "chosen")) {
        if (node->args.data != NULL)
            info->args = (const char *)node->args.data;
        info->initrd.start = number_of(&node->initrd_start);
        info->initrd.end = number_of(&node->initrd_end);
    }
    if (node->timebase.data != NULL)
        info->timebase = number_of(&node->timebase);
    if (lists(&node->compatible, "ns16550a") && info->uart == 0) {
        info->uart = reg.start;
        info->uart_irq = number_of(&node->interrupts);
    }
    if (lists(&node->compatible, "sifive,plic-1.0.0") ||
        lists(&node->compatible, "riscv,plic0"))
        info->plic = reg.start;
    if (lists(&node->compatible, "sifive,test1") ||
        lists(&node->compatible, "sifive,test0"))
        info->power = reg.start;
}

/* Read the nodes from `at` to `end`. Names of properties are offsets into
 * `strings`. */
static bool read_nodes(const uint8_t *at, const uint8_t *end,
                       const char *strings, struct boot_info *info)
{
    static struct node nodes[MAX_DEPTH]; /* [0] stands for the root's parent */
    uint32_t           depth = 0;
    bool               open = false; /* nodes[depth] is not looked at yet */

    while (at + 4 <= end) {
        uint32_t token = word_at(at);

        at += 4;
        if ((token == FDT_BEGIN_NODE || token == FDT_END_NODE) && open) {
            look_at_node(&nodes[depth], &nodes[depth - 1], info);
            open = false;
        }
        if (token == FDT_BEGIN_NODE) {
            if (++depth == MAX_DEPTH)
                return false;
            nodes[depth] = (struct node){ .name = (const char *)at,
                                          .address_cells = 2,
                                          .size_cells = 1 };
            at += (strlen((const char *)at) + 4) & ~3u;
            open = true;
        } else if (token == FDT_END_NODE && depth > 0) {
            depth--;
        } else if (token == FDT_PROP && open) {
            struct prop value = { at + 8, word_at(at) };

            keep_property(&nodes[depth], strings + word_at(at + 4), value);
            at += 8 + ((value.len + 3) & ~3u);
        } else if (token != FDT_NOP) {
            break; /* the end, or something we do not understand */
        }
    }
    return depth == 0;
}

bool fdt_read(uint32_t dtb, struct boot_info *info)
{
    const uint8_t *blob = (const uint8_t *)dtb;

    if (dtb == 0 || dtb % 4 != 0 || word_at(blob) != FDT_MAGIC)
        return false;
    uint32_t size = word_at(blob + 4);
    uint32_t nodes = word_at(blob + 8);
    uint32_t strings = word_at(blob + 12);
    if (nodes >= size || strings >= size)
        return false;
    info->dtb = (struct range){ dtb, dtb + size };
    return read_nodes(blob + nodes, blob + size, (const char *)blob + strings,
                      info);
}
