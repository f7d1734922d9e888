/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at tracees: lists, states, registers, memory, siginfo. */
#include <errno.h>
#include <string.h>
#include "control/model.h"

/* A kernel answer to the user: a vanished LWP is "gone". */
static int answer(int r)
{
	return r == -ESRCH ? STASIS_E_GONE : r;
}

/* --- lists and states ---------------------------------------------------------------- */

struct list_args {
	pid_t pid;
	pid_t *ids;
	size_t cap;
	size_t n;
};

static void list_add(struct list_args *a, pid_t id)
{
	if (a->n < a->cap)
		a->ids[a->n] = id;
	a->n++;
}

static int do_process_list(struct stasis_session *s, void *arg)
{
	struct sts_process *p;

	TAILQ_FOREACH(p, &s->all, in_session)
		if (!p->shadow)
			list_add(arg, p->pid);
	return 0;
}

static int do_lwp_list(struct stasis_session *s, void *arg)
{
	struct list_args *a = arg;
	struct sts_process *p;
	struct sts_lwp *lwp;
	int r = sts_process_visible(s, a->pid, &p);

	if (r < 0)
		return r;
	TAILQ_FOREACH(lwp, &p->lwps, in_process)
		if (lwp->state != STS_LWP_GONE && lwp->state != STS_LWP_EXITING)
			list_add(a, lwp->tid);
	return 0;
}

static int list(struct stasis_session *session, sts_request_fn fn, struct list_args *args, size_t *n_ret)
{
	int r = sts_gate_look(session, fn, args);

	if (r == 0)
		*n_ret = args->n;
	return r;
}

int stasis_process_list(struct stasis_session *session, pid_t *pids, size_t cap, size_t *n_ret)
{
	return list(session, do_process_list, &(struct list_args){.ids = pids, .cap = cap}, n_ret);
}

int stasis_lwp_list(struct stasis_session *session, pid_t pid, pid_t *tids, size_t cap, size_t *n_ret)
{
	return list(session, do_lwp_list, &(struct list_args){.pid = pid, .ids = tids, .cap = cap}, n_ret);
}

static enum stasis_state process_state(const struct sts_process *p)
{
	if (p->dying)
		return STASIS_STATE_EXITING;
	return p->reported ? STASIS_STATE_STOPPED : STASIS_STATE_RUNNING;
}

struct info_args {
	pid_t id;
	void *ret;
};

static int do_process_info(struct stasis_session *s, void *arg)
{
	const struct info_args *a = arg;
	struct stasis_process_info *info = a->ret;
	struct sts_process *p;
	struct sts_task_status status = {0};
	int r = sts_process_visible(s, a->id, &p);

	if (r < 0)
		return r;
	r = sts_os_task_status(p->pid, p->pid, &status);
	if (r < 0)
		return answer(r);
	*info = (struct stasis_process_info){
		.pid = p->pid,
		.parent = status.parent,
		.state = process_state(p),
		.birth = p->birth,
		.launched = p->launched,
		.job_stopped = p->job_stopped,
		.abi = sts_os_image_abi(sts_process_task(p)),
		.lwp_count = p->n_live,
		.filtered = sts_process_filtered(p),
		.filter_error = p->filter_error,
	};
	return 0;
}

int stasis_process_info_get(struct stasis_session *session, pid_t pid, struct stasis_process_info *info_ret)
{
	return sts_gate_look(session, do_process_info, &(struct info_args){pid, info_ret});
}

static enum stasis_state lwp_state(const struct sts_lwp *lwp)
{
	switch (lwp->state) {
	case STS_LWP_RESTING:
		return lwp->process->reported || (lwp->event_out && lwp->reported) ? STASIS_STATE_STOPPED
										   : STASIS_STATE_RUNNING;
	case STS_LWP_VFORKING:
	case STS_LWP_UNREACHABLE:
		return STASIS_STATE_UNREACHABLE;
	case STS_LWP_STARTING:
	case STS_LWP_RUNNING:
		return STASIS_STATE_RUNNING;
	default:
		return STASIS_STATE_EXITING;
	}
}

static int do_lwp_info(struct stasis_session *s, void *arg)
{
	const struct info_args *a = arg;
	struct stasis_lwp_info *info = a->ret;
	struct sts_task_status status;
	struct sts_lwp *lwp;
	int r = sts_lwp_visible(s, a->id, &lwp);

	if (r == 0)
		r = sts_os_task_status(lwp->process->pid, lwp->tid, &status);
	if (r < 0)
		return answer(r);
	*info = (struct stasis_lwp_info){
		.pid = lwp->process->pid,
		.tid = lwp->tid,
		.state = lwp_state(lwp),
		.suspended = lwp->suspended,
		.stepping = lwp->sticky_step,
		.signal_mask = status.mask,
		.pending = status.pending,
		.shared_pending = status.shared_pending,
	};
	memcpy(info->name, status.name, sizeof info->name);
	if (lwp->state == STS_LWP_RESTING && sts_regs_load(lwp) == 0)
		info->tls_base = sts_os_tls_base(lwp->tid, &lwp->regs);
	return 0;
}

int stasis_lwp_info_get(struct stasis_session *session, pid_t tid, struct stasis_lwp_info *info_ret)
{
	return sts_gate_look(session, do_lwp_info, &(struct info_args){tid, info_ret});
}

/* --- registers ------------------------------------------------------------------------------ */

struct regs_args {
	pid_t tid;
	enum stasis_regset set;
	void *buf;
	size_t size;
	size_t *size_ret;
};

static int do_regs_get(struct stasis_session *s, void *arg)
{
	const struct regs_args *a = arg;
	struct sts_lwp *lwp;
	int r = sts_lwp_at_rest(s, a->tid, &lwp);

	if (r < 0)
		return r;
	if (a->set != STASIS_REGSET_GENERAL)
		return answer(sts_os_regset_get(a->tid, a->set, a->buf, a->size, a->size_ret));
	r = sts_regs_load(lwp);
	if (r < 0)
		return answer(r);
	if (a->size > 0)
		memcpy(a->buf, &lwp->regs, a->size < sizeof lwp->regs ? a->size : sizeof lwp->regs);
	if (a->size_ret)
		*a->size_ret = sizeof lwp->regs;
	return 0;
}

static int set_general(struct sts_lwp *lwp, const void *buf, size_t size)
{
	if (size != sizeof lwp->regs)
		return STASIS_E_BAD_ARGUMENT;
	int r = sts_regs_load(lwp);
	if (r < 0)
		return r;
	uint64_t pc = lwp->regs.rip;
	/* Written through: the kernel says at once what it does not accept. */
	r = sts_os_regs_set(lwp->tid, buf);
	if (r == -EIO)
		return STASIS_E_BAD_ARGUMENT;
	lwp->regs_valid = lwp->regs_dirty = false;
	if (r == 0)
		r = sts_regs_load(lwp);
	lwp->at_breakpoint &= lwp->regs.rip == pc;
	return r;
}

static int do_regs_set(struct stasis_session *s, void *arg)
{
	const struct regs_args *a = arg;
	struct sts_lwp *lwp;
	int r = sts_lwp_at_rest(s, a->tid, &lwp);

	if (r < 0)
		return r;
	if (a->set == STASIS_REGSET_GENERAL)
		return answer(set_general(lwp, a->buf, a->size));
	if (a->set == STASIS_REGSET_DEBUG && lwp->process->watching)
		return sts_fail(s, STASIS_E_EXISTS, "set debug registers", lwp->process->pid, a->tid, 0,
				"watchpoints of this session use them", "remove those first");
	return answer(sts_os_regset_set(a->tid, a->set, a->buf, a->size));
}

int stasis_regs_get(struct stasis_session *session, pid_t tid, enum stasis_regset set, void *buf, size_t size,
		    size_t *size_ret)
{
	return sts_gate_look(session, do_regs_get, &(struct regs_args){tid, set, buf, size, size_ret});
}

int stasis_regs_set(struct stasis_session *session, pid_t tid, enum stasis_regset set, const void *buf, size_t size)
{
	struct regs_args args = {tid, set, (void *)(uintptr_t)buf, size, NULL};

	return sts_gate_look(session, do_regs_set, &args);
}

int stasis_pc_get(struct stasis_session *session, pid_t tid, uint64_t *pc_ret)
{
	struct stasis_regs_x86 regs;
	int r = stasis_regs_get(session, tid, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL);

	if (r == 0)
		*pc_ret = regs.rip;
	return r;
}

int stasis_sp_get(struct stasis_session *session, pid_t tid, uint64_t *sp_ret)
{
	struct stasis_regs_x86 regs;
	int r = stasis_regs_get(session, tid, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL);

	if (r == 0)
		*sp_ret = regs.rsp;
	return r;
}

int stasis_pc_set(struct stasis_session *session, pid_t tid, uint64_t pc)
{
	struct stasis_regs_x86 regs;
	int r = stasis_regs_get(session, tid, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL);

	if (r < 0)
		return r;
	regs.rip = pc;
	return stasis_regs_set(session, tid, STASIS_REGSET_GENERAL, &regs, sizeof regs);
}

/* --- memory ------------------------------------------------------------------------------------- */

struct memory_args {
	pid_t pid;
	uint64_t addr;
	void *buf;
	size_t len;
	size_t *done_ret;
	bool write;
};

static int do_memory(struct stasis_session *s, void *arg)
{
	const struct memory_args *a = arg;
	struct sts_process *p;
	int r = sts_process_visible(s, a->pid, &p);

	if (r < 0)
		return r;
	ssize_t n = a->write ? sts_space_write(p, a->addr, a->buf, a->len) : sts_space_read(p, a->addr, a->buf, a->len);
	if (n == -ESRCH || n == -ENOENT)
		return STASIS_E_GONE;
	if (n == -EFAULT || (n >= 0 && (size_t)n < a->len && !a->done_ret))
		return sts_fail(s, STASIS_E_BAD_ADDRESS, a->write ? "write memory" : "read memory", a->pid, 0,
				a->addr + (n > 0 ? n : 0), "the address is not mapped", "");
	if (n < 0)
		return (int)n;
	if (a->done_ret)
		*a->done_ret = n;
	return 0;
}

int stasis_memory_read(struct stasis_session *session, pid_t pid, uint64_t addr, void *buf, size_t len,
		       size_t *done_ret)
{
	return sts_gate_look(session, do_memory, &(struct memory_args){pid, addr, buf, len, done_ret, false});
}

int stasis_memory_write(struct stasis_session *session, pid_t pid, uint64_t addr, const void *buf, size_t len,
			size_t *done_ret)
{
	struct memory_args args = {pid, addr, (void *)(uintptr_t)buf, len, done_ret, true};

	return sts_gate_look(session, do_memory, &args);
}

#define STRING_CHUNK 256

int stasis_memory_read_string(struct stasis_session *session, pid_t pid, uint64_t addr, char *buf, size_t cap,
			      size_t *len_ret)
{
	size_t len = 0;

	if (cap == 0)
		return STASIS_E_BAD_ARGUMENT;
	while (len < cap) {
		/* Up to a chunk's boundary: the string may end just before an unmapped page. */
		size_t want = STRING_CHUNK - (addr + len) % STRING_CHUNK, got;

		if (want > cap - len)
			want = cap - len;
		int r = stasis_memory_read(session, pid, addr + len, buf + len, want, &got);
		if (r < 0)
			return r;
		const char *end = memchr(buf + len, '\0', got);
		if (end) {
			*len_ret = end - buf;
			return 0;
		}
		len += got;
		if (got == 0)
			return STASIS_E_BAD_ADDRESS;
	}
	buf[cap - 1] = '\0';
	return -ENAMETOOLONG;
}

/* From a visible tracee's pid to a task of it that has its memory. */
static int find_task(struct stasis_session *s, void *arg)
{
	pid_t *id = arg;
	struct sts_process *p;
	int r = sts_process_visible(s, *id, &p);

	if (r == 0)
		*id = sts_process_task(p);
	return r;
}

int stasis_maps_each(struct stasis_session *session, pid_t pid, stasis_map_fn fn, void *arg)
{
	int r = sts_gate_look(session, find_task, &pid);

	return r < 0 ? r : answer(sts_os_maps_each(pid, fn, arg));
}

int stasis_auxv_read(struct stasis_session *session, pid_t pid, void *buf, size_t cap, size_t *len_ret)
{
	int r = sts_gate_look(session, find_task, &pid);

	return r < 0 ? r : answer(sts_os_auxv(pid, buf, cap, len_ret));
}

int stasis_exe_path(struct stasis_session *session, pid_t pid, char *buf, size_t cap)
{
	int r = sts_gate_look(session, find_task, &pid);

	return r < 0 ? r : answer(sts_os_exe_path(pid, buf, cap));
}

/* --- siginfo ---------------------------------------------------------------------------------------- */

struct siginfo_args {
	pid_t tid;
	siginfo_t *get;
	const siginfo_t *set;
};

static int do_siginfo(struct stasis_session *s, void *arg)
{
	const struct siginfo_args *a = arg;
	struct sts_lwp *lwp;
	int r = sts_lwp_at_rest(s, a->tid, &lwp);

	if (r < 0)
		return r;
	if (lwp->stop.kind != STS_REPORT_SIGNAL)
		return sts_fail(s, STASIS_E_BAD_STATE, "siginfo", lwp->process->pid, a->tid, 0,
				"the LWP is not stopped by a signal", "");
	if (a->get)
		return answer(sts_os_siginfo_get(a->tid, a->get));
	r = sts_os_siginfo_set(a->tid, a->set);
	if (r == 0)
		lwp->signal = a->set->si_signo;
	return answer(r);
}

int stasis_siginfo_get(struct stasis_session *session, pid_t tid, siginfo_t *info_ret)
{
	return sts_gate_look(session, do_siginfo, &(struct siginfo_args){tid, info_ret, NULL});
}

int stasis_siginfo_set(struct stasis_session *session, pid_t tid, const siginfo_t *info)
{
	return sts_gate_look(session, do_siginfo, &(struct siginfo_args){tid, NULL, info});
}

/* --- changing system calls ------------------------------------------------------------------------------ */

struct syscall_args {
	pid_t tid;
	uint64_t number;
	const uint64_t *args;
	int64_t result;
};

static int lwp_at_event(struct stasis_session *s, pid_t tid, enum stasis_event_kind kind, struct sts_lwp **ret)
{
	int r = sts_lwp_at_rest(s, tid, ret);

	if (r < 0)
		return r;
	const struct sts_lwp *lwp = *ret;
	if (!lwp->event_out || !lwp->reported || lwp->node.event.kind != kind)
		return sts_fail(s, STASIS_E_BAD_STATE, "change system call", lwp->process->pid, tid, 0,
				kind == STASIS_EVENT_SYSCALL_ENTER ? "the LWP is not at a system call's entry"
								   : "the LWP is not at a system call's exit",
				"");
	return 0;
}

static int change_call(struct sts_lwp *lwp, uint64_t number, const uint64_t *args)
{
	int r = sts_regs_flush(lwp);

	lwp->regs_valid = false;
	return answer(r < 0 ? r : sts_os_syscall_number_set(lwp->tid, number, args));
}

static int do_skip(struct stasis_session *s, void *arg)
{
	const struct syscall_args *a = arg;
	struct sts_lwp *lwp;
	int r = lwp_at_event(s, a->tid, STASIS_EVENT_SYSCALL_ENTER, &lwp);

	if (r == 0)
		r = change_call(lwp, UINT64_MAX, NULL);
	if (r == 0) {
		lwp->skip = true;
		lwp->skip_result = a->result;
	}
	return r;
}

static int do_call_set(struct stasis_session *s, void *arg)
{
	const struct syscall_args *a = arg;
	struct sts_lwp *lwp;
	int r = lwp_at_event(s, a->tid, STASIS_EVENT_SYSCALL_ENTER, &lwp);

	if (r == 0)
		r = change_call(lwp, a->number, a->args);
	if (r < 0)
		return r;
	lwp->call.number = a->number;
	if (a->args)
		memcpy(lwp->call.args, a->args, sizeof lwp->call.args);
	return 0;
}

static int do_result_set(struct stasis_session *s, void *arg)
{
	const struct syscall_args *a = arg;
	struct sts_lwp *lwp;
	int r = lwp_at_event(s, a->tid, STASIS_EVENT_SYSCALL_EXIT, &lwp);

	if (r < 0)
		return r;
	r = sts_regs_flush(lwp);
	lwp->regs_valid = false;
	return answer(r < 0 ? r : sts_os_syscall_result_set(a->tid, a->result));
}

int stasis_syscall_skip(struct stasis_session *session, pid_t tid, int64_t result)
{
	return sts_gate_look(session, do_skip, &(struct syscall_args){.tid = tid, .result = result});
}

int stasis_syscall_result_set(struct stasis_session *session, pid_t tid, int64_t result)
{
	return sts_gate_look(session, do_result_set, &(struct syscall_args){.tid = tid, .result = result});
}

int stasis_syscall_set(struct stasis_session *session, pid_t tid, uint64_t number, const uint64_t args[6])
{
	return sts_gate_look(session, do_call_set, &(struct syscall_args){.tid = tid, .number = number, .args = args});
}
