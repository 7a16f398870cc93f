/* queue.h - the run queue of one hart: ordered by key, equal keys by coming. */
#ifndef HV_SCHED_QUEUE_H
#define HV_SCHED_QUEUE_H

#include <stdint.h>

struct vcpu;
struct vm;

struct queue {
    struct vcpu *head, *tail;
    uint32_t     len;
};

void queue_insert(struct queue *queue, struct vcpu *vcpu);
void queue_remove(struct queue *queue, struct vcpu *vcpu);
/* The first that may run on this hart and, if vm is not NULL, is of this VM. */
struct vcpu *queue_first(const struct queue *queue, uint32_t hart,
                         const struct vm *vm);

#endif
