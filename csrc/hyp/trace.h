/* trace.h - tell whoever watches; nobody most of the time. */
#ifndef HV_HYP_TRACE_H
#define HV_HYP_TRACE_H

#include "hyp/hal.h"
#include "hyp/vm.h"

static inline void trace(struct pcpu *pcpu, enum hal_event kind,
                         const struct vcpu *vcpu, uint32_t arg)
{
    if (pcpu->traced >> kind & 1)
        hal_event(pcpu, kind, vcpu ? vcpu->vm->id : 0, vcpu ? vcpu->id : 0,
                  arg);
}

#endif
