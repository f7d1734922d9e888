// SPDX-License-Identifier: BSD-2-Clause
/*
 * A program with a seccomp filter of its own: getppid is left to a tracer that
 * it does not have, getuid is refused. Its exit status is the line of the first
 * answer that is wrong, 0 if all are right.
 */
#include "shared.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define IF_CALL(number_, answer_)                                                                                      \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number_, 0, 1), BPF_STMT(BPF_RET | BPF_K, answer_)

int main(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		IF_CALL(SYS_getppid, SECCOMP_RET_TRACE | 7),
		IF_CALL(SYS_getuid, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof insns / sizeof insns[0], insns};

	if (syscall(SYS_getppid) <= 0)
		return __LINE__;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return __LINE__;
	if (syscall(SYS_getppid) != -1 || errno != ENOSYS)
		return __LINE__;
	if (syscall(SYS_getuid) != -1 || errno != EXDEV)
		return __LINE__;
	if (syscall(SYS_getpid) != getpid())
		return __LINE__;
	return 0;
}
