// SPDX-License-Identifier: BSD-2-Clause
/* Makes every system call there might be, all of them but exit_group under a filter that keeps the kernel from running
   them: what a tracer's sets of calls hold can be seen. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <errno.h>
#include <unistd.h>

static void forbid_all(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
		_exit(77);
}

/* What the kernel puts into probed programs: called from elsewhere it is a SIGILL, filter or not. */
static int is_probe(long n)
{
	return sizeof n == 8 && (n == 335 || n == 336);
}

int main(void)
{
	forbid_all();
	for (long n = 0; n < 600; n++)
		if (n != SYS_exit_group && !is_probe(n))
			syscall(n, 0L, 0L, 0L, 0L, 0L, 0L);
	syscall(SYS_exit_group, 0);
	return 1;
}
