/* access.h - the three kinds of memory access, as both floors call them. */
#ifndef HV_ABI_ACCESS_H
#define HV_ABI_ACCESS_H

#ifndef __ASSEMBLER__
enum access { ACCESS_FETCH, ACCESS_LOAD, ACCESS_STORE, NR_ACCESS };
#endif

#endif
