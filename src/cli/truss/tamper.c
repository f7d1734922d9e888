/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doing to calls what -e inject asks for. A delayed LWP rests in its stop while
 * all others go on; a timer wakes us when its time has come.
 */
#include "cli/truss/truss.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define NO_HOLD (-1)
#define X32_BIT UINT64_C(0x40000000)

/* How often an LWP has made a call. */
struct truss_count {
	struct {
		uint64_t abi, number;
	} call;
	unsigned n;
	UT_hash_handle hh;
};

static unsigned count_call(struct truss_lwp *lwp, enum stasis_abi abi, uint64_t number)
{
	struct truss_count *count, key = {.call = {abi, number}};

	HASH_FIND(hh, lwp->counts, &key.call, sizeof key.call, count);
	if (!count) {
		count = malloc(sizeof *count);
		if (!count)
			uthash_fatal("out of memory");
		*count = key;
		HASH_ADD(hh, lwp->counts, call, sizeof count->call, count);
	}
	return ++count->n;
}

void truss_tamper_forget(struct truss_lwp *lwp)
{
	struct truss_count *count, *next;

	HASH_ITER(hh, lwp->counts, count, next) {
		HASH_DEL(lwp->counts, count);
		free(count);
	}
}

static void say(struct truss *t, int error)
{
	if (error < 0 && error != STASIS_E_GONE && error != STASIS_E_NOT_TRACED)
		sts_complain_error("truss", t->session, error);
}

static void poke(struct truss *t, const struct truss_injection *in, const struct stasis_event *e, bool leaving)
{
	for (size_t i = 0; i < in->n_pokes; i++) {
		const struct truss_poke *p = &in->pokes[i];
		uint64_t at = e->data.syscall.args[p->arg];
		int r = p->leaving == leaving ? stasis_memory_write(t->session, e->pid, at, p->bytes, p->len, NULL) : 0;

		if (r < 0 && r != STASIS_E_GONE)
			sts_complain("truss", "cannot write to what argument %u of a call of %d points to: %s",
				     p->arg + 1, e->tid, stasis_strerror(r));
	}
}

/* As the kernel would return it: i386 has 32 bits, of which errors alone are less than zero. */
static int64_t result_for(const struct truss_injection *in, enum stasis_abi abi)
{
	int32_t narrow = (int32_t)in->result;

	if (abi != STASIS_ABI_I386)
		return in->result;
	return narrow < 0 && narrow >= -4095 ? (int64_t)narrow : (int64_t)(uint32_t)narrow;
}

static int replace(struct truss *t, const struct truss_lwp *lwp)
{
	const struct truss_injection *in = lwp->call.injection;
	enum stasis_abi abi = lwp->call.abi;
	int number = in->call ? stasis_syscall_number(abi, in->call) : -1;

	if (number < 0) /* this ABI lacks it */
		return stasis_syscall_skip(t->session, lwp->tid, result_for(in, abi));
	return stasis_syscall_set(t->session, lwp->tid, (uint64_t)number | (abi == STASIS_ABI_X32 ? X32_BIT : 0), NULL);
}

static void send_signal(struct truss_lwp *lwp, const struct truss_injection *in, const struct stasis_event *e)
{
	if (in->signal && tgkill(e->pid, e->tid, in->signal) == 0)
		lwp->signals_injected |= UINT64_C(1) << (in->signal - 1);
}

static void hold(struct truss *t, const struct truss_injection *in, enum truss_end end)
{
	if (in->delays[end])
		t->hold = in->delay[end];
}

void truss_tamper_enter(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	const struct stasis_event_syscall *data = &e->data.syscall;
	const struct truss_injection *in = truss_injections_find(&t->options.injections, data->abi, data->number);
	struct truss_source source = {t->session, e->pid, &t->rings, false};
	const struct truss_call call = {.data = *data};

	lwp->call.injection = NULL;
	if (!in || !truss_lwp_matters(t, lwp) || !truss_call_looks_for(&source, &call, &t->options, false))
		return;
	lwp->call.count = count_call(lwp, data->abi, data->number);
	if (!truss_injection_due(in, lwp->call.count))
		return;
	lwp->call.injection = in;
	lwp->call.abi = data->abi;
	lwp->call.number = data->number;
	send_signal(lwp, in, e);
	poke(t, in, e, false);
	/* Should we go during a delay, the call is as it was. */
	if (in->has_result && !in->delays[TRUSS_ENTER])
		say(t, replace(t, lwp));
	hold(t, in, TRUSS_ENTER);
}

void truss_tamper_leave(struct truss *t, struct truss_lwp *lwp, struct stasis_event *e)
{
	const struct truss_injection *in = lwp->call.injection;
	struct stasis_event_syscall *data = &e->data.syscall;

	if (!in)
		return;
	data->number = lwp->call.number;
	poke(t, in, e, true);
	if (in->has_result && !data->skipped) {
		data->result = result_for(in, data->abi);
		data->is_error = data->result < 0 && data->result >= -4095;
		say(t, stasis_syscall_result_set(t->session, e->tid, data->result));
	}
	hold(t, in, TRUSS_EXIT);
}

void truss_tamper_signal(struct truss *t, struct stasis_event *e)
{
	siginfo_t *info = &e->data.signal.info;
	struct truss_lwp *lwp;
	pid_t tid = e->tid;

	HASH_FIND_INT(t->lwps, &tid, lwp);
	uint64_t bit = UINT64_C(1) << (info->si_signo - 1);
	/* 0: we are out of sight for it */
	if (!lwp || !(lwp->signals_injected & bit) || info->si_code != SI_TKILL ||
	    (info->si_pid != getpid() && info->si_pid != 0))
		return;
	lwp->signals_injected &= ~bit;
	*info = (siginfo_t){.si_signo = info->si_signo, .si_code = SI_KERNEL};
	say(t, stasis_siginfo_set(t->session, e->tid, info));
}

const char *truss_tamper_marks(const struct truss_call *call, char *buf, size_t size)
{
	const struct truss_injection *in = call->injection;

	if (!in)
		return "";
	bool delayed = in->delays[TRUSS_ENTER] || in->delays[TRUSS_EXIT];
	snprintf(buf, size, "%s%s",
		 in->n_pokes && in->has_result ? " (INJECTED: args, retval)"
		 : in->n_pokes		       ? " (INJECTED: args)"
		 : in->has_result	       ? " (INJECTED)"
					       : "",
		 delayed ? " (DELAYED)" : "");
	return buf;
}

/* --- delays --------------------------------------------------------------------------------- */

static struct stasis_session *delaying_session;

static void on_delay_timer(int signal)
{
	stasis_session_wake(delaying_session);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return truss_nanoseconds(a, b) > 0;
}

static int make_timer(struct truss *t)
{
	const struct sigaction act = {.sa_handler = on_delay_timer, .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};

	if (t->has_delay_timer)
		return 0;
	delaying_session = t->session;
	sigaction(SIGRTMIN, &act, NULL);
	t->has_delay_timer = timer_create(CLOCK_MONOTONIC, &event, &t->delay_timer) == 0;
	return t->has_delay_timer ? 0 : -errno;
}

static void arm_timer(struct truss *t)
{
	const struct itimerspec when = {.it_value = t->delayed->due};

	if (make_timer(t) < 0 || timer_settime(t->delay_timer, TIMER_ABSTIME, &when, NULL) < 0) {
		sts_complain("truss", "no timer for delays: %s", strerror(errno));
		exit(STS_EXIT_FAILURE);
	}
}

void truss_delay_begin(struct truss *t, const struct stasis_event *e)
{
	struct truss_lwp *lwp, **at = &t->delayed;
	pid_t tid = e->tid;

	HASH_FIND_INT(t->lwps, &tid, lwp);
	clock_gettime(CLOCK_MONOTONIC, &lwp->due);
	lwp->at_entry = e->kind == STASIS_EVENT_SYSCALL_ENTER;
	lwp->due.tv_sec += t->hold / 1000000000;
	lwp->due.tv_nsec += t->hold % 1000000000;
	if (lwp->due.tv_nsec >= 1000000000) {
		lwp->due.tv_sec++;
		lwp->due.tv_nsec -= 1000000000;
	}
	t->hold = NO_HOLD;
	lwp->delayed = true;
	while (*at && !is_before(&lwp->due, &(*at)->due))
		at = &(*at)->next_delayed;
	lwp->next_delayed = *at;
	*at = lwp;
	if (t->delayed == lwp)
		arm_timer(t);
}

void truss_delay_forget(struct truss *t, struct truss_lwp *lwp)
{
	struct truss_lwp **at = &t->delayed;

	if (!lwp->delayed)
		return;
	while (*at != lwp)
		at = &(*at)->next_delayed;
	*at = lwp->next_delayed;
	lwp->delayed = false;
}

void truss_delay_end(struct truss *t)
{
	struct timespec now;

	if (!t->delayed)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	while (t->delayed && !is_before(&now, &t->delayed->due)) {
		struct truss_lwp *lwp = t->delayed;

		truss_delay_forget(t, lwp);
		if (lwp->at_entry && truss_call_replaced(&lwp->call))
			say(t, replace(t, lwp));
		say(t, stasis_resume_lwp(t->session, lwp->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
	}
	if (t->delayed)
		arm_timer(t);
}

void truss_tamper_free(struct truss *t)
{
	if (t->has_delay_timer)
		timer_delete(t->delay_timer);
}
