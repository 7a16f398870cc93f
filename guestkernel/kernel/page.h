/* page.h - free physical memory, by the page. */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <stdint.h>

/* What memory there is: what the image, the device tree and the initrd leave
 * of RAM. */
void page_init(void);

/* A page filled with zeroes, or with whatever; 0 if there is none left. */
uint32_t page_alloc(void);
uint32_t page_alloc_dirty(void);

/* Give a page back. */
void page_free(uint32_t page);

/* How many pages can still be had; at least, if other harts are at it, could
 * just now. */
uint32_t page_count_free(void);

#endif
