/* main.c - from the first line of C to the last process, and off. */
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/exec.h"
#include "kernel/fdt.h"
#include "kernel/hart.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/lock.h"
#include "kernel/page.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/trap.h"
#include "lib/string.h"

struct boot_info boot_info;

_Noreturn void kernel_main(uint32_t hart, uint32_t dtb);

/* Learn what we run on; the device tree itself is kept, and read in place. */
static void read_device_tree(uint32_t hart, uint32_t dtb)
{
    boot_info = (struct boot_info){ .hart = hart,
                                    .args = "",
                                    .timebase = TIMEBASE_HZ };
    if (!fdt_read(dtb, &boot_info))
        panic("no device tree at %08x", dtb);
    if (boot_info.ram.start > (uint32_t)kernel_text)
        panic("no memory where this kernel is");
    if (boot_info.ram.end < (uint32_t)kernel_end) /* 2 GiB end at 2^32 */
        boot_info.ram.end = 0xfffff000;
    boot_info.harts |= 1u << hart;
    while (boot_info.harts >> boot_info.hart_end != 0)
        boot_info.hart_end++;
    if (words_find(boot_info.args, "quiet") != NULL)
        console_set_quiet(true);
}

/* The value of init= is a word among others; cut it out. */
static void init_name(char *name)
{
    const char *word = words_find(boot_info.args, "init");
    uint32_t    len = 0;

    if (word == NULL || *word == '\0')
        word = "init";
    for (; word[len] != '\0' && word[len] != ' ' && len + 1 < NAME_SIZE; len++)
        name[len] = word[len];
    name[len] = '\0';
}

_Noreturn void kernel_main(uint32_t hart, uint32_t dtb)
{
    char     name[NAME_SIZE];
    uint32_t status, pages;

    hart_init(hart);
    read_device_tree(hart, dtb);
    priv_init();
    lock_init();
    page_init();
    priv_memory_init();
    say("%s, hart %u, %u KiB of memory", priv_name, hart,
        (boot_info.ram.end - boot_info.ram.start) / 1024);
    if (boot_info.initrd.end > boot_info.initrd.start)
        say("initrd of %u bytes",
            boot_info.initrd.end - boot_info.initrd.start);
    space_init();
    priv_paging_on(kernel_space.root);
    console_init();
    sched_init(cpu_self());
    trap_start_timer();
    if (hart_count() > 1) {
        say("%u harts", hart_count());
        hart_start_others();
    }

    pages = page_count_free();
    init_name(name);
    if (strlen(boot_info.args) >= ARGS_SIZE)
        panic("the command line is longer than %u bytes", ARGS_SIZE - 1);
    proc_start_init(name, boot_info.args);
    sched_run_all();
    status = proc_bury_init();

    pages -= page_count_free() + priv_pages_lent();
    if (pages != 0)
        panic("%d pages are lost", (int32_t)pages);
    say("%u ticks, %u switches, no page lost; off with status %u", trap_ticks(),
        sched_count_switches(), status);
    lock_print_statistics();
    priv_power_off(status);
}
