/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done to calls: the expressions of -e inject and -e fault, which are strace's. Doing it is tamper.c's. */
#include "cli/truss/truss.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include "decode/tables.h"

#define WHEN_MAX 65535
#define ERROR_MAX 4095
#define DELAY_MAX_SECONDS 1e9

static int refuse(const char *part, const char *why)
{
	sts_usage_error("truss", "injection: '%s': %s", part, why);
	return -EINVAL;
}

/* --- numbers and names ------------------------------------------------------------------ */

static bool take_number(const char **at, unsigned max, unsigned *ret)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	errno = 0;
	unsigned long n = strtoul(*at, &end, 10);
	if (errno || n < 1 || n > max)
		return false;
	*at = end;
	*ret = (unsigned)n;
	return true;
}

static int error_named(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} others[] = {{"EWOULDBLOCK", EWOULDBLOCK}, {"EDEADLOCK", EDEADLOCK}, {"ENOTSUP", ENOTSUP}};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcasecmp(others[i].name, name) == 0)
			return others[i].number;
	for (int error = 1; error <= ERROR_MAX; error++) {
		const char *known = strerrorname_np(error);

		if (known && strcasecmp(known, name) == 0)
			return error;
	}
	return 0;
}

/* --- parts -------------------------------------------------------------------------------- */

static int set_result(struct truss_injection *in, const char *part, int64_t result)
{
	if (in->has_result)
		return refuse(part, "a call has one result: give error= or retval= once");
	in->has_result = true;
	in->result = result;
	return 0;
}

static int set_error(struct truss_injection *in, const char *part, char *value)
{
	const char *at = value;
	unsigned number;
	int error = error_named(value);

	if (error == 0 && take_number(&at, ERROR_MAX, &number) && !*at)
		error = (int)number;
	return error == 0 ? refuse(part, "no error has that name, and numbers are 1 to 4095")
			  : set_result(in, part, -error);
}

static int set_retval(struct truss_injection *in, const char *part, char *value)
{
	char *end;

	errno = 0;
	/* All 64 bits, with or without a sign. */
	int64_t result = value[0] == '-' ? strtoll(value, &end, 0) : (int64_t)strtoull(value, &end, 0);
	if (errno || end == value || *end)
		return refuse(part, "a result is a number");
	return set_result(in, part, result);
}

static int set_signal(struct truss_injection *in, const char *part, char *value)
{
	if (in->signal)
		return refuse(part, "one signal= is enough");
	for (char *c = value; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	in->signal = sts_decode_signal_number(value);
	return in->signal > 0 ? 0 : refuse(part, "no signal has that name or number");
}

static bool is_pure(const char *name)
{
	struct sts_call_filter pure;
	const char *bad, *known;
	size_t at = 0;

	if (sts_call_filter_parse("%pure", &pure, &bad) < 0)
		return false;
	while ((known = sts_call_filter_next(&pure, &at)) && strcmp(known, name) != 0)
		;
	return known != NULL;
}

static int set_call(struct truss_injection *in, const char *part, char *value)
{
	if (in->call)
		return refuse(part, "one syscall= is enough");
	if (!is_pure(value))
		return refuse(part, "only calls of %pure can stand in for another ('--list-set=%pure' names them)");
	in->call = strdup(value);
	return in->call ? 0 : -ENOMEM;
}

static int parse_delay(const char *part, const char *value, int64_t *ret)
{
	static const struct {
		const char *name;
		double nanoseconds;
	} units[] = {{"", 1e3}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
	char *end;
	double n = strtod(value, &end);

	if (end == value || !isfinite(n) || n < 0)
		return refuse(part, "a delay is a number of microseconds, or one with s, ms, us or ns");
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].name, end) == 0 && n * units[i].nanoseconds <= DELAY_MAX_SECONDS * 1e9) {
			*ret = (int64_t)(n * units[i].nanoseconds);
			return 0;
		}
	return refuse(part, "a delay is a number of microseconds, or one with s, ms, us or ns");
}

static int set_delay_enter(struct truss_injection *in, const char *part, char *value)
{
	in->delays[TRUSS_ENTER] = true;
	return parse_delay(part, value, &in->delay[TRUSS_ENTER]);
}

static int set_delay_exit(struct truss_injection *in, const char *part, char *value)
{
	in->delays[TRUSS_EXIT] = true;
	return parse_delay(part, value, &in->delay[TRUSS_EXIT]);
}

/* "@argN=HEX" */
static int add_poke(struct truss_injection *in, const char *part, const char *word, bool leaving)
{
	unsigned arg = 0;
	size_t len = strlen(word);

	if (len > 6 && strncmp(word, "@arg", 4) == 0 && word[5] == '=')
		arg = (unsigned)(word[4] - '0');
	len = len > 6 ? (len - 6) : 0;
	if (arg < 1 || arg > 6 || len == 0 || len % 2 || len / 2 > TRUSS_POKE_MAX ||
	    strspn(word + 6, "0123456789abcdefABCDEF") != len)
		return refuse(part, "is no list of @argN=HEX, N being 1 to 6");
	struct truss_poke *grown = realloc(in->pokes, (in->n_pokes + 1) * sizeof *grown);
	if (!grown)
		return -ENOMEM;
	in->pokes = grown;
	struct truss_poke *poke = &grown[in->n_pokes++];
	*poke = (struct truss_poke){.leaving = leaving, .arg = arg - 1, .len = len / 2};
	for (size_t i = 0; i < poke->len; i++)
		sscanf(word + 6 + 2 * i, "%2hhx", &poke->bytes[i]);
	return 0;
}

static int add_pokes(struct truss_injection *in, const char *part, char *value, bool leaving)
{
	char *save = NULL;
	int r = *value ? 0 : refuse(part, "is no list of @argN=HEX, N being 1 to 6");

	for (char *word = strtok_r(value, ",", &save); word && r == 0; word = strtok_r(NULL, ",", &save))
		r = add_poke(in, part, word, leaving);
	return r;
}

static int set_poke_enter(struct truss_injection *in, const char *part, char *value)
{
	return add_pokes(in, part, value, false);
}

static int set_poke_exit(struct truss_injection *in, const char *part, char *value)
{
	return add_pokes(in, part, value, true);
}

/* FIRST[..LAST][+[STEP]]; the last one given counts. */
static int set_when(struct truss_injection *in, const char *part, char *value)
{
	const char *at = value;
	bool good = take_number(&at, WHEN_MAX, &in->first);

	in->last = UINT_MAX;
	in->step = 0;
	if (good && strncmp(at, "..", 2) == 0) {
		at += 2;
		in->step = 1;
		good = take_number(&at, WHEN_MAX - 1, &in->last) && in->last >= in->first;
	}
	if (good && *at == '+') {
		at++;
		in->step = 1;
		good = !*at || take_number(&at, WHEN_MAX, &in->step);
	}
	return good && !*at ? 0
			    : refuse(part, "is not FIRST[..LAST][+[STEP]], numbers being 1 to 65535, LAST to 65534");
}

static const struct {
	const char *name;
	bool fault; /* -e fault has it too */
	int (*set)(struct truss_injection *in, const char *part, char *value);
} parts[] = {
	{"error=", true, set_error},
	{"retval=", false, set_retval},
	{"signal=", false, set_signal},
	{"syscall=", false, set_call},
	{"delay_enter=", false, set_delay_enter},
	{"delay_exit=", false, set_delay_exit},
	{"poke_enter=", false, set_poke_enter},
	{"poke_exit=", false, set_poke_exit},
	{"when=", true, set_when},
};

static int set_part(struct truss_injection *in, const char *part, bool fault)
{
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		size_t len = strlen(parts[i].name);

		if (strncmp(part, parts[i].name, len) != 0 || (fault && !parts[i].fault))
			continue;
		char *value = strdup(part + len);
		int r = value ? parts[i].set(in, part, value) : -ENOMEM;
		free(value);
		return r;
	}
	return refuse(part, fault ? "fault has error= and when=; inject has more"
				  : "is none of error=, retval=, signal=, syscall=, delay_enter=, delay_exit=, "
				    "poke_enter=, poke_exit=, when=");
}

/* --- the whole ------------------------------------------------------------------------------- */

static int check(const struct truss_injection *in, const char *text)
{
	if (in->call && !in->has_result)
		return refuse(text, "syscall= needs error= or retval=");
	if (!in->has_result && !in->signal && !in->delays[TRUSS_ENTER] && !in->delays[TRUSS_EXIT] && in->n_pokes == 0)
		return refuse(text, "says nothing to inject: error=, retval=, signal=, delay_enter=, delay_exit=, "
				    "poke_enter= or poke_exit=");
	return 0;
}

static int parse(struct truss_injection *in, char *text, bool fault)
{
	const char *bad;
	char *save = NULL, *whole = strdup(text);
	char *set = strtok_r(text, ":", &save);
	int r = !whole ? -ENOMEM : set && whole[0] != ':' ? 0 : refuse(whole, "names no calls");

	if (r == 0 && (r = sts_call_filter_parse(set, &in->calls, &bad)) == -EINVAL)
		r = refuse(bad, "is no system call or set of them");
	for (char *part; r == 0 && (part = strtok_r(NULL, ":", &save));)
		r = set_part(in, part, fault);
	if (r == 0 && fault && !in->has_result)
		r = set_result(in, whole, -ENOSYS);
	if (r == 0)
		r = check(in, whole);
	free(whole);
	return r;
}

static void free_one(struct truss_injection *in)
{
	free(in->call);
	free(in->pokes);
}

int truss_injections_add(struct truss_injections *all, char *text, bool fault)
{
	struct truss_injection in = {.first = 1, .last = UINT_MAX, .step = 1};
	int r = parse(&in, text, fault);
	struct truss_injection *grown = r == 0 ? realloc(all->list, (all->n + 1) * sizeof *grown) : NULL;

	if (!grown) {
		free_one(&in);
		return r < 0 ? r : -ENOMEM;
	}
	grown[all->n++] = in;
	all->list = grown;
	return 0;
}

void truss_injections_free(struct truss_injections *all)
{
	for (size_t i = 0; i < all->n; i++)
		free_one(&all->list[i]);
	free(all->list);
}

bool truss_injections_need_exits(const struct truss_injections *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct truss_injection *in = &all->list[i];

		if (in->call || in->delays[TRUSS_EXIT])
			return true;
		for (size_t j = 0; j < in->n_pokes; j++)
			if (in->pokes[j].leaving)
				return true;
	}
	return false;
}

static void add_calls(struct stasis_call_set *set, const struct truss_injection *in)
{
	for (size_t abi = 0; abi < sizeof set->bits / sizeof set->bits[0]; abi++)
		for (size_t i = 0; i < STASIS_CALL_NUMBERS / 64; i++)
			set->bits[abi][i] |= in->calls.bits[abi][i];
	set->others |= in->calls.beyond;
	/* Its exit is that of the call that stands in. */
	for (enum stasis_abi abi = STASIS_ABI_X86_64; in->call && abi <= STASIS_ABI_X32; abi++) {
		int number = stasis_syscall_number(abi, in->call);

		if (number >= 0)
			stasis_call_set_add(set, abi, (uint64_t)number);
	}
}

void truss_injections_add_to(const struct truss_injections *all, struct stasis_call_set *set)
{
	for (size_t i = 0; i < all->n; i++)
		add_calls(set, &all->list[i]);
}

const struct truss_injection *truss_injections_find(const struct truss_injections *all, enum stasis_abi abi,
						    uint64_t number)
{
	for (size_t i = all->n; i-- > 0;)
		if (sts_call_filter_match(&all->list[i].calls, abi, number))
			return &all->list[i];
	return NULL;
}

bool truss_injection_due(const struct truss_injection *in, unsigned count)
{
	if (count < in->first || count > in->last)
		return false;
	return in->step == 0 ? count == in->first : (count - in->first) % in->step == 0;
}
