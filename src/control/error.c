/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of error codes: what each is called, which errno comes closest and
 * what it says to a person. A code of error.h without a line here fails
 * tests/unit/error_test.
 */
#include <errno.h>
#include <stasis/error.h>
#include <string.h>

struct code {
	int code;
	int sys_errno;
	const char *name;
	const char *text;
};

/* clang-format off */
#define CODE(name_, errno_, text_) {STASIS_E_##name_, errno_, "STASIS_E_" #name_, text_}
/* clang-format on */

static const struct code codes[] = {
	CODE(GONE, ESRCH, "The process or LWP is dying or dead"),
	CODE(NO_PROCESS, ESRCH, "No such process"),
	CODE(NOT_TRACED, ESRCH, "The process is not a tracee of this session"),
	CODE(TRACED_ELSEWHERE, EBUSY, "Another process traces it already"),
	CODE(ALREADY_TRACED, EALREADY, "This session traces it already"),
	CODE(RUNNING, EBUSY, "The tracee must be stopped for this"),
	CODE(BAD_LWP, ESRCH, "The tracee has no such LWP"),
	CODE(ALL_SUSPENDED, EDEADLK, "Every LWP of the tracee is suspended"),
	CODE(BAD_ADDRESS, EFAULT, "The address is not mapped as the request needs it"),
	CODE(MID_EXEC, EBUSY, "The tracee is in the middle of an exec"),
	CODE(WRONG_THREAD, EPERM, "The session may not be used from this thread or process"),
	CODE(TIMEOUT, ETIMEDOUT, "No event came in time"),
	CODE(NO_TRACEE, ECHILD, "The session has no tracee and no event left"),
	CODE(INTERRUPTED, EINTR, "The wait was interrupted"),
	CODE(NO_DEBUG_REGISTER, ENOSPC, "No debug register is free or fits the request"),
	CODE(EXISTS, EEXIST, "A breakpoint or watchpoint stands there already"),
	CODE(NO_BREAKPOINT, ENOENT, "No breakpoint or watchpoint stands there"),
	CODE(UNSUPPORTED, EOPNOTSUPP, "The kernel or the CPU has no such facility"),
	CODE(BAD_STATE, EINVAL, "The request makes no sense in the tracee's present state"),
	CODE(BAD_ARGUMENT, EINVAL, "An argument is out of range"),
	CODE(FILTERED, EBUSY, "The tracee runs under a filter that needs its tracer"),
	CODE(TRACER_DEAD, EOWNERDEAD, "The session's helper task was killed"),
	CODE(PERM, EPERM, "The kernel does not permit it, for a reason unknown"),
	CODE(PERM_YAMA, EPERM, "Yama's ptrace_scope forbids it"),
	CODE(PERM_CREDENTIALS, EPERM, "The process belongs to another user or has more capabilities"),
	CODE(PERM_NAMESPACE, EPERM, "The process lives in a user namespace without CAP_SYS_PTRACE for the caller"),
	CODE(PERM_DUMPABLE, EPERM, "The process is not dumpable"),
	CODE(PERM_SECCOMP, EPERM, "A seccomp filter on the caller denies ptrace"),
	CODE(PERM_SELF, EPERM, "The process is, or traces, the caller itself"),
	CODE(KERNEL_THREAD, EPERM, "It is a kernel thread"),
	CODE(ZOMBIE, ESRCH, "The process has exited and waits for its parent to collect it"),
	CODE(PERM_LSM, EPERM, "A security module denies it"),
	CODE(NOT_EXECUTABLE, ENOEXEC, "The file is no program this kernel can run"),
	CODE(WRONG_MACHINE, ENOEXEC, "The program is for another machine"),
};

static const struct code *code_find(int error)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == error)
			return &codes[i];
	return NULL;
}

/* Of errno values; -errno itself may be INT_MIN, so no negation before the range is known. */
static bool is_errno(int error)
{
	return error < 0 && error >= -4095;
}

const char *stasis_strerror(int error)
{
	const struct code *c = code_find(error);
	const char *text;

	if (c != NULL)
		return c->text;
	if (error >= 0)
		return "Success";
	/* Not strerror(): that one translates, and may write to a buffer that other threads share. */
	text = is_errno(error) ? strerrordesc_np(-error) : NULL;
	return text != NULL ? text : "Unknown error";
}

const char *stasis_error_name(int error)
{
	const struct code *c = code_find(error);
	const char *name;

	if (c != NULL)
		return c->name;
	if (error >= 0)
		return "OK";
	name = is_errno(error) ? strerrorname_np(-error) : NULL;
	return name != NULL ? name : "UNKNOWN";
}

int stasis_error_errno(int error)
{
	const struct code *c = code_find(error);

	if (c != NULL)
		return c->sys_errno;
	if (error >= 0)
		return 0;
	return is_errno(error) ? -error : EINVAL;
}
