// SPDX-License-Identifier: BSD-2-Clause
/* Before main, and after. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zoo.h"

static void *slot;
static bool in_destructor, in_destructor_frees;

static __attribute__((constructor)) void begin(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "constructor") != 0)
		return;
	zoo_lost = strcmp(argv[2], "lost") == 0;
	zoo_keep(&slot, 100);
}

static __attribute__((destructor)) void end(void)
{
	if (in_destructor)
		zoo_keep(&slot, 100);
	if (in_destructor_frees) {
		free(slot);
		slot = NULL;
	}
	zoo_scrub();
}

static void constructor(void)
{
}

static void destructor(void)
{
	in_destructor = true;
}

/* What a destructor frees was no leak before. */
static void destructor_frees(void)
{
	in_destructor_frees = true;
	slot = malloc(300);
	if (zoo_lost)
		zoo_new(100);
}

static void keep_one(void)
{
	zoo_keep(&slot, 100);
}

static void at_exit(void)
{
	zoo_need(atexit(keep_one) == 0, "atexit");
}

static void thread_leak(void)
{
	zoo_thread(keep_one);
}

/* Each end of a process has a report of its own; this one's child is lost. */
static void in_child(void)
{
	int status;
	pid_t pid = fork();

	zoo_need(pid >= 0, "fork");
	if (pid == 0) {
		keep_one();
		exit(0);
	}
	zoo_need(waitpid(pid, &status, 0) == pid, "waitpid");
}

/* Both lose what was lost before. */
static void before_fork(void)
{
	keep_one();
	zoo_scrub();
	if (fork() == 0)
		_exit(0);
	wait(NULL);
}

/* A key's destructor frees what the thread had. */
static void *own_main(void *arg)
{
	pthread_setspecific(*(pthread_key_t *)arg, malloc(50));
	if (zoo_lost)
		zoo_new(100);
	zoo_scrub();
	return NULL;
}

static void key_destructor(void)
{
	pthread_key_t key;
	pthread_t t;

	zoo_need(pthread_key_create(&key, free) == 0 && pthread_create(&t, NULL, own_main, &key) == 0 &&
			 pthread_join(t, NULL) == 0,
		 "thread");
}

const struct zoo_scenario zoo_ends[] = {{"constructor", constructor},
					{"destructor", destructor},
					{"destructor_frees", destructor_frees},
					{"at_exit", at_exit},
					{"thread_leak", thread_leak},
					{"in_child", in_child},
					{"before_fork", before_fork},
					{"key_destructor", key_destructor},
					{0}};
