// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls getppid(2) at the end of a known chain of functions: level_1 calls level_2... up to level_8. What argv[1] says:
 *   deep [N]       N times
 *   signal         in a handler, of a signal raised by level_8
 *   fork, vfork    in a child
 *   thread         in a thread
 *   deleted        having removed the program's own file
 *   plug FILE...   in each of the libraries, which are loaded for that and unloaded again
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

static volatile int sink;
static int raises;

ALONE int level_8(int n);
ALONE int level_7(int n);
ALONE int level_6(int n);
ALONE int level_5(int n);
ALONE int level_4(int n);
ALONE int level_3(int n);
ALONE int level_2(int n);
ALONE int level_1(int n);

/* Each keeps something in registers that calls preserve, and has a frame of another size. */
#define LEVEL(name, next, size)                                                                                        \
	int name(int n)                                                                                                \
	{                                                                                                              \
		volatile char room[size];                                                                              \
		int a = n * size, b = n ^ size;                                                                        \
                                                                                                                       \
		room[n & 3] = (char)n;                                                                                 \
		sink += next;                                                                                          \
		sink += a + b + room[n & 3];                                                                           \
		return sink;                                                                                           \
	}

LEVEL(level_8, raises ? raise(SIGUSR1) : (int)getppid(), 8)
LEVEL(level_7, level_8(n + 1), 24)
LEVEL(level_6, level_7(n + 1), 300)
LEVEL(level_5, level_6(n + 1), 16)
LEVEL(level_4, level_5(n + 1), 5000)
LEVEL(level_3, level_4(n + 1), 8)
LEVEL(level_2, level_3(n + 1), 100)
LEVEL(level_1, level_2(n + 1), 8)

static void on_signal(int signal)
{
	sink += getppid();
}

static void *run_thread(void *arg)
{
	return level_1(3) == 0 ? arg : NULL;
}

static int in_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, run_thread, NULL) || pthread_join(thread, NULL);
}

static int in_child(int by_vfork)
{
	pid_t pid = by_vfork ? vfork() : fork();

	if (pid == 0) {
		level_1(4);
		_exit(0);
	}
	return pid < 0 || waitpid(pid, NULL, 0) != pid;
}

#ifdef STATIC /* which has no loader */
static int in_plugs(char **files)
{
	return 1;
}
#else
static int in_plugs(char **files)
{
	for (; *files; files++) {
		void *plug = dlopen(*files, RTLD_NOW);
		int (*call)(void);

		if (!plug)
			return 1;
		*(void **)&call = dlsym(plug, "plug");
		sink += call();
		if (dlclose(plug) != 0)
			return 1;
	}
	return 0;
}
#endif

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "deep";
	int n = strcmp(how, "deep") == 0 && argc > 2 ? atoi(argv[2]) : 1;

	if (strcmp(how, "fork") == 0 || strcmp(how, "vfork") == 0)
		return in_child(how[0] == 'v');
	if (strcmp(how, "thread") == 0)
		return in_thread();
	if (strcmp(how, "plug") == 0)
		return in_plugs(argv + 2);
	if (strcmp(how, "deleted") == 0 && unlink(argv[0]) != 0)
		return 1;
	if (strcmp(how, "signal") == 0) {
		raises = 1;
		signal(SIGUSR1, on_signal);
	}
	for (int i = 0; i < n; i++)
		level_1(i);
	return 0;
}
