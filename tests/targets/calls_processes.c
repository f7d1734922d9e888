// SPDX-License-Identifier: BSD-2-Clause
/* System calls on processes, memory, signals, time and more, for the decoder's comparison with strace. */
#include "calls.h"

#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

static void memory(void)
{
	char *p = mmap(NULL, 0x4000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned char in[4];

	mprotect(p, 0x1000, PROT_READ | PROT_WRITE);
	mprotect(p, 0, PROT_READ | 0x40);
	madvise(p, 0x1000, MADV_DONTNEED);
	madvise(p, 0x1000, 999);
	msync(p, 0x1000, MS_SYNC | MS_INVALIDATE);
	mincore(p + 0x1000, 0x1000, in);
	mlock(p, 0);
	munlock(p, 0);
	syscall(SYS_mlock2, p, 0, 1);
	mlockall(0);
	mremap(p, 0x4000, 0x2000, 0);
	mremap(p, 0x2000, 0x3000, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x1001);
	munmap(p, 0x2000);
	mmap((void *)0x1001, 5, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_LOCKED | MAP_POPULATE, -1, 0);
	mmap(NULL, 0x1000, PROT_READ, 0x7000000, -1, 0x3000);
	syscall(SYS_pkey_mprotect, p, 0, PROT_READ, -1);
	syscall(SYS_remap_file_pages, p, 5, 0, 0, 0);
	syscall(SYS_brk, 0);
	syscall(SYS_membarrier, 0, 0, 0);
	close((int)syscall(SYS_memfd_create, "name", 1 | 2));
	syscall(SYS_getrandom, NULL, 0, 1 | 2);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void signals(void)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NODEFER}, old;
	sigset_t set, old_set;
	stack_t stack = {.ss_flags = SS_DISABLE};
	siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
	struct timespec none = {0, 0};

	sigemptyset(&act.sa_mask);
	sigaddset(&act.sa_mask, SIGHUP);
	sigaddset(&act.sa_mask, 40);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGUSR1, NULL, &old);
	act.sa_handler = SIG_IGN;
	act.sa_flags = SA_ONSTACK | SA_SIGINFO | SA_NOCLDSTOP | SA_NOCLDWAIT | (int)SA_RESETHAND;
	sigaction(SIGUSR2, &act, &old);
	sigaction(SIGKILL, &act, &old);
	sigfillset(&set);
	sigdelset(&set, SIGCHLD);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old_set, 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old_set, NULL, 8);
	syscall(SYS_rt_sigprocmask, 7, NULL, &old_set, 8);
	syscall(SYS_rt_sigpending, &set, 8);
	syscall(SYS_sigaltstack, &stack, &stack);
	kill(getpid(), 0);
	kill(0x7fffffff, SIGTERM);
	syscall(SYS_tgkill, 0x7fffffff, 0x7fffffff, 33);
	raise(SIGUSR1);
	syscall(SYS_rt_sigqueueinfo, 0x7fffffff, SIGUSR1, &info);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
	raise(SIGUSR1);
	syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8);
	syscall(SYS_rt_sigtimedwait, &set, NULL, &none, 8);
	alarm(0);
}

static void births(void)
{
	struct rusage usage;
	int status;
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(3);
	syscall(SYS_waitid, P_PID, pid, NULL, WEXITED | WNOWAIT, NULL);
	syscall(SYS_wait4, pid, &status, 0, &usage);
	pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	syscall(SYS_wait4, pid, &status, WNOHANG, NULL);
	kill(pid, SIGKILL);
	syscall(SYS_wait4, -1, &status, WUNTRACED | WCONTINUED, NULL);
	syscall(SYS_wait4, -1, &status, __WALL, NULL);
	syscall(SYS_waitid, P_ALL, 0, NULL, WEXITED, NULL);
	syscall(SYS_clone, 0xffffff00, 0, 0, 0, 0);
	uint64_t args[8] = {CLONE_VM | CLONE_SIGHAND | CLONE_SETTLS, 0, 0, 0, 99};
	syscall(435, args, sizeof args);
	syscall(435, NULL, 64);
	unshare(0);
	setns(-1, CLONE_NEWNET);
	execve("/does/not/exist", (char *[]){"a", "b \001", NULL}, (char *[]){"x=y", NULL});
	execve("/does/not/exist", NULL, NULL);
	syscall(SYS_execveat, -1, "none", (char *[]){NULL}, (char *[]){NULL}, AT_EMPTY_PATH);
}

static void limits(void)
{
	struct rlimit limit;
	struct rusage usage;
	struct sysinfo info;
	struct utsname name;
	struct tms times_now;
	cpu_set_t cpus;
	struct sched_param param = {5};

	getrlimit(RLIMIT_CORE, &limit);
	setrlimit(99, &limit);
	syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, (uint64_t[2]){0});
	syscall(SYS_prlimit64, 0, 77, (uint64_t[2]){4096, UINT64_MAX}, NULL);
	getrusage(99, &usage);
	uname(&name);
	sysinfo((void *)8);
	sysinfo(&info);
	times(&times_now);
	getpriority(PRIO_PROCESS, 0);
	setpriority(PRIO_USER, 99999999, 5);
	sched_yield();
	syscall(SYS_sched_getscheduler, 0);
	syscall(SYS_sched_getparam, 0, &param);
	syscall(SYS_sched_setscheduler, 0x7fffffff, SCHED_FIFO | 0x40000000, &param);
	sched_get_priority_max(SCHED_RR);
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	CPU_SET(3, &cpus);
	syscall(SYS_sched_setaffinity, 0x7fffffff, 8, &cpus);
	syscall(SYS_ioprio_get, 1, 0);
	syscall(SYS_ioprio_set, 1, 0x7fffffff, 2 << 13 | 4);
	syscall(SYS_personality, 0xffffffff);
	syscall(SYS_getpgid, 0);
	syscall(SYS_setpgid, 0x7fffffff, 0);
	getuid();
	geteuid();
	setreuid(-1, -1);
	setresgid(-1, -1, -1);
	getresuid(&(uid_t){0}, &(uid_t){0}, &(uid_t){0});
	getgroups(0, NULL);
}

static void control(void)
{
	char name[16];
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{1, 3, 0}, {0, 0, 0}};
	int n;

	prctl(PR_SET_NAME, "a name for this thread");
	prctl(PR_GET_NAME, name);
	prctl(PR_SET_PDEATHSIG, SIGHUP);
	prctl(PR_GET_PDEATHSIG, &n);
	prctl(PR_SET_PDEATHSIG, 0);
	prctl(PR_GET_DUMPABLE);
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN);
	prctl(PR_GET_KEEPCAPS);
	prctl(PR_GET_SECCOMP);
	prctl(PR_GET_SECUREBITS);
	prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0);
	prctl(12345, 1, 2, 3, 4);
	syscall(SYS_capget, &head, NULL);
	head.pid = 0x7fffffff;
	syscall(SYS_capset, &head, data);
	syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &(uint32_t){SECCOMP_RET_ALLOW});
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1, NULL);
	syscall(SYS_ptrace, PTRACE_ATTACH, 0x7fffffff, NULL, NULL);
	syscall(SYS_ptrace, PTRACE_CONT, 0x7fffffff, NULL, SIGTERM);
	syscall(SYS_ptrace, PTRACE_SEIZE, 0x7fffffff, NULL, 1 | 2);
	syscall(SYS_kcmp, 0x7fffffff, 0x7fffffff, 0, 1, 2);
}

static void locking(void)
{
	uint32_t word = 5;
	struct timespec ts = {0, 1000};

	syscall(SYS_futex, &word, FUTEX_WAIT, 4, NULL);
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &ts);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
	syscall(SYS_futex, &word, FUTEX_WAKE, 0x7fffffff);
	syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 4, &ts, NULL, -1);
	syscall(SYS_futex, &word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 3);
	syscall(SYS_futex, &word, FUTEX_REQUEUE, 1, 2, &word);
	syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, &word, 9);
	syscall(SYS_futex, &word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &word, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GT, 1));
	syscall(SYS_futex, &word, FUTEX_UNLOCK_PI);
	syscall(SYS_futex, &word, 99, 1, 2, 3, 4);
	syscall(SYS_set_robust_list, NULL, 5);
}

static void clocks(void)
{
	struct timespec ts = {0, 1};
	struct timeval tv;
	struct itimerval it = {{0, 0}, {0, 0}};
	timer_t timer;

	syscall(SYS_nanosleep, &ts, NULL);
	syscall(SYS_nanosleep, &ts, &ts);
	syscall(SYS_nanosleep, NULL, &ts);
	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	syscall(SYS_clock_nanosleep, 99, 0, &ts, &ts);
	syscall(SYS_clock_getres, CLOCK_REALTIME, &ts);
	syscall(SYS_clock_gettime, 77, &ts);
	syscall(SYS_clock_settime, -1, &(struct timespec){1, 2});
	syscall(SYS_gettimeofday, &tv, (void *)8);
	syscall(SYS_setitimer, ITIMER_REAL, &it, &it);
	syscall(SYS_getitimer, ITIMER_PROF, &it);
	syscall(SYS_timer_create, CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &timer);
	syscall(SYS_timer_delete, 12345);
}

static void objects(void)
{
	int id = 5;

	shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600);
	shmctl(-1, IPC_RMID, NULL);
	shmctl(-1, SHM_LOCK, NULL);
	shmctl(-1, 13 /* SHM_STAT */, NULL);
	semctl(-1, 2, GETVAL, NULL);
	semctl(-1, 2, SETALL, NULL);
	msgctl(-1, 11 /* MSG_STAT */, NULL);
	shmget(IPC_PRIVATE, 0, IPC_CREAT | SHM_HUGETLB | 21 << 26 | 0600);
	semget(5, -1, IPC_CREAT | IPC_EXCL | 0640);
	shmget(0x1234, 1, 0);
	shmat(-1, NULL, SHM_RDONLY);
	shmdt((void *)8);
	semget(0x4321, 1, IPC_EXCL | 0400);
	msgget(0x4321, 0600);
	syscall(SYS_msgrcv, -1, &id, 4, 0L, IPC_NOWAIT);
	syscall(SYS_mount, "source", "/no/target", "tmpfs", MS_RDONLY | MS_NOSUID | MS_BIND, "data=1");
	syscall(SYS_mount, NULL, "/no/target", NULL, MS_REC | MS_PRIVATE, NULL);
	syscall(SYS_umount2, "/no/target", MNT_DETACH | UMOUNT_NOFOLLOW);
	syscall(SYS_swapon, "/none", 0x8001);
	syscall(SYS_pivot_root, "/none", "/none");
	syscall(SYS_sethostname, (char[80]){"name"}, 65);
	syscall(SYS_reboot, 1, 2, 0x1234567, 0);
	syscall(SYS_init_module, NULL, 0, "");
	syscall(SYS_delete_module, "none", O_NONBLOCK);
	syscall(SYS_perf_event_open, NULL, 0, -1, -1, 8);
	syscall(SYS_bpf, 999, NULL, 0);
	syscall(SYS_add_key, "user", "d", "payload", 7, 0);
	syscall(SYS_pidfd_open, 0x7fffffff, 0);
	syscall(SYS_io_setup, 0, NULL);
	syscall(SYS_quotactl, 0x80000100, "/none", 0, NULL);
	syscall(428, AT_FDCWD, "/none", 1);
	syscall(430, "nofs", 1);
	syscall(442, AT_FDCWD, "/none", AT_RECURSIVE, NULL, 0);
	syscall(444, NULL, 0, 1);
}

void calls_processes(void)
{
	memory();
	signals();
	births();
	limits();
	control();
	locking();
	clocks();
	objects();
	/* Numbers nobody has given a meaning. */
	syscall(999, 1, 2, 3, 4, 5, 6);
	syscall(335 + 600, 0, -1, 1, 0, 0, 0);
}
