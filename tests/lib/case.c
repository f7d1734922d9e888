// SPDX-License-Identifier: BSD-2-Clause
/* From STS_TC to ATF: registration, metadata, and the run of a case under its supervisor. */
#include "test.h"
#include "supervise.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	BOUND_MS = 10000,
	/* Past the supervisor's own limit, for when the supervisor itself is stuck. */
	OUTER_MARGIN_S = 30,
};

static struct sts_case *first_case, **last_link = &first_case;
static const struct sts_case *running;

void sts_case_register(struct sts_case *c)
{
	*last_link = c;
	last_link = &c->next;
}

static const struct sts_case *find_case(const char *name)
{
	for (const struct sts_case *c = first_case; c != NULL; c = c->next) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

enum sts_kind sts_kind(void)
{
	return running != NULL ? running->kind : STS_ANY;
}

static double factor(const char *variable, double otherwise)
{
	const char *text = getenv(variable);
	double value = text != NULL ? atof(text) : 0;

	return value > 0 ? value : otherwise;
}

static double time_factor(void)
{
	return factor("STASIS_TEST_TIME_FACTOR", 1);
}

int sts_bound_ms(void)
{
	return (int)(BOUND_MS * time_factor());
}

unsigned sts_rounds(unsigned full, unsigned least)
{
	double n = full * factor("STASIS_STRESS_ROUNDS", 0.05);

	return n > least ? (unsigned)n : least;
}

uint64_t sts_seed(void)
{
	const char *text = getenv("STASIS_TEST_SEED");
	uint64_t seed = 0;

	if (text != NULL)
		seed = strtoull(text, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		atf_tc_fail("getrandom failed");
	fprintf(stderr, "STASIS_TEST_SEED=%#llx\n", (unsigned long long)seed);
	return seed;
}

uint64_t sts_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

long sts_check_sys(long result, const char *text, const char *file, int line)
{
	if (result == -1)
		atf_tc_fail("%s:%d: %s: %s", file, line, text, strerror(errno));
	return result;
}

static void head(struct atf_tc *tc)
{
	const struct sts_case *c = find_case(atf_tc_get_ident(tc));

	atf_tc_set_md_var(tc, "descr", "%s", c->descr);
	atf_tc_set_md_var(tc, "timeout", "%u", (unsigned)(c->timeout_s * time_factor()) + OUTER_MARGIN_S);
	if (c->require_user != NULL)
		atf_tc_set_md_var(tc, "require.user", "%s", c->require_user);
	if (c->require_progs != NULL)
		atf_tc_set_md_var(tc, "require.progs", "%s", c->require_progs);
}

/* End as the body ended, so that ATF sees what it would have seen of the body itself. */
static void end_alike(int status)
{
	const struct rlimit none = {0, 0};

	if (WIFSIGNALED(status)) {
		setrlimit(RLIMIT_CORE, &none);
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

static void judge(const struct sts_verdict *v)
{
	if (v->timed_out)
		atf_tc_fail("%s ran for more than %u s; %s", running->name,
			    (unsigned)(running->timeout_s * time_factor()), v->findings);
	if (v->findings[0] != '\0' && v->status == 0)
		atf_tc_fail("%s", v->findings);
	if (v->findings[0] != '\0')
		fprintf(stderr, "besides: %s\n", v->findings);
	fflush(NULL);
	end_alike(v->status);
}

static void body(const struct atf_tc *tc)
{
	struct sts_supervisor sv;
	pid_t pid;

	running = find_case(atf_tc_get_ident(tc));
	if (getenv("STASIS_TEST_BARE") != NULL) {
		running->body();
		return;
	}
	pid = sts_supervisor_start(&sv, true);
	if (pid < 0)
		atf_tc_fail("the supervisor could not start");
	if (pid > 0) {
		sts_supervisor_finish(&sv, (uint64_t)(running->timeout_s * 1000 * time_factor()));
		judge(sv.verdict);
	}
	sts_watch_begin(sv.verdict);
	running->body();
	sts_shared_release();
	sts_watch_end();
}

static atf_error_t add_cases(atf_tp_t *tp)
{
	static struct atf_tc tcs[512];
	static struct atf_tc_pack packs[512];
	size_t i = 0;

	for (const struct sts_case *c = first_case; c != NULL && i < 512; c = c->next, i++) {
		struct atf_tc_pack pack = {.m_ident = c->name, .m_head = head, .m_body = body};
		char **config = atf_tp_get_config(tp);
		atf_error_t error;

		if (config == NULL)
			return atf_no_memory_error();
		memcpy(&packs[i], &pack, sizeof(pack));
		error = atf_tc_init_pack(&tcs[i], &packs[i], (const char *const *)config);
		atf_utils_free_charpp(config);
		if (!atf_is_error(error))
			error = atf_tp_add_tc(tp, &tcs[i]);
		if (atf_is_error(error))
			return error;
	}
	return atf_no_error();
}

int atf_tp_main(int argc, char **argv, atf_error_t (*add)(atf_tp_t *));

int main(int argc, char **argv)
{
	return atf_tp_main(argc, argv, add_cases);
}
