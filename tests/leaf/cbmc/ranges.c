/* ranges.c - a range of guest memory is inside, or it is not, for all 2^96
 * triples of address, length and size. */
#include "hyp/guestmem.c"
#include "prove.h"

void prove_ranges(void);

void prove_ranges(void)
{
    static struct vm vm;
    gpa_t            pa = { any_u32() };
    uint32_t         len = any_u32();

    vm.config.mem_size = any_u32();
    ASSUME(vm.config.mem_size <= 0x40000000);
    uint64_t end = (uint64_t)RAM_BASE + vm.config.mem_size;
    PROVE(vm_spans(&vm, pa, len) ==
          (pa.raw >= RAM_BASE && (uint64_t)pa.raw + len <= end));
    uint32_t n = in_page(pa, len);
    PROVE(n <= len && n <= PAGE_SIZE && (n > 0 || len == 0));
    PROVE(n == 0 || (pa.raw & PAGE_MASK) + n <= PAGE_SIZE);
}
