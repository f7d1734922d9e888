// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loses as many blocks as it is told to, and ends as it is told to.
 *
 *	target-lose [direct N SIZE] [list N] [chain N] [keep N] [wait] [fork] [threads N] [checks N] [chroot DIR]
 *[close] [exit N | kill N | _exit N]
 *
 * direct: N blocks that nothing points to. list: one such, and N-1 that only it leads to. chain: one of another
 * function, lose_holder, that a list of N hangs on. keep: N that a global leads
 * to. wait: say "ready" and wait for SIGTERM or a byte. fork: what follows is done by a child, too. checks: N by each
 *of two threads; what follows is done while the second may still make its last.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared.h"

struct node {
	struct node *next;
	char rest[56];
};

struct node *kept;

/* What the dead part of the stack, and registers, still say of lost blocks. */
static __attribute__((noinline)) void wipe(void)
{
	volatile char here[32768];

	for (size_t i = 0; i < sizeof(here); i++)
		here[i] = 0;
}

static __attribute__((noinline)) void *lose_one(size_t size)
{
	void *p = malloc(size);

	if (!p)
		_exit(STS_TARGET_BROKEN);
	memset(p, 0, size);
	return p;
}

static __attribute__((noinline)) void lose_direct(int n, size_t size)
{
	for (int i = 0; i < n; i++) {
		void *volatile p = lose_one(size);

		p = NULL;
		(void)p;
	}
}

static __attribute__((noinline)) struct node *make_list(int n)
{
	struct node *first = NULL;

	for (int i = 0; i < n; i++) {
		struct node *more = lose_one(sizeof(*more));

		more->next = first;
		first = more;
	}
	return first;
}

static __attribute__((noinline)) void lose_list(int n)
{
	struct node *volatile first = make_list(n);

	first = NULL;
	(void)first;
}

static __attribute__((noinline)) struct node *lose_holder(void)
{
	return calloc(1, sizeof(struct node));
}

static __attribute__((noinline)) void lose_chain(int n)
{
	struct node *volatile holder = lose_holder();

	holder->next = make_list(n);
	__asm__ volatile("" ::: "memory"); /* it is written, although nobody reads it */
	holder = NULL;
	(void)holder;
}

static void *spin(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static _Atomic int ends; /* from now on a check may be refused: that at the end comes first */

static void *check(void *arg)
{
	for (int n = *(int *)arg; n > 0; n--)
		if (!__lsan_do_recoverable_leak_check || (__lsan_do_recoverable_leak_check() == 0 && !ends))
			_exit(STS_TARGET_BROKEN);
	return NULL;
}

/* Something is lost, and each of them is to find it. */
static void check_by_two(int n)
{
	static int each;
	pthread_t t;

	each = n;
	if (pthread_create(&t, NULL, check, &each) != 0)
		_exit(STS_TARGET_BROKEN);
	check(&each);
	ends = 1;
}

static int number(char **argv, int *i)
{
	return argv[*i + 1] ? atoi(argv[++*i]) : 0;
}

static void wait_to_be_told(void)
{
	char byte;

	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) < 0)
		;
}

static void do_fork(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		_exit(STS_TARGET_BROKEN);
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		_exit(STS_TARGET_BROKEN);
}

static void do_one(char **argv, int *i)
{
	const char *what = argv[*i];
	pthread_t t;
	int n;

	if (strcmp(what, "direct") == 0) {
		n = number(argv, i);
		lose_direct(n, (size_t)number(argv, i));
	} else if (strcmp(what, "chain") == 0) {
		lose_chain(number(argv, i));
	} else if (strcmp(what, "list") == 0) {
		lose_list(number(argv, i));
	} else if (strcmp(what, "keep") == 0) {
		kept = make_list(number(argv, i));
	} else if (strcmp(what, "wait") == 0) {
		wait_to_be_told();
	} else if (strcmp(what, "fork") == 0) {
		do_fork();
	} else if (strcmp(what, "threads") == 0) {
		for (n = number(argv, i); n > 0; n--)
			pthread_create(&t, NULL, spin, NULL);
	} else if (strcmp(what, "checks") == 0) {
		check_by_two(number(argv, i));
	} else if (strcmp(what, "chroot") == 0) {
		if (chroot(argv[++*i]) != 0 || chdir("/") != 0)
			_exit(STS_TARGET_BROKEN);
	} else if (strcmp(what, "close") == 0) {
		for (int fd = 0; fd < 3; fd++)
			close(fd);
	} else if (strcmp(what, "exit") == 0) {
		exit(number(argv, i));
	} else if (strcmp(what, "_exit") == 0) {
		_exit(number(argv, i));
	} else if (strcmp(what, "kill") == 0) {
		kill(getpid(), number(argv, i));
	} else {
		_exit(STS_TARGET_BROKEN);
	}
	wipe();
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		do_one(argv, &i);
	return 0;
}
