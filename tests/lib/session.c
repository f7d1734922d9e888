// SPDX-License-Identifier: BSD-2-Clause
/* Sessions, and the waiting for events with a bound and a reason. */
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void log_line(void *arg, enum stasis_log_level level, const char *domain, const char *text)
{
	dprintf(STDERR_FILENO, "%s: %s\n", domain, text);
}

struct stasis_session *sts_session_with(struct stasis_session_opts *opts)
{
	struct stasis_session *session = NULL;

	if (sts_kind() == STS_DIRECT)
		opts->flags |= STASIS_SESSION_DIRECT;
	if (getenv("STASIS_TEST_LOG") != NULL) {
		opts->log = log_line;
		opts->log_level = STASIS_LOG_DEBUG;
	}
	STS_OK(stasis_session_create(opts, &session));
	ATF_REQUIRE(session != NULL);
	return session;
}

struct stasis_session *sts_session(void)
{
	struct stasis_session_opts opts = {.size = sizeof(opts)};

	return sts_session_with(&opts);
}

static void birth_text(const struct stasis_event_birth *b, char *buf, size_t size)
{
	snprintf(buf, size, "%s side, parent %d/%d, child %d, flags %#" PRIx64 "%s%s",
		 b->side == STASIS_SIDE_CHILD ? "child" : "parent", (int)b->parent, (int)b->parent_tid, (int)b->child,
		 b->clone_flags, b->followed ? ", followed" : "", b->failed ? ", failed" : "");
}

static void syscall_text(const struct stasis_event *ev, char *buf, size_t size)
{
	const struct stasis_event_syscall *c = &ev->data.syscall;

	if (ev->kind == STASIS_EVENT_SYSCALL_EXIT)
		snprintf(buf, size, "abi %d, number %" PRIu64 ", result %" PRId64, (int)c->abi, c->number, c->result);
	else
		snprintf(buf, size, "abi %d, number %" PRIu64 ", first argument %#" PRIx64, (int)c->abi, c->number,
			 c->args[0]);
}

static void detail_text(const struct stasis_event *ev, char *buf, size_t size)
{
	switch (ev->kind) {
	case STASIS_EVENT_FORK:
	case STASIS_EVENT_VFORK:
	case STASIS_EVENT_POSIX_SPAWN:
	case STASIS_EVENT_CLONE:
	case STASIS_EVENT_VFORK_DONE:
		birth_text(&ev->data.birth, buf, size);
		break;
	case STASIS_EVENT_LWP_CREATE:
	case STASIS_EVENT_LWP_EXIT:
		snprintf(buf, size, "lwp %d", (int)ev->data.lwp.tid);
		break;
	case STASIS_EVENT_EXEC:
		snprintf(buf, size, "former tid %d", (int)ev->data.exec.former_tid);
		break;
	case STASIS_EVENT_SYSCALL_ENTER:
	case STASIS_EVENT_SYSCALL_EXIT:
		syscall_text(ev, buf, size);
		break;
	case STASIS_EVENT_SIGNAL:
	case STASIS_EVENT_JOB_STOP:
		snprintf(buf, size, "signal %d (%s), code %d", ev->data.signal.info.si_signo,
			 strsignal(ev->data.signal.info.si_signo), ev->data.signal.info.si_code);
		break;
	case STASIS_EVENT_BREAKPOINT:
	case STASIS_EVENT_WATCHPOINT:
	case STASIS_EVENT_STEP:
		snprintf(buf, size, "address %#" PRIx64 ", slot %d", ev->data.trap.address, ev->data.trap.slot);
		break;
	case STASIS_EVENT_EXITED:
		snprintf(buf, size, "status %d", WEXITSTATUS(ev->data.exit.status));
		break;
	case STASIS_EVENT_KILLED:
		snprintf(buf, size, "by signal %d", WTERMSIG(ev->data.exit.status));
		break;
	default:
		buf[0] = '\0';
	}
}

const char *sts_event_text(const struct stasis_event *ev, char *buf, size_t size)
{
	char detail[160];

	detail_text(ev, detail, sizeof(detail));
	snprintf(buf, size, "%s of %d/%d%s%s%s", stasis_event_kind_name(ev->kind), (int)ev->pid, (int)ev->tid,
		 detail[0] != '\0' ? " (" : "", detail, detail[0] != '\0' ? ")" : "");
	return buf;
}

static void wait_or_fail(struct stasis_session *session, pid_t pid, const char *wanted, struct stasis_event *ev,
			 const char *file, int line)
{
	uint64_t deadline = sts_now_ms() + (uint64_t)sts_bound_ms(), now;
	int r;

	do { /* a signal of the case's own is no reason to give up */
		now = sts_now_ms();
		r = stasis_wait(session, pid, now < deadline ? (int)(deadline - now) : 0, ev);
	} while (r == STASIS_E_INTERRUPTED && now < deadline);
	if (r < 0)
		atf_tc_fail("%s:%d: waited for %s of %d, got %s: %s", file, line, wanted, (int)pid,
			    stasis_error_name(r), stasis_strerror(r));
}

void sts_next_(struct stasis_session *session, pid_t pid, struct stasis_event *ev, const char *file, int line)
{
	wait_or_fail(session, pid, "an event", ev, file, line);
}

void sts_expect_(struct stasis_session *session, pid_t pid, enum stasis_event_kind kind, struct stasis_event *ev,
		 const char *file, int line)
{
	struct stasis_event got;
	char text[256];

	wait_or_fail(session, pid, stasis_event_kind_name(kind), &got, file, line);
	if (got.kind != kind)
		atf_tc_fail("%s:%d: waited for %s, got %s", file, line, stasis_event_kind_name(kind),
			    sts_event_text(&got, text, sizeof(text)));
	if (ev != NULL)
		*ev = got;
}

void sts_expect_exit_(struct stasis_session *session, pid_t pid, int status, const char *file, int line)
{
	struct stasis_event ev;

	sts_expect_(session, pid, STASIS_EVENT_EXITED, &ev, file, line);
	if (ev.pid != pid || !WIFEXITED(ev.data.exit.status) || WEXITSTATUS(ev.data.exit.status) != status)
		atf_tc_fail("%s:%d: %d ended with wait status %#x, not by exit(%d)", file, line, (int)ev.pid,
			    (unsigned)ev.data.exit.status, status);
}

void sts_expect_quiet_(struct stasis_session *session, const char *file, int line)
{
	struct stasis_event ev;
	char text[256];
	int r = stasis_wait(session, 0, 0, &ev);

	if (r == 0)
		atf_tc_fail("%s:%d: no event was due, got %s", file, line, sts_event_text(&ev, text, sizeof(text)));
	if (r != STASIS_E_TIMEOUT && r != STASIS_E_NO_TRACEE)
		atf_tc_fail("%s:%d: stasis_wait: %s", file, line, stasis_strerror(r));
}

void sts_resume(struct stasis_session *session, pid_t pid)
{
	STS_OK_S(session, stasis_resume(session, pid, NULL, 0));
}

void sts_want(struct stasis_session *session, pid_t pid, uint64_t all_stop)
{
	const struct stasis_event_mask mask = {.all_stop = all_stop};

	STS_OK_S(session, stasis_event_mask_set(session, pid, &mask));
}

void sts_attach(struct stasis_session *session, pid_t pid)
{
	STS_OK_S(session, stasis_attach(session, pid));
	sts_expect_event_of(session, pid, STASIS_EVENT_ATTACHED, NULL);
}

pid_t sts_launch_argv(struct stasis_session *session, const char *const argv[])
{
	const char *path = sts_target_path(argv[0]);
	struct stasis_spawn_opts opts = {.size = sizeof(opts), .path = path, .argv = (char *const *)argv};
	pid_t pid = 0;

	STS_OK_S(session, stasis_spawn(session, &opts, &pid));
	sts_expect_event_of(session, pid, STASIS_EVENT_ATTACHED, NULL);
	return pid;
}
