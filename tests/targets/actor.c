// SPDX-License-Identifier: BSD-2-Clause
/*
 * Does what its case tells it, one command at a time, and reports facts about
 * itself through the shared counters (actor.h).
 *
 *	target-actor PIPE [child N]
 *
 * A command is a step of at most 31 characters: a word and up to two arguments;
 * "done" is answered when it has been carried out, the result being in counter
 * ACTOR_RESULT. As "child N" it ends at once with status N.
 */
#include "actor.h"
#include "actor_insns.h"
#include "shared.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef SYS_rt_sigprocmask
#error "this libc names no system calls"
#endif

extern char **environ;

static struct sts_shared *sh;
static struct sts_target_pipe pipes;
static char self[PATH_MAX];
static char index_text[16];
static pid_t first_pid;

static void set(unsigned i, uint64_t value)
{
	atomic_store(&sh->counter[i], value);
}

static uint64_t get(unsigned i)
{
	return atomic_load(&sh->counter[i]);
}

static void add(unsigned i)
{
	atomic_fetch_add(&sh->counter[i], 1);
}

static pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void hold(void)
{
	const struct timespec little = {0, 1000000};

	while (get(ACTOR_GO) == 0)
		nanosleep(&little, NULL);
}

/* ---- what breakpoints and watchpoints are set on ---- */

__attribute__((noinline, noclone)) static void actor_function(unsigned counter)
{
	add(counter);
	__asm__ volatile("" ::: "memory");
}

/* Counts by one instruction, which a breakpoint on it cannot pass by emulation. */
void actor_stepped(_Atomic uint64_t *counter);
extern const char actor_stepped_at[];
__asm__(".text\n"
	"actor_stepped:\n\t"
#if defined(__x86_64__)
	"actor_stepped_at: lock incq (%rdi)\n\t"
#else
	"mov 4(%esp), %eax\n"
	"actor_stepped_at: lock incl (%eax)\n\t"
#endif
	"ret");

/* With pauses of different lengths, so that threads come by while others are stepped. */
static void call_stepped(unsigned n)
{
	unsigned random = (unsigned)own_tid();

	while (n-- > 0) {
		random = random * 1103515245 + 12345;
		for (volatile unsigned i = random >> 18; i > 0; i--)
			;
		actor_stepped(&sh->counter[ACTOR_CALLS]);
	}
}

static volatile uint64_t actor_variable __attribute__((aligned(64)));

static unsigned calls_counter(void)
{
	return (pid_t)syscall(SYS_getpid) == first_pid ? ACTOR_CALLS : ACTOR_CHILD_CALLS;
}

static void call(unsigned n)
{
	while (n-- > 0)
		actor_function(calls_counter());
}

/* ---- threads ---- */

static struct {
	pthread_t thread[ACTOR_MAX_THREADS];
	unsigned n;
	_Atomic unsigned stop, started;
	_Atomic unsigned job, job_calls, job_done;
	_Atomic int job_stepped;
	bool idle;
} crew;

static void *spin(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg, job = atomic_load(&crew.job);

	set(ACTOR_TID + n, (uint64_t)own_tid());
	atomic_fetch_add(&crew.started, 1);
	while (!atomic_load_explicit(&crew.stop, memory_order_relaxed)) {
		atomic_fetch_add_explicit(&sh->counter[ACTOR_SPIN + n], 1, memory_order_relaxed);
		if (crew.idle)
			sched_yield();
		if (atomic_load_explicit(&crew.job, memory_order_relaxed) == job)
			continue;
		job = atomic_load(&crew.job);
		if (atomic_load(&crew.job_stepped))
			call_stepped(atomic_load(&crew.job_calls));
		else
			call(atomic_load(&crew.job_calls));
		atomic_fetch_add(&crew.job_done, 1);
	}
	add(ACTOR_LEFT);
	return NULL;
}

static void threads(unsigned n)
{
	atomic_store(&crew.stop, 0);
	for (unsigned i = 0; i < n && crew.n < ACTOR_MAX_THREADS; i++, crew.n++) {
		if (pthread_create(&crew.thread[crew.n], NULL, spin, (void *)(uintptr_t)crew.n) != 0)
			sts_target_fail("pthread_create");
	}
	while (atomic_load(&crew.started) < crew.n)
		sched_yield();
}

static void join(void)
{
	atomic_store(&crew.stop, 1);
	while (crew.n > 0)
		pthread_join(crew.thread[--crew.n], NULL);
	atomic_store(&crew.started, 0);
}

static void call_all(unsigned n, int stepped)
{
	atomic_store(&crew.job_done, 0);
	atomic_store(&crew.job_stepped, stepped);
	atomic_store(&crew.job_calls, n);
	atomic_fetch_add(&crew.job, 1);
	while (atomic_load(&crew.job_done) < crew.n)
		sched_yield();
}

/* ---- signals ---- */

static sigjmp_buf past_fault;
static volatile sig_atomic_t fault_expected;

static void handler(int signo, siginfo_t *info, void *context)
{
	uint64_t value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;

	(void)context;
	if (value != get(ACTOR_VALUE) + 1)
		add(ACTOR_DISORDER);
	set(ACTOR_SIGNO, (uint64_t)signo);
	set(ACTOR_CODE, (uint64_t)(int64_t)info->si_code);
	set(ACTOR_SENDER, (uint64_t)info->si_pid);
	set(ACTOR_VALUE, value);
	atomic_fetch_add(&sh->counter[ACTOR_VALUES], value);
	set(ACTOR_ADDRESS, (uint64_t)(uintptr_t)info->si_addr);
	set(ACTOR_HANDLER_TID, (uint64_t)own_tid());
	add(ACTOR_HANDLED);
	if (fault_expected) {
		fault_expected = 0;
		siglongjmp(past_fault, 1);
	}
}

static void handle(int signo, const char *flags)
{
	struct sigaction act;

	memset(&act, 0, sizeof(act));
	act.sa_sigaction = handler;
	act.sa_flags = SA_SIGINFO | (strchr(flags, 'r') ? SA_RESTART : 0) | (strchr(flags, 'n') ? SA_NODEFER : 0);
	if (sigaction(signo, &act, NULL) < 0)
		sts_target_fail("sigaction");
}

static void dispose(int signo, void (*how)(int))
{
	if (signal(signo, how) == SIG_ERR)
		sts_target_fail("signal");
}

static void mask(int how, int signo)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, signo);
	pthread_sigmask(how, &s, NULL);
}

/* As the kernel keeps them, not as libc shows them. */
static void own_view(int signo)
{
	struct {
		unsigned long handler, flags, restorer;
		uint64_t mask;
	} act;
	uint64_t blocked = 0;

	memset(&act, 0, sizeof(act));
	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, 8) < 0 ||
	    syscall(SYS_rt_sigaction, signo, NULL, &act, 8) < 0)
		sts_target_fail("own view");
	set(ACTOR_RESULT, blocked);
	set(ACTOR_RESULT2, act.handler);
	set(ACTOR_RESULT3, act.mask ^ (uint64_t)act.flags << 32);
}

static void fault(void)
{
	static volatile int *volatile nowhere = (int *)0x10;

	if (sigsetjmp(past_fault, 1) == 0) {
		fault_expected = 1;
		*nowhere = 1;
	}
}

/* ---- children ---- */

static void child_does(const char *what)
{
	first_pid = 0;
	add(ACTOR_CHILD_RAN);
	if (strcmp(what, "call") == 0)
		call(3);
	if (strcmp(what, "hold") == 0)
		hold();
	if (strcmp(what, "exec") == 0) {
		const char *const argv[] = {self, index_text, "child", "5", NULL};

		syscall(SYS_execve, self, argv, environ);
	}
	if (strcmp(what, "kill") == 0)
		syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	syscall(SYS_exit_group, 5);
	__builtin_unreachable();
}

static void await_child(void)
{
	int status = 0;
	pid_t pid;

	do {
		pid = waitpid((pid_t)get(ACTOR_CHILD), &status, __WALL);
	} while (pid < 0 && errno == EINTR);
	set(ACTOR_RESULT, pid > 0 ? (uint64_t)status : UINT64_MAX);
}

static void child_made(pid_t pid, const char *what)
{
	if (pid < 0)
		sts_target_fail("a child");
	set(ACTOR_CHILD, (uint64_t)pid);
	if (strcmp(what, "hold") != 0)
		await_child();
}

static void do_fork(const char *what)
{
	pid_t pid = fork();

	if (pid == 0)
		child_does(what);
	child_made(pid, what);
}

static void do_vfork(const char *what)
{
	pid_t first = first_pid;
	pid_t pid = vfork();

	if (pid == 0)
		child_does(what);
	first_pid = first; /* the child has changed it, for memory is shared */
	child_made(pid, what);
}

static void do_spawn(const char *what)
{
	const char *const argv[] = {self, index_text, "child", "5", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int error;

	posix_spawn_file_actions_init(&actions);
	if (strcmp(what, "fifo") == 0) /* waits for somebody who opens the other side */
		posix_spawn_file_actions_addopen(&actions, 60, "fifo", O_RDONLY, 0);
	error = posix_spawn(&pid, strcmp(what, "fail") == 0 ? "/nonexistent" : self, &actions, NULL,
			    (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	set(ACTOR_RESULT, (uint64_t)error);
	if (error == 0)
		child_made(pid, what);
}

/* ---- exec ---- */

static char exec_path[PATH_MAX];

static void do_exec(void)
{
	const char *const argv[] = {exec_path, index_text, NULL};

	execve(exec_path, (char *const *)argv, environ);
	set(ACTOR_RESULT, (uint64_t)errno);
}

static void *exec_thread(void *arg)
{
	set(ACTOR_TID, (uint64_t)own_tid());
	do_exec();
	return arg;
}

/* The sibling target of this name; none: ourselves. */
static void exec_target(const char *name, bool in_thread)
{
	char *slash;
	pthread_t t;

	snprintf(exec_path, sizeof(exec_path), "%s", self);
	slash = strrchr(exec_path, '/');
	if (name[0] != '\0' && slash != NULL)
		snprintf(slash + 1, sizeof(exec_path) - (size_t)(slash + 1 - exec_path), "target-%s", name);
	if (!in_thread) {
		do_exec();
		return;
	}
	if (pthread_create(&t, NULL, exec_thread, NULL) != 0)
		sts_target_fail("pthread_create");
	pthread_join(t, NULL);
}

/* ---- the command loop ---- */

static void snooze(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000}, before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	if (nanosleep(&t, NULL) < 0)
		add(ACTOR_EINTR);
	clock_gettime(CLOCK_MONOTONIC, &after);
	set(ACTOR_RESULT,
	    (uint64_t)((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000));
}

static void own_tracer(void)
{
	char line[128];
	int tracer = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		sscanf(line, "TracerPid: %d", &tracer);
	if (f != NULL)
		fclose(f);
	set(ACTOR_RESULT, (uint64_t)(int64_t)tracer);
}

static void *command_loop(void *arg);

/* The first thread ends alone; another takes the commands. */
static void leave(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, command_loop, self) != 0)
		sts_target_fail("pthread_create");
	pthread_detach(t);
	syscall(SYS_exit, 9);
}

/* Three mapped pages round a hole: "RW, hole, R, RWX"; the result is the address of the first. */
static void map_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		sts_target_fail("mmap");
	for (size_t i = 0; i < 4 * page; i++)
		p[i] = (char)(i * 7 + i / 251);
	mprotect(p, page, PROT_READ | PROT_WRITE);
	munmap(p + page, page);
	mprotect(p + 2 * page, page, PROT_READ);
	set(ACTOR_RESULT, (uint64_t)(uintptr_t)p);
}

static void get_pids(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		set(ACTOR_RESULT, (uint64_t)syscall(SYS_getpid));
}

static void store(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		actor_variable++;
}

static void load(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += *(volatile uint8_t *)&actor_variable;
	set(ACTOR_RESULT, sum);
}

/* The results of n calls rolled into one. */
static void run_insns(unsigned n)
{
	uint64_t sum = 0;

	while (n-- > 0) {
		uint64_t io[4] = {3, 1, 4, 1};

		sum = sum * 1000003 + insn_block(io);
		for (int i = 0; i < 4; i++)
			sum = sum * 1000003 + io[i];
	}
	set(ACTOR_RESULT, sum);
}

static bool signal_command(const char *word, int signo, const char *rest)
{
	if (strcmp(word, "handle") == 0)
		handle(signo, rest);
	else if (strcmp(word, "ignore") == 0)
		dispose(signo, SIG_IGN);
	else if (strcmp(word, "default") == 0)
		dispose(signo, SIG_DFL);
	else if (strcmp(word, "block") == 0)
		mask(SIG_BLOCK, signo);
	else if (strcmp(word, "unblock") == 0)
		mask(SIG_UNBLOCK, signo);
	else if (strcmp(word, "raise") == 0)
		syscall(SYS_tgkill, getpid(), own_tid(), signo);
	else if (strcmp(word, "view") == 0)
		own_view(signo);
	else
		return false;
	return true;
}

static bool birth_command(const char *word, const char *what)
{
	if (strcmp(word, "fork") == 0)
		do_fork(what);
	else if (strcmp(word, "vfork") == 0)
		do_vfork(what);
	else if (strcmp(word, "spawn") == 0)
		do_spawn(what);
	else if (strcmp(word, "wait") == 0)
		await_child();
	else if (strcmp(word, "exec") == 0)
		exec_target(what, false);
	else if (strcmp(word, "texec") == 0)
		exec_target(what, true);
	else
		return false;
	return true;
}

static bool number_command(const char *word, unsigned n)
{
	if (strcmp(word, "threads") == 0)
		threads(n);
	else if (strcmp(word, "join") == 0)
		join();
	else if (strcmp(word, "call") == 0)
		call(n);
	else if (strcmp(word, "callall") == 0)
		call_all(n, 0);
	else if (strcmp(word, "stepall") == 0)
		call_all(n, 1);
	else if (strcmp(word, "store") == 0)
		store(n);
	else if (strcmp(word, "load") == 0)
		load(n);
	else if (strcmp(word, "getpid") == 0)
		get_pids(n);
	else if (strcmp(word, "sleep") == 0)
		snooze(n);
	else if (strcmp(word, "insns") == 0)
		run_insns(n);
	else if (strcmp(word, "exit") == 0)
		syscall(SYS_exit_group, (int)n);
	else
		return false;
	return true;
}

static bool plain_command(const char *word)
{
	if (strcmp(word, "fault") == 0)
		fault();
	else if (strcmp(word, "int3") == 0)
		__asm__ volatile("int3");
	else if (strcmp(word, "hold") == 0)
		hold();
	else if (strcmp(word, "tracer") == 0)
		own_tracer();
	else if (strcmp(word, "leave") == 0)
		leave();
	else if (strcmp(word, "flags") == 0)
		set(ACTOR_RESULT, insn_flags());
	else if (strcmp(word, "map") == 0)
		map_pages();
	else if (strcmp(word, "nothing") != 0)
		return false;
	return true;
}

static void obey(const char *text)
{
	char word[32] = "", a[32] = "", b[32] = "";

	sscanf(text, "%31s %31s %31s", word, a, b);
	if (!signal_command(word, atoi(a), b) && !birth_command(word, a) && !number_command(word, (unsigned)atoi(a)) &&
	    !plain_command(word))
		sts_target_fail(text);
}

static void next_command(char text[33])
{
	size_t done = 0;

	while (done < sizeof(struct sts_step)) {
		ssize_t n = read(pipes.in, text + done, sizeof(struct sts_step) - done);

		if (n == 0)
			_exit(STS_TARGET_BROKEN);
		if (n < 0 && errno == EINTR)
			add(ACTOR_EINTR);
		else if (n < 0)
			sts_target_fail("read");
		else
			done += (size_t)n;
	}
	text[32] = '\0';
}

static void *command_loop(void *arg)
{
	char text[33];

	if (arg != NULL)
		sts_target_send(&pipes, "done"); /* of the command that brought us here */
	for (;;) {
		next_command(text);
		obey(text);
		sts_target_send(&pipes, "done");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	sh = sts_target_shared();
	if (argc > 3 && strcmp(argv[2], "child") == 0) {
		add(ACTOR_CHILD_RAN);
		return atoi(argv[3]);
	}
	if (argc < 2 || n < 0)
		sts_target_fail("usage: target-actor PIPE");
	snprintf(index_text, sizeof(index_text), "%s", argv[1]);
	pipes = sts_target_pipe((unsigned)atoi(argv[1]));
	first_pid = getpid();
	set(ACTOR_FUNCTION, (uint64_t)(uintptr_t)actor_function);
	set(ACTOR_VARIABLE, (uint64_t)(uintptr_t)&actor_variable);
	set(ACTOR_HANDLER, (uint64_t)(uintptr_t)handler);
	set(ACTOR_BLOCK, (uint64_t)(uintptr_t)insn_table);
	set(ACTOR_BLOCK_N, (uint64_t)(insn_table_end - insn_table));
	set(ACTOR_FLAGS, (uint64_t)(uintptr_t)insn_flags_table);
	set(ACTOR_FLAGS_N, (uint64_t)(insn_flags_table_end - insn_flags_table));
	set(ACTOR_STEPPED, (uint64_t)(uintptr_t)actor_stepped_at);
	add(ACTOR_IMAGES);
	sts_target_send(&pipes, "ready");
	command_loop(NULL);
	return 0;
}
