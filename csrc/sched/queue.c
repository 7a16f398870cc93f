/* queue.c - a list in two directions. Who comes has, most often, the largest
 * key, so its place is looked for from behind. */
#include "sched/queue.h"
#include "hyp/vm.h"

void queue_insert(struct queue *queue, struct vcpu *vcpu)
{
    struct sched_vcpu *s = &vcpu->sched;
    struct vcpu       *before = queue->tail;

    while (before && before->sched.key > s->key)
        before = before->sched.prev;
    s->prev = before;
    s->next = before ? before->sched.next : queue->head;
    if (before)
        before->sched.next = vcpu;
    else
        queue->head = vcpu;
    if (s->next)
        s->next->sched.prev = vcpu;
    else
        queue->tail = vcpu;
    queue->len++;
    s->queued = true;
}

void queue_remove(struct queue *queue, struct vcpu *vcpu)
{
    struct sched_vcpu *s = &vcpu->sched;

    if (s->prev)
        s->prev->sched.next = s->next;
    else
        queue->head = s->next;
    if (s->next)
        s->next->sched.prev = s->prev;
    else
        queue->tail = s->prev;
    queue->len--;
    s->queued = false;
}

struct vcpu *queue_first(const struct queue *queue, uint32_t hart,
                         const struct vm *vm)
{
    struct vcpu *at = queue->head;

    while (at && (!(at->sched.affinity >> hart & 1) || (vm && at->vm != vm)))
        at = at->sched.next;
    return at;
}
