/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program that the benchmarks trace.
 *
 *   bench-target idle N     N threads asleep
 *   bench-target busy N     N threads that spin
 *   bench-target JOB MS     do one thing over and over for MS milliseconds
 *
 * It says "ready" with the addresses of the breakpoint sites, in hex, and waits
 * for a byte or the end of its standard input. A job then ends with a line
 * "result NANOSECONDS COUNT": the median time of one operation and how many were
 * done, so that whoever traces it can prove that it saw every one of them. The
 * target takes the time itself: every tracer is measured with the same clock.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIFETIME_SECONDS = 150, MAX_BATCHES = 65536, STACK_BYTES = 65536 };

/* Breakpoint sites, by what their first instruction asks of whoever steps over it. */
extern void bench_site_push(uint64_t *counter);   /* the usual prologue: easy to emulate */
extern void bench_site_memory(uint64_t *counter); /* runs anywhere: displaced as it is */
extern void bench_site_riprel(uint64_t *counter); /* bound to its place */
uint64_t bench_counter;

__asm__(".text\n"
	".globl bench_site_push, bench_site_memory, bench_site_riprel\n"
	".p2align 6\n"
	"bench_site_push:   push %rbp\n mov %rsp, %rbp\n incq bench_counter(%rip)\n pop %rbp\n ret\n"
	".p2align 6\n"
	"bench_site_memory: incq (%rdi)\n ret\n"
	".p2align 6\n"
	"bench_site_riprel: incq bench_counter(%rip)\n ret\n"
	".p2align 6\n");

static char child_program[4096];

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

static void reap(pid_t pid)
{
	int status;

	if (pid < 0)
		fail("birth");
	if (waitpid(pid, &status, 0) != pid || status)
		fail("child");
}

static void job_nothing(void)
{
}

static void job_push(void)
{
	bench_site_push(&bench_counter);
}

static void job_memory(void)
{
	bench_site_memory(&bench_counter);
}

static void job_riprel(void)
{
	bench_site_riprel(&bench_counter);
}

static void job_syscall(void)
{
	syscall(SYS_getpid);
}

static void on_signal(int signo)
{
	(void)signo;
}

static void job_signal(void)
{
	raise(SIGUSR1);
}

static void job_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	reap(pid);
}

static void job_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	reap(pid);
}

static void job_fork_exec(void)
{
	char *argv[] = {child_program, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execv(child_program, argv);
		_exit(1);
	}
	reap(pid);
}

static void job_posix_spawn(void)
{
	char *argv[] = {child_program, NULL};
	pid_t pid = -1;

	if (posix_spawn(&pid, child_program, NULL, NULL, argv, NULL))
		fail("posix_spawn");
	reap(pid);
}

static void *thread_returns(void *arg)
{
	return arg;
}

static void job_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_returns, NULL) || pthread_join(thread, NULL))
		fail("pthread_create");
}

static const struct job {
	const char *name;
	void (*run)(void);
	unsigned batch; /* operations between two looks at the clock */
} jobs[] = {
	{"nothing", job_nothing, 100},
	{"break-push", job_push, 50},
	{"break-memory", job_memory, 50},
	{"break-riprel", job_riprel, 50},
	{"syscall", job_syscall, 100},
	{"signal", job_signal, 50},
	{"fork", job_fork, 4},
	{"vfork", job_vfork, 4},
	{"fork-exec", job_fork_exec, 2},
	{"posix-spawn", job_posix_spawn, 2},
	{"thread", job_thread, 8},
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void await_start(void)
{
	char byte;

	printf("ready %lx %lx %lx\n", (unsigned long)bench_site_push, (unsigned long)bench_site_memory,
	       (unsigned long)bench_site_riprel);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) < 0)
		continue;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Nothing but the job itself enters the kernel between the start and the end. */
static void run_job(const struct job *job, uint64_t budget_ns)
{
	static double batch_ns[MAX_BATCHES];
	unsigned done = 0;

	memset(batch_ns, 0, sizeof(batch_ns)); /* page faults now, not in the measure */
	await_start();
	uint64_t start = now_ns();
	uint64_t begin = start;

	do {
		for (unsigned i = 0; i < job->batch; i++)
			job->run();
		uint64_t end = now_ns();

		batch_ns[done++] = (double)(end - begin) / job->batch;
		begin = end;
	} while (done < MAX_BATCHES && begin - start < budget_ns);
	qsort(batch_ns, done, sizeof(batch_ns[0]), by_value);
	printf("result %.1f %lu\n", batch_ns[done / 2], (unsigned long)done * job->batch);
	fflush(stdout);
}

static unsigned long threads_begun;
static pthread_rwlock_t held_back = PTHREAD_RWLOCK_INITIALIZER;

static void *thread_sleeps(void *arg)
{
	__atomic_fetch_add(&threads_begun, 1, __ATOMIC_RELAXED);
	for (;;)
		pause();
	return arg;
}

static void *thread_spins(void *arg)
{
	__atomic_fetch_add(&threads_begun, 1, __ATOMIC_RELAXED);
	pthread_rwlock_rdlock(&held_back);
	for (;;)
		__atomic_fetch_add(&bench_counter, 1, __ATOMIC_RELAXED);
	return arg;
}

static void run_threads(void *(*body)(void *), unsigned long count)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_rwlock_wrlock(&held_back);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (unsigned long i = 1; i < count; i++)
		if (pthread_create(&thread, &attr, body, NULL))
			fail("pthread_create");
	while (__atomic_load_n(&threads_begun, __ATOMIC_RELAXED) < count - 1)
		sched_yield();
	await_start();
	pthread_rwlock_unlock(&held_back);
	body(NULL);
}

static void find_child_program(void)
{
	ssize_t len = readlink("/proc/self/exe", child_program, sizeof(child_program) - 16);

	if (len < 0)
		fail("/proc/self/exe");
	while (len > 0 && child_program[len - 1] != '/')
		len--;
	strcpy(child_program + len, "bench-nothing");
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};

	if (argc != 3)
		return 2;
	/* Never outlive the bench program, whatever becomes of it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	alarm(LIFETIME_SECONDS);
	sigaction(SIGUSR1, &action, NULL);
	find_child_program();

	unsigned long number = strtoul(argv[2], NULL, 10);

	if (!strcmp(argv[1], "idle"))
		run_threads(thread_sleeps, number);
	if (!strcmp(argv[1], "busy"))
		run_threads(thread_spins, number);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		if (!strcmp(argv[1], jobs[i].name)) {
			run_job(&jobs[i], number * 1000000u);
			return 0;
		}
	}
	fprintf(stderr, "bench-target: no job '%s'\n", argv[1]);
	return 2;
}
