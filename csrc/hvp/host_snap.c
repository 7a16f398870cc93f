/* host_snap.c - what has to wait for snapshots: nothing yet. */
#include "hvp/run.h"

void hvp_op_do_fail_alloc(struct hvp_run *run, struct hvp_act *act)
{
    (void)run;
    (void)act;
}

void hvp_op_do_save(struct hvp_run *run, struct hvp_act *act)
{
    (void)run;
    (void)act;
}

void hvp_op_do_reset(struct hvp_run *run, struct hvp_act *act)
{
    (void)run;
    (void)act;
}

void hvp_op_do_fork(struct hvp_run *run, struct hvp_act *act)
{
    (void)run;
    (void)act;
}
