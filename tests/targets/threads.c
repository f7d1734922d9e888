// SPDX-License-Identifier: BSD-2-Clause
/* target-threads N: N threads beside the first sleep until it is told to leave; then each counts itself. */
#include "shared.h"

#include <limits.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int leaving, arrived;
static struct sts_shared *sh;

static void *sleeper(void *arg)
{
	pthread_mutex_lock(&lock);
	arrived++;
	pthread_cond_broadcast(&cond);
	while (!leaving)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	atomic_fetch_add(&sh->counter[0], 1);
	return arg;
}

int main(int argc, char **argv)
{
	struct sts_target_pipe p = sts_target_pipe(0);
	int n = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));
	pthread_attr_t attr;

	sh = sts_target_shared();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN + 16384);
	for (int i = 0; i < n; i++) {
		if (pthread_create(&threads[i], &attr, sleeper, NULL) != 0)
			sts_target_fail("pthread_create");
	}
	pthread_mutex_lock(&lock);
	while (arrived < n)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	sts_target_send(&p, "ready");
	sts_target_await(&p, "leave");
	pthread_mutex_lock(&lock);
	leaving = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return sh->counter[0] == (uint64_t)n ? 0 : 1;
}
