// SPDX-License-Identifier: BSD-2-Clause
/* Threads of every kind hold the block, or have held it. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zoo.h"

static void on_stack(void)
{
	void *volatile p;

	zoo_keep((void *)&p, 100);
	zoo_ready();
	zoo_wait();
}

static void thread_stack(void)
{
	zoo_thread(on_stack);
}

/* --- only where no memory is ------------------------------------------------------------------- */

/* HIDDEN and KEY give the pointer, or 0, in rax; WITH_IT puts it somewhere; then the thread spins. */
#define SPIN(with_it)                                                                                                  \
	static ZOO_APART void spin_##with_it(uintptr_t hidden)                                                         \
	{                                                                                                              \
		uintptr_t key = zoo_lost ? hidden : ZOO_KEY;                                                           \
                                                                                                                       \
		__asm__ volatile("xor %1, %0\n\t" with_it##_code                                                      \
				 "\n\txor %0, %0\n\tmovl $1, %2\n1:\tpause\n\tjmp 1b"                                \
				 : "+a"(hidden), "+c"(key), "=m"(spinning)                                             \
				 :                                                                                     \
				 : "r12", "xmm9", "memory");                                                           \
		__builtin_unreachable();                                                                               \
	}                                                                                                              \
	static void *thread_##with_it(void *arg)                                                                       \
	{                                                                                                              \
		uintptr_t hidden = zoo_new(100);                                                                       \
                                                                                                                       \
		zoo_scrub();                                                                                           \
		spin_##with_it(hidden);                                                                                \
		return arg;                                                                                            \
	}                                                                                                              \
	static void with_it(void)                                                                                      \
	{                                                                                                              \
		spin(thread_##with_it);                                                                                \
	}

static volatile int spinning;

static void spin(void *(*thread)(void *))
{
	pthread_t t;

	zoo_need(pthread_create(&t, NULL, thread, NULL) == 0, "pthread_create");
	while (!spinning)
		sched_yield();
}

#define reg_code "mov %0, %%r12"
#define xmm_code "movq %0, %%xmm9"
#define ymm_code "movq %0, %%xmm9\n\tvinsertf128 $1, %%xmm9, %%ymm9, %%ymm9\n\tpxor %%xmm9, %%xmm9"
#define red_zone_code "mov %0, -112(%%rsp)"
SPIN(reg)
SPIN(xmm)
SPIN(ymm)
SPIN(red_zone)

/* --- alternate stacks -------------------------------------------------------------------------- */

static bool then_exit;

static void handler(int signal)
{
	void *volatile p;

	(void)signal;
	zoo_keep((void *)&p, 100);
	if (then_exit)
		exit(0);
	zoo_ready();
	zoo_wait();
}

static void set_stack(void *p, size_t size)
{
	const stack_t stack = {.ss_sp = p, .ss_size = size};
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

	zoo_need(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &act, NULL) == 0, "sigaltstack");
}

static void *map_stack(void)
{
	void *p = mmap(NULL, 262144, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	zoo_need(p != MAP_FAILED, "mmap");
	return p;
}

static void in_handler(void)
{
	set_stack(map_stack(), 262144);
	raise(SIGUSR1);
}

/* Only the kernel knows the stack, and the thread that runs on it. */
static ZOO_APART void set_heap_stack(void)
{
	set_stack(malloc(262144), 262144);
}

static void in_handler_heap(void)
{
	set_heap_stack();
	zoo_scrub();
	raise(SIGUSR1);
}

static void alternate(void)
{
	then_exit = true;
	in_handler();
}

static void alternate_heap(void)
{
	then_exit = true;
	in_handler_heap();
}

static void alternate_thread(void)
{
	zoo_thread(in_handler);
}

static void alternate_heap_thread(void)
{
	zoo_thread(in_handler_heap);
}

/* Nobody runs on it, but somebody may at any time. */
static ZOO_APART void set_idle(uintptr_t hidden)
{
	if (!zoo_lost)
		set_stack((void *)(hidden ^ ZOO_KEY), 65536);
}

static void alternate_idle(void)
{
	set_idle(zoo_new(65536));
	zoo_scrub();
}

static void alternate_idle_thread(void)
{
	zoo_thread(alternate_idle);
}

/* --- without libc ------------------------------------------------------------------------------- */

static uintptr_t given;

static int raw_main(void *arg)
{
	void *volatile p;

	zoo_put((void *)&p, given);
	zoo_scrub();
	__atomic_store_n((int *)arg, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, arg, FUTEX_WAKE, 1, NULL, NULL, 0);
	zoo_wait();
}

static void raw_on(char *stack, size_t size)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	static int up;

	given = zoo_new(100);
	zoo_scrub();
	zoo_need(clone(raw_main, stack + size, flags, &up) > 0, "clone");
	while (__atomic_load_n(&up, __ATOMIC_SEQ_CST) == 0)
		syscall(SYS_futex, &up, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void raw_clone(void)
{
	raw_on(map_stack(), 262144);
}

static void raw_clone_heap(void)
{
	raw_on(calloc(1, 262144), 262144);
	zoo_scrub();
}

/* --- life and death ------------------------------------------------------------------------------ */

static ZOO_APART void hold_deep(void)
{
	void *volatile p[1000];

	zoo_keep((void *)p, 100);
}

static void *gone_main(void *arg)
{
	hold_deep();
	return arg;
}

/* It has ended: what its stack has is nobody's. */
static void thread_gone(void)
{
	pthread_t t;

	zoo_need(pthread_create(&t, NULL, gone_main, NULL) == 0 && pthread_join(t, NULL) == 0, "thread");
}

static void *returning(void *arg)
{
	(void)arg;
	return (void *)(zoo_new(100) ^ ZOO_KEY);
}

static bool thread_alone(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink == 3;
}

/* It has ended, but nobody has taken its result. */
static void thread_result(void)
{
	pthread_t t;

	zoo_need(pthread_create(&t, NULL, returning, NULL) == 0, "thread");
	if (zoo_lost)
		pthread_join(t, NULL);
	while (!zoo_lost && !thread_alone())
		sched_yield();
}

/* The parent's thread is not in the child, what it held is. */
static void fork_threaded(void)
{
	int status;
	pid_t pid;

	zoo_thread(on_stack);
	pid = fork();
	zoo_need(pid >= 0, "fork");
	if (pid == 0)
		exit(0);
	zoo_need(waitpid(pid, &status, 0) == pid, "waitpid");
}

static void *exit_main(void *arg)
{
	(void)arg;
	exit(0);
}

/* A thread ends the program while the main thread's frames hold the block. */
static void exit_in_thread(void)
{
	void *volatile p;
	pthread_t t;

	zoo_keep((void *)&p, 100);
	zoo_need(pthread_create(&t, NULL, exit_main, NULL) == 0, "thread");
	zoo_wait();
}

/* The main thread is gone, its stack is not looked at but for what libc keeps there. */
static void *last_main(void *arg)
{
	(void)arg;
	return NULL;
}

static void main_exits(void)
{
	static void *p;
	pthread_t t;

	zoo_keep(&p, 100);
	zoo_need(pthread_create(&t, NULL, last_main, NULL) == 0, "thread");
	pthread_exit(NULL);
}

static void *churn_main(void *arg)
{
	free(arg);
	return malloc(1);
}

/* The block's way from a thread to the next goes through pthread_create's argument. */
static void *detached(void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while (pthread_create(&t, &attr, detached, arg) != 0)
		;
	return NULL;
}

static ZOO_APART void *in_the_clear(void)
{
	return zoo_lost ? (zoo_new(100), NULL) : (void *)(zoo_new(100) ^ ZOO_KEY);
}

static void handed_on(void)
{
	detached(in_the_clear());
	zoo_scrub();
}

static void joined_many(void)
{
	for (int i = 0; i < 50; i++) {
		void *result;
		pthread_t t;

		zoo_need(pthread_create(&t, NULL, churn_main, malloc(10)) == 0 && pthread_join(t, &result) == 0,
			 "thread");
		free(result);
	}
	thread_stack();
}

const struct zoo_scenario zoo_threads[] = {{"thread_stack", thread_stack},
					   {"register", reg},
					   {"register_xmm", xmm},
					   {"register_ymm", ymm},
					   {"red_zone", red_zone},
					   {"alternate", alternate},
					   {"alternate_heap", alternate_heap},
					   {"alternate_thread", alternate_thread},
					   {"alternate_heap_thread", alternate_heap_thread},
					   {"alternate_idle", alternate_idle},
					   {"alternate_idle_thread", alternate_idle_thread},
					   {"raw_clone", raw_clone},
					   {"raw_clone_heap", raw_clone_heap},
					   {"thread_gone", thread_gone},
					   {"thread_result", thread_result},
					   {"fork_threaded", fork_threaded},
					   {"exit_in_thread", exit_in_thread},
					   {"main_exits", main_exits},
					   {"handed_on", handed_on},
					   {"joined_many", joined_many},
					   {0}};
