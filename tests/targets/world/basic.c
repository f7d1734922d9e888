// SPDX-License-Identifier: BSD-2-Clause
/* Threads of every kind that answer, each with a counter and a check of its own. */
#include "world.h"

#include <link.h>
#include <sys/socket.h>

enum { STACK = 65536, ROUNDS = 10, MAGIC = 0x51ab1e00 };
enum kind { SPINS, SLEEPS, READS, IN_HANDLER, ON_ALTSTACK, ALL_BLOCKED, RAW, N_KINDS };

struct worker {
	enum kind kind;
	_Atomic unsigned count;
	_Atomic unsigned ready;
	pid_t tid;
	char *stack, *altstack;
	void *tls;
	int fds[2];
	unsigned leave;
};

static __thread int planted_tls;
static struct worker workers[2 * N_KINDS];
static unsigned n_workers;
static size_t tls_module, tls_size;

/* One register that nobody else has, and no stack: what is found in the world must be the truth. */
static void spin(struct worker *k)
{
	__asm__ volatile("1: lock; incl %0\n\tcmpl $0, %1\n\tje 1b"
			 : "+m"(k->count), "+m"(k->leave)
			 : "D"((long)(MAGIC + (k - workers)))
			 : "memory", "cc");
}

static _Thread_local struct worker *own;

static void on_signal(int sig)
{
	(void)sig;
	own->ready = 1;
	spin(own);
}

static void spin_in_handler(struct worker *k, bool alt)
{
	stack_t s = {.ss_sp = k->altstack, .ss_size = STACK};
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = alt ? SA_ONSTACK : 0};

	OK(sigaltstack(&s, NULL));
	OK(sigaction(alt ? SIGUSR1 : SIGUSR2, &act, NULL));
	raise(alt ? SIGUSR1 : SIGUSR2);
}

static void read_on(struct worker *k)
{
	char c;

	k->ready = 1;
	while (read(k->fds[0], &c, 1) == 1 && c != 'x') {
		k->count++;
		REQUIRE(write(k->fds[0], &c, 1) == 1);
	}
}

static void sleep_on(struct worker *k)
{
	k->ready = 1;
	for (;;) {
		struct timespec t = {0, 1000000};

		if (*(volatile unsigned *)&k->leave)
			return;
		errno = (int)(k - workers) + 100;
		nanosleep(&t, NULL);
		/* nanosleep may say EINTR; nothing else may be there. */
		REQUIRE(errno == (int)(k - workers) + 100 || errno == EINTR);
		k->count++;
	}
}

static void *work(void *arg)
{
	struct worker *k = arg;
	char name[24];
	sigset_t all;

	own = k;
	k->tid = own_tid();
	planted_tls = MAGIC + (int)k->kind;
	k->tls = &planted_tls;
	snprintf(name, sizeof(name), "worker-%d", (int)(k - workers));
	prctl(PR_SET_NAME, name);
	errno = (int)(k - workers) + 100;
	sigfillset(&all);
	if (k->kind == ALL_BLOCKED)
		OK(-pthread_sigmask(SIG_BLOCK, &all, NULL));
	if (k->kind == SLEEPS || k->kind == READS) {
		k->kind == SLEEPS ? sleep_on(k) : read_on(k);
		return NULL;
	}
	if (k->kind == IN_HANDLER || k->kind == ON_ALTSTACK) {
		spin_in_handler(k, k->kind == ON_ALTSTACK);
	} else {
		k->ready = 1;
		spin(k);
	}
	REQUIRE(errno == (int)(k - workers) + 100);
	return NULL;
}

/* A thread that libc knows nothing of: its thread pointer is its maker's, and it ends by itself. */
static int work_raw(void *arg)
{
	struct worker *k = arg;

	k->ready = 1;
	spin(k);
	syscall(SYS_exit, 0);
	return 0;
}

static void start_worker(struct worker *k)
{
	pthread_attr_t attr;
	pthread_t t;

	k->stack = mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(k->stack != MAP_FAILED);
	k->altstack = k->stack + STACK;
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, k->fds));
	if (k->kind == RAW) {
		k->tid = (pid_t)OK(
			clone(work_raw, k->stack + STACK,
			      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, k));
	} else {
		pthread_attr_init(&attr);
		OK(-pthread_attr_setstack(&attr, k->stack, STACK));
		OK(-pthread_create(&t, &attr, work, k));
		OK(-pthread_detach(t));
	}
	await_u("a worker", &k->ready, 1);
}

static int find_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)arg, (void)size;
	for (int i = 0; i < info->dlpi_phnum && tls_module == 0; i++) {
		if (info->dlpi_phdr[i].p_type != PT_TLS)
			continue;
		tls_module = info->dlpi_tls_modid;
		tls_size = info->dlpi_phdr[i].p_memsz;
	}
	return 0;
}

static void check_tls(struct stasis_world *w, const struct worker *k)
{
	struct stasis_world_thread t;

	for (size_t i = 0; i < stasis_world_count(w); i++) {
		uint64_t at = 0;

		OK(stasis_world_thread(w, i, 0, &t));
		if (t.tid != k->tid)
			continue;
		OK(stasis_world_thread_tls(w, i, tls_module, &at));
		if ((uintptr_t)k->tls - at >= tls_size)
			fail("the TLS of thread %d: %p is not in [%#llx, +%#zx)", t.tid, k->tls, (unsigned long long)at,
			     tls_size);
	}
}

/* A tracer that is slow may hold a thread beyond the grace time; it parks when that lets go. */
static void await_parked(struct stasis_world *w, const struct worker *k, struct stasis_world_thread *t)
{
	uint64_t until = now_ns() + 10000000000ull;

	do {
		if (!find_thread(w, k->tid, STASIS_WORLD_WANT_NAME | STASIS_WORLD_WANT_STACK, t))
			fail("worker %d of kind %d, thread %d is missing", (int)(k - workers), k->kind, k->tid);
	} while (t->state == STASIS_WORLD_HELD && now_ns() < until);
	if (t->state != STASIS_WORLD_PARKED)
		fail("worker of kind %d is in state %d", k->kind, t->state);
}

static void check_worker(struct stasis_world *w, const struct worker *k)
{
	bool alt = k->kind == ON_ALTSTACK;
	struct stasis_world_thread t;
	char name[24];

	await_parked(w, k, &t);
	require_sp(&t, alt ? k->altstack : k->stack, STACK);
	REQUIRE(t.on_altstack == alt);
	if (k->kind == IN_HANDLER || alt)
		REQUIRE(t.altstack == (uintptr_t)k->altstack && t.altstack_size == STACK);
	if (k->kind != SLEEPS && k->kind != READS && (uint32_t)t.regs->rdi != MAGIC + (uint32_t)(k - workers))
		fail("worker of kind %d: rdi is %#llx", k->kind, (unsigned long long)t.regs->rdi);
	REQUIRE(t.regs->rsp == t.sp && t.regs->rip == t.pc && t.pc != 0);
	REQUIRE(t.xstate != NULL && t.xstate_size >= 512);
	REQUIRE(t.context != NULL);
	/* Without files or /proc these stay unknown. */
	if (t.stack_end != 0)
		REQUIRE(t.stack_start <= t.sp && t.sp < t.stack_end);
	snprintf(name, sizeof(name), "worker-%d", (int)(k - workers));
	if (t.name[0] != '\0' && k->kind != RAW && strcmp(t.name, name) != 0)
		fail("%s is called %s", name, t.name);
	if (k->kind == ALL_BLOCKED)
		REQUIRE((t.sigmask & (1u << (SIGTERM - 1))) != 0);
	if (k->kind != RAW)
		check_tls(w, k);
}

static void check_world(struct stasis_world *w)
{
	unsigned before[2 * N_KINDS];

	if (stasis_world_count(w) != n_workers)
		fail("%zu threads, not %u", stasis_world_count(w), n_workers);
	for (unsigned i = 0; i < n_workers; i++)
		before[i] = workers[i].count;
	for (unsigned i = 0; i < n_workers; i++)
		check_worker(w, &workers[i]);
	linger(2000);
	for (unsigned i = 0; i < n_workers; i++) {
		if (workers[i].count != before[i])
			fail("worker of kind %d runs in the stopped world", workers[i].kind);
	}
}

static void check_progress(void)
{
	for (unsigned i = 0; i < n_workers; i++) {
		unsigned then = workers[i].count;

		if (workers[i].kind == READS)
			REQUIRE(write(workers[i].fds[1], "a", 1) == 1);
		await_u("a worker to go on", &workers[i].count, then + 1);
	}
}

static void end_workers(void)
{
	for (unsigned i = 0; i < n_workers; i++) {
		*(volatile unsigned *)&workers[i].leave = 1;
		if (workers[i].kind == READS)
			REQUIRE(write(workers[i].fds[1], "x", 1) == 1);
	}
}

void world_basic(const char *arg)
{
	unsigned rounds = arg != NULL ? (unsigned)atoi(arg) : ROUNDS;

	dl_iterate_phdr(find_tls, NULL);
	REQUIRE(tls_module != 0);
	n_workers = N_KINDS;
	for (unsigned i = 0; i < n_workers; i++) {
		workers[i].kind = i % N_KINDS;
		start_worker(&workers[i]);
	}
	for (unsigned i = 0; i < rounds; i++) {
		struct stasis_world *w = stop_world();

		check_world(w);
		resume_world(w);
		check_progress();
	}
	end_workers();
}
