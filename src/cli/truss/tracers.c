/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traced programs that trace. A process can have one tracer only: what they
 * want to trace is ours already. The kernel refuses them, and we say why, once.
 */
#include "cli/truss/truss.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>

/* The tracee of ours that this call of an LWP wants to trace, 0 for none. */
static pid_t wanted(struct truss *t, const struct truss_lwp *lwp, const struct stasis_event_syscall *call)
{
	struct truss_lwp *target;

	if (strcmp(stasis_syscall_name(call->abi, call->number), "ptrace") != 0)
		return 0;
	if (call->args[0] == PTRACE_TRACEME)
		return lwp->pid;
	if (call->args[0] != PTRACE_ATTACH && call->args[0] != PTRACE_SEIZE)
		return 0;
	pid_t tid = (pid_t)call->args[1];
	HASH_FIND_INT(t->lwps, &tid, target);
	return target ? target->pid : 0;
}

void truss_tracers_refused(struct truss *t, struct truss_lwp *lwp, const struct stasis_event_syscall *call)
{
	if (call->result != -EPERM || t->refusal_told)
		return;
	pid_t pid = wanted(t, lwp, call);
	if (pid == 0)
		return;
	t->refusal_told = true;
	truss_break_line(&t->out);
	sts_complain("truss",
		     "process %d (%s) was refused a ptrace call: process %d is traced by us already, and can have one "
		     "tracer only",
		     lwp->pid, truss_comm(lwp), pid);
}
