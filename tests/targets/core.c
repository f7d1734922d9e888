// SPDX-License-Identifier: BSD-2-Clause
/*
 * A process worth a core: threads parked in functions of known names, memory of
 * every kind. Addresses go to the shared counters (enum in core_target.h). Tells
 * "ready" when all threads are parked, goes on at "go" and ends with 0 if its
 * memory is as it was. Arguments: "abort" instead of "ready"; "vfork", the child
 * tells "ready"; "leave", the main thread ends, another one does its part.
 */
#include <linux/prctl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core_target.h"
#include "shared.h"

#define PAGE 4096

/* Whole pages of its own, so that it is anonymous memory. */
_Alignas(PAGE) char core_pattern[CORE_PATTERN_SIZE];
static struct sts_shared *shared;
static int parked[2]; /* a pipe that lets the threads go */
static struct sts_target_pipe steps;

static void publish(unsigned i, const volatile void *p)
{
	atomic_store(&shared->counter[i], (uintptr_t)p);
}

static char *map(size_t size, int prot, int flags, int fd, off_t at)
{
	char *p = mmap(NULL, size, prot, flags, fd, at);

	if (p == MAP_FAILED)
		sts_target_fail("mmap");
	return p;
}

/* /proc shows such names in brackets, as it does those of the kernel's own mappings; older kernels know none. */
static void name_memory(char *p, size_t size)
{
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, size, "a name");
}

/* A file with a pattern in each page. */
static int file_make(const char *name, size_t size)
{
	char page[PAGE];
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		sts_target_fail(name);
	for (size_t at = 0; at < size; at += PAGE) {
		core_pattern_fill(page, PAGE, 31 + at / PAGE);
		if (write(fd, page, PAGE) != PAGE)
			sts_target_fail(name);
	}
	return fd;
}

static void memory_anonymous(void)
{
	char *p = map(CORE_SPARSE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	madvise(p, CORE_SPARSE_SIZE, MADV_NOHUGEPAGE);
	core_pattern_fill(p + CORE_SPARSE_AT, PAGE, 1);
	publish(CORE_SPARSE, p);
	/* Pages with gaps of several lengths between them. */
	p = map(CORE_COMB_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, CORE_COMB_PAGES * PAGE, MADV_NOHUGEPAGE);
	for (unsigned i = 0, gap = 1; i < CORE_COMB_PAGES; i += gap++)
		core_pattern_fill(p + i * PAGE, PAGE, i);
	name_memory(p, CORE_COMB_PAGES * PAGE);
	publish(CORE_COMB, p);
	p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	core_pattern_fill(p, 2 * PAGE, 2);
	mprotect(p, 2 * PAGE, PROT_NONE);
	publish(CORE_NO_ACCESS, p);
	publish(CORE_RESERVED, map(CORE_RESERVED_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	core_pattern_fill(p, PAGE, 3);
	madvise(p, PAGE, MADV_DONTDUMP);
	publish(CORE_DONT_DUMP, p);
}

static void memory_shared(void)
{
	char *p = map(CORE_SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	core_pattern_fill(p + CORE_SHARED_AT, PAGE, 4);
	/* A page that this process does not touch: its child writes it. */
	pid_t pid = fork();
	if (pid == 0) {
		core_pattern_fill(p + CORE_SHARED_OTHER_AT, PAGE, 5);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	name_memory(p, CORE_SHARED_SIZE);
	publish(CORE_SHARED, p);
}

static void memory_files(void)
{
	int fd = file_make("mapped", 4 * PAGE);
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	publish(CORE_FILE_CLEAN, p);
	p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
	core_pattern_fill(p + PAGE, PAGE, 6);
	publish(CORE_FILE_WRITTEN, p);
	publish(CORE_FILE_SHARED, map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	close(fd);
	/* A mapping that goes on after the end of its file: touching it there is a SIGBUS. */
	fd = file_make("sh\nort", 4 * PAGE); /* a name that /proc has to escape */
	publish(CORE_FILE_SHORT, map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	if (ftruncate(fd, PAGE) < 0)
		sts_target_fail("ftruncate");
	close(fd);
	fd = file_make("unlinked", 2 * PAGE);
	unlink("unlinked");
	publish(CORE_FILE_UNLINKED, map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	close(fd);
}

static void tell_tid(unsigned i)
{
	atomic_store(&shared->counter[i], syscall(SYS_gettid));
}

static void park(unsigned i)
{
	char c;

	tell_tid(i);
	while (read(parked[0], &c, 1) < 0 && errno == EINTR)
		;
}

#ifdef __SSE__
#define CLOBBERS "xmm7"
#else
#define CLOBBERS "memory" /* the compiler knows of no such register */
#endif

/* Values that the register notes must show: each thread has its own. */
#define LOAD_REGISTERS(seed)                                                                                           \
	do {                                                                                                           \
		static const double value[2] = {(seed) + 0.5, (seed) + 0.25};                                          \
		__asm__ volatile("movupd %0, %%xmm7\n\tfldl %1" : : "m"(value), "m"(value[1]) : CLOBBERS);             \
	} while (0)

#define WORKER(name, index, seed)                                                                                      \
	__attribute__((noinline, noipa)) void *name(void *arg);                                                        \
	void *name(void *arg)                                                                                          \
	{                                                                                                              \
		LOAD_REGISTERS(seed);                                                                                  \
		park(index);                                                                                           \
		__asm__ volatile("fstp %st");                                                                          \
		return arg;                                                                                            \
	}

WORKER(core_alpha, CORE_TID_ALPHA, 1)
WORKER(core_beta, CORE_TID_BETA, 2)
WORKER(core_gamma, CORE_TID_GAMMA, 3)

static int memory_is_good(void)
{
	char want[sizeof(core_pattern)];

	core_pattern_fill(want, sizeof(want), 9);
	return memcmp(want, core_pattern, sizeof(want)) == 0;
}

static void await_parked(void)
{
	for (unsigned i = CORE_TID_ALPHA; i <= CORE_TID_GAMMA; i++) {
		char path[64], line[64] = "";
		pid_t tid;

		while ((tid = (pid_t)atomic_load(&shared->counter[i])) == 0)
			sched_yield();
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)tid);
		while (strncmp(line, "0 ", 2) != 0 && strncmp(line, "3 ", 2) != 0) { /* read(2) in either ABI */
			int fd = open(path, O_RDONLY | O_CLOEXEC);

			if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
				sts_target_fail(path);
			close(fd);
		}
	}
}

/* Apart, or the compiler sees too much of the literal. */
__attribute__((noipa)) static void tell(const char *step)
{
	sts_target_send(&steps, step);
}

__attribute__((noinline, noipa)) int core_main_waits(void);
int core_main_waits(void)
{
	tell("ready");
	sts_target_await(&steps, "go");
	return memory_is_good() ? 0 : 1;
}

__attribute__((noinline, noipa)) void core_vforks(void);
void core_vforks(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		tell("ready");
		sts_target_await(&steps, "go");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* The part of the main thread, after that one has ended. */
static void *stand_in(void *main_thread)
{
	char state[64] = "", *at;

	pthread_join(*(pthread_t *)main_thread, NULL);
	do {
		int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, state, sizeof(state) - 1) < 0)
			sts_target_fail("/proc/self/stat");
		close(fd);
		at = strrchr(state, ')');
	} while (at == NULL || at[2] != 'Z');
	_exit(core_main_waits());
}

static void leave(void)
{
	static pthread_t me;
	pthread_t other;

	me = pthread_self();
	if (pthread_create(&other, NULL, stand_in, &me) != 0)
		sts_target_fail("pthread_create");
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	static void *(*const workers[])(void *) = {core_alpha, core_beta, core_gamma};
	const char *how = argc > 1 ? argv[1] : "";
	pthread_t threads[3];
	int status = 0;

	shared = sts_target_shared();
	steps = sts_target_pipe(0);
	if (pipe(parked) < 0)
		sts_target_fail("pipe");
	core_pattern_fill(core_pattern, sizeof(core_pattern), 9);
	publish(CORE_PATTERN, core_pattern);
	publish(CORE_BETA, (void *)(uintptr_t)core_beta);
	memory_anonymous();
	memory_shared();
	memory_files();
	tell_tid(CORE_TID_MAIN);
	for (unsigned i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, workers[i], NULL) != 0)
			sts_target_fail("pthread_create");
	await_parked();
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "leave") == 0)
		leave();
	if (strcmp(how, "vfork") == 0)
		core_vforks();
	else
		status = core_main_waits();
	close(parked[1]);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	return status;
}
