// SPDX-License-Identifier: BSD-2-Clause
/* Signals: raised, sent, masked, ignored, passed, replaced, crashed into. */
#include "nb.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysctl.h>

static volatile sig_atomic_t seen_signal, seen_value;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	seen_signal = signal;
	seen_value = info->si_value.sival_int;
}

static void handle(int signal)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	sigaction(signal, &action, NULL);
}

/* --- raised ------------------------------------------------------------------------------- */

static int raises(void *arg)
{
	handle(*(int *)arg);
	NB_CHILD(raise(*(int *)arg) == 0);
	return seen_signal;
}

static const int some_signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,	SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE,
				   SIGCHLD, SIGTSTP, SIGTTIN, SIGWINCH, SIGURG,	 SIGIO,	  SIGTRAP, SIGINFO};
#define N_SIGNALS (sizeof some_signals / sizeof *some_signals)

STS_TC(raised_dropped, 30, "a raised signal is reported, and not delivered unless asked for")
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		int signal = some_signals[i];
		pid_t pid = nb_volunteer(raises, &signal);

		nb_continue(pid, 0);
		nb_stopped(pid, signal);
		struct ptrace_siginfo info = nb_siginfo(pid);
		ATF_REQUIRE_EQ(info.psi_siginfo.si_code, SI_LWP);
		ATF_REQUIRE_EQ(info.psi_siginfo.si_pid, pid);
		nb_state_none(pid);
		nb_continue(pid, 0);
		nb_exited(pid, 0);
	}
	nb_end();
}

STS_TC(raised_delivered, 30, "the signal given to PT_CONTINUE is delivered")
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		int signal = some_signals[i];
		pid_t pid = nb_volunteer(raises, &signal);

		nb_continue(pid, 0);
		nb_stopped(pid, signal);
		nb_continue(pid, signal);
		nb_exited(pid, signal);
	}
	nb_end();
}

static int raises_catching_two(void *arg)
{
	handle(SIGUSR1);
	handle(SIGUSR2);
	raise(SIGUSR1);
	return seen_signal;
}

STS_TC(replaced, 20, "another signal than the one that stopped it")
{
	pid_t pid = nb_volunteer(raises_catching_two, NULL);

	nb_continue(pid, 0);
	nb_stopped(pid, SIGUSR1);
	nb_continue(pid, SIGUSR2);
	nb_exited(pid, SIGUSR2);
	nb_end();
}

STS_TC(killed_by, 20, "a fatal signal given to PT_CONTINUE kills")
{
	pid_t pid = nb_volunteer(raises_catching_two, NULL);

	nb_continue(pid, SIGTERM);
	nb_killed(pid, SIGTERM);
	nb_end();
}

/* --- masked, ignored -------------------------------------------------------------------------- */

static int raises_masked(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	raise(SIGUSR2);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 8;
}

STS_TC(masked, 20, "a blocked signal is reported when it is unblocked")
{
	pid_t pid = nb_volunteer(raises_masked, NULL);

	nb_continue(pid, 0);
	nb_stopped(pid, SIGUSR2);
	nb_continue(pid, 0);
	nb_stopped(pid, SIGUSR1);
	nb_continue(pid, 0);
	nb_exited(pid, 8);
	nb_end();
}

static int raises_ignored(void *arg)
{
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	return 8;
}

STS_TC(ignored, 20, "an ignored signal is reported")
{
	pid_t pid = nb_volunteer(raises_ignored, NULL);

	nb_continue(pid, 0);
	nb_stopped(pid, SIGUSR1);
	nb_continue(pid, SIGUSR1);
	nb_exited(pid, 8);
	nb_end();
}

/* --- sent --------------------------------------------------------------------------------------- */

/* SIGUSR1 is handled and blocked before it stops itself, so that it cannot come too early. */
static pid_t awaiting(int (*body)(void *))
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	STS_SYS(sigprocmask(SIG_BLOCK, &set, &old));
	handle(SIGUSR1);
	pid_t pid = nb_volunteer(body, &old);
	signal(SIGUSR1, SIG_DFL);
	STS_SYS(sigprocmask(SIG_SETMASK, &old, NULL));
	return pid;
}

static int awaits_signal(void *arg)
{
	const sigset_t old = *(sigset_t *)arg;

	while (!seen_signal)
		sigsuspend(&old);
	return seen_value;
}

STS_TC(sent, 20, "a sent signal says who sent it")
{
	pid_t pid = awaiting(awaits_signal);

	nb_continue(pid, 0);
	STS_SYS(kill(pid, SIGUSR1));
	nb_stopped(pid, SIGUSR1);
	struct ptrace_siginfo info = nb_siginfo(pid);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_code, SI_USER);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_pid, getpid());
	ATF_REQUIRE_EQ(info.psi_siginfo.si_uid, getuid());
	NB_OK(ptrace(PT_KILL, pid, NULL, 0));
	nb_killed(pid, SIGKILL);
	nb_end();
}

STS_TC(queued, 20, "a queued value is shown and delivered")
{
	pid_t pid = awaiting(awaits_signal);

	nb_continue(pid, 0);
	STS_SYS(sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 77}));
	nb_stopped(pid, SIGUSR1);
	ATF_REQUIRE_EQ(nb_siginfo(pid).psi_siginfo.si_code, SI_QUEUE);
	ATF_REQUIRE_EQ(nb_siginfo(pid).psi_siginfo.si_value.sival_int, 77);
	nb_continue(pid, SIGUSR1);
	nb_exited(pid, 77);
	nb_end();
}

STS_TC(siginfo_set, 20, "PT_SET_SIGINFO: what is read back, and what is delivered")
{
	pid_t pid = awaiting(awaits_signal);

	nb_continue(pid, 0);
	STS_SYS(sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 77}));
	nb_stopped(pid, SIGUSR1);
	struct ptrace_siginfo info = nb_siginfo(pid);
	info.psi_siginfo.si_value.sival_int = 78;
	NB_OK(ptrace(PT_SET_SIGINFO, pid, &info, sizeof info));
	ATF_REQUIRE_EQ(nb_siginfo(pid).psi_siginfo.si_value.sival_int, 78);
	info.psi_siginfo.si_signo = -1;
	NB_FAILS(EINVAL, ptrace(PT_SET_SIGINFO, pid, &info, sizeof info));
	nb_continue(pid, SIGUSR1);
	nb_exited(pid, 78);
	nb_end();
}

STS_TC(pass, 20, "PT_SET_SIGPASS: the set is read back, its signals are delivered without a stop")
{
	sigset_t set, got;
	pid_t pid = nb_volunteer(raises, &(int){SIGUSR1});

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	NB_OK(ptrace(PT_SET_SIGPASS, pid, &set, sizeof set));
	NB_OK(ptrace(PT_GET_SIGPASS, pid, &got, sizeof got));
	for (int signal = 1; signal < NSIG; signal++)
		ATF_REQUIRE_EQ(sigismember(&got, signal) == 1, signal == SIGUSR1);
	nb_continue(pid, 0);
	nb_exited(pid, SIGUSR1);
	nb_end();
}

/* --- crashed into -------------------------------------------------------------------------------------- */

static int *volatile nowhere;
static volatile int zero;

static void crash_fault(void)
{
	*nowhere = 1;
}

static void crash_readonly(void)
{
	int *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*(volatile int *)page = 1;
}

static void crash_bus(void)
{
	char name[] = "bus.XXXXXX";
	int fd = mkstemp(name);
	volatile int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	unlink(name);
	*page = 1; /* beyond the end of the file */
}

static void crash_illegal(void)
{
	__asm__ volatile("ud2");
}

static void crash_privileged(void)
{
	__asm__ volatile("hlt");
}

static void crash_divide(void)
{
	__asm__ volatile("idivl %0" : : "m"(zero), "a"(1), "d"(0));
}

static void crash_trap(void)
{
	PTRACE_BREAKPOINT_ASM;
}

static void crash_jump(void)
{
	((void (*)(void))0x10)();
}

static void crash_no_code(void)
{
	static char page[8192];
	uintptr_t at = ((uintptr_t)page + 4095) & ~(uintptr_t)4095;

	((void (*)(void))at)();
}

static void crash_no_address(void)
{
	*(volatile int *)0x8000000000000000 = 1;
}

static void crash_overflow(void)
{
	__asm__ volatile("idivl %0" : : "r"(-1), "a"(INT_MIN), "d"(-1));
}

static void crash_sse(void)
{
	const unsigned all = 0; /* no exception is masked */
	double one = 1;

	__asm__ volatile("ldmxcsr %1\n\tdivsd %2, %0" : "+x"(one) : "m"(all), "x"(0.0));
}

static void crash_x87(void)
{
	const unsigned short all = 0x340;

	__asm__ volatile("fldcw %0\n\tfldz\n\tfld1\n\tfdiv %%st(1), %%st\n\tfwait" : : "m"(all) : "st", "st(1)");
}

static void crash_alignment(void)
{
	long words[2] = {0};

	__asm__ volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq\n\tmovl $1, 1(%0)" : : "r"(words) : "memory", "cc");
}

static void crash_software_interrupt(void)
{
	__asm__ volatile("int $4");
}

static const struct crash {
	void (*crash)(void);
	int signal, code;
	bool goes_on; /* the instruction is not met again */
} crashes[] = {
	{crash_fault, SIGSEGV, SEGV_MAPERR},
	{crash_readonly, SIGSEGV, SEGV_ACCERR},
	{crash_bus, SIGBUS, BUS_ADRERR},
	{crash_illegal, SIGILL, ILL_ILLOPN},
	{crash_privileged, SIGSEGV, 0x80 /* of the kernel, no address */},
	{crash_divide, SIGFPE, FPE_INTDIV},
	{crash_jump, SIGSEGV, SEGV_MAPERR},
	{crash_no_code, SIGSEGV, SEGV_ACCERR},
	{crash_no_address, SIGSEGV, 0x80},
	{crash_overflow, SIGFPE, FPE_INTDIV},
	{crash_sse, SIGFPE, FPE_FLTDIV},
	{crash_x87, SIGFPE, FPE_FLTDIV},
	{crash_alignment, SIGBUS, BUS_ADRALN},
	{crash_software_interrupt, SIGSEGV, 0x80, true},
	{crash_trap, SIGTRAP, TRAP_BRKPT, true},
};
#define N_CRASHES (sizeof crashes / sizeof *crashes)

enum attitude { PLAIN, MASKED, IGNORED };

static enum attitude attitude;
static bool stops_before;

static int runs_crash(void *arg)
{
	const struct crash *c = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, c->signal);
	if (attitude == MASKED)
		sigprocmask(SIG_BLOCK, &set, NULL);
	else if (attitude == IGNORED)
		signal(c->signal, SIG_IGN);
	if (stops_before)
		raise(SIGSTOP);
	c->crash();
	return 44;
}

static void crash_all(void)
{
	for (size_t i = 0; i < N_CRASHES; i++) {
		const struct crash *c = &crashes[i];
		pid_t pid = nb_volunteer(runs_crash, (void *)c);

		nb_continue(pid, 0);
		nb_stopped(pid, c->signal);
		struct ptrace_siginfo info = nb_siginfo(pid);
		ATF_REQUIRE_EQ_MSG(info.psi_siginfo.si_code, c->code, "crash %zu: code %d", i,
				   info.psi_siginfo.si_code);
		nb_state_none(pid);
		if (c->goes_on) {
			nb_continue(pid, 0);
			nb_exited(pid, 44);
			continue;
		}
		nb_continue(pid, 0); /* it is met again */
		nb_stopped(pid, c->signal);
		NB_OK(ptrace(PT_KILL, pid, NULL, 0));
		nb_killed(pid, SIGKILL);
	}
	nb_end();
}

STS_TC(crash, 30, "crashes of each kind, with their codes")
{
	crash_all();
}

STS_TC(crash_masked, 30, "crashes whose signal is blocked")
{
	attitude = MASKED;
	crash_all();
}

STS_TC(crash_ignored, 30, "crashes whose signal is ignored")
{
	attitude = IGNORED;
	crash_all();
}

static struct kinfo_proc2 process(pid_t pid)
{
	struct kinfo_proc2 p;
	int name[] = {CTL_KERN, KERN_PROC2, KERN_PROC_PID, pid, sizeof p, 1};
	size_t size = sizeof p;

	NB_OK(sysctl(name, __arraycount(name), &p, &size, NULL, 0));
	ATF_REQUIRE_EQ(size, sizeof p);
	return p;
}

static void check_kept(pid_t pid, const struct kinfo_proc2 *before, size_t crash)
{
	const struct kinfo_proc2 now = process(pid);

	ATF_REQUIRE_EQ_MSG(memcmp(&now.p_sigmask, &before->p_sigmask, sizeof now.p_sigmask), 0, "crash %zu: mask",
			   crash);
	ATF_REQUIRE_EQ_MSG(memcmp(&now.p_sigignore, &before->p_sigignore, sizeof now.p_sigignore), 0,
			   "crash %zu: ignored signals", crash);
}

/* Seen by the tracer between its setting up and its crash, it keeps what it set up. */
static void crash_all_kept(enum attitude how)
{
	attitude = how;
	stops_before = true;
	for (size_t i = 0; i < N_CRASHES; i++) {
		const struct crash *c = &crashes[i];
		pid_t pid = nb_volunteer(runs_crash, (void *)c);

		nb_continue(pid, 0);
		nb_stopped(pid, SIGSTOP);
		const struct kinfo_proc2 before = process(pid);
		nb_continue(pid, 0);
		nb_stopped(pid, c->signal);
		ATF_REQUIRE_EQ(nb_siginfo(pid).psi_siginfo.si_code, c->code);
		check_kept(pid, &before, i);
		if (!c->goes_on) {
			nb_continue(pid, 0);
			nb_stopped(pid, c->signal);
			check_kept(pid, &before, i);
		}
		nb_continue(pid, c->signal);
		nb_killed(pid, c->signal);
	}
	nb_end();
}

STS_TC(crash_masked_kept, 60, "crashes leave their signal blocked, and kill if it is delivered")
{
	crash_all_kept(MASKED);
}

STS_TC(crash_ignored_kept, 60, "crashes leave their signal ignored, and kill if it is delivered")
{
	crash_all_kept(IGNORED);
}

static int spins(void *arg)
{
	for (;;)
		;
	return 0;
}

STS_TC(kill_stopping, 30, "after PT_KILL only the end is told, also if a stop was about to be")
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = nb_volunteer(spins, NULL);

		nb_continue(pid, 0);
		NB_OK(ptrace(PT_STOP, pid, NULL, 0));
		if (i % 2)
			sts_await_state(pid, pid, "t");
		NB_OK(ptrace(PT_KILL, pid, NULL, 0));
		nb_killed(pid, SIGKILL);
	}
	nb_end();
}

STS_TC(crash_delivered, 20, "a crash whose signal is delivered kills")
{
	pid_t pid = nb_volunteer(runs_crash, (void *)&crashes[0]);

	nb_continue(pid, 0);
	nb_stopped(pid, SIGSEGV);
	ATF_REQUIRE_EQ(nb_siginfo(pid).psi_siginfo.si_addr, NULL);
	nb_continue(pid, SIGSEGV);
	nb_killed(pid, SIGSEGV);
	nb_end();
}
