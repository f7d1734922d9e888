/* SPDX-License-Identifier: BSD-2-Clause */
/* -u: the command as somebody else, with all the groups that a login would give. */
#include "cli/truss/truss.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>

static const struct passwd *find(const char *user)
{
	char *end;
	unsigned long uid;
	const struct passwd *known = getpwnam(user);

	if (known)
		return known;
	errno = 0;
	uid = strtoul(user, &end, 10);
	return *user && !*end && user[0] != '-' && errno == 0 && uid < UINT_MAX ? getpwuid((uid_t)uid) : NULL;
}

static gid_t *find_groups(const struct passwd *user, size_t *n_ret)
{
	int n = 64, had;
	gid_t *groups = NULL, *grown;

	do {
		had = n;
		grown = realloc(groups, (size_t)n * sizeof *groups);
		if (!grown) {
			free(groups);
			return NULL;
		}
		groups = grown;
	} while (getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0 && n > had);
	*n_ret = (size_t)n;
	return groups;
}

bool truss_user_set(const char *name, struct stasis_spawn_opts *opts)
{
	const struct passwd *user = find(name);

	if (!user) {
		sts_complain("truss", "there is no user '%s'", name);
		return false;
	}
	opts->groups = find_groups(user, &opts->n_groups);
	if (!opts->groups) {
		sts_complain("truss", "%s", strerror(ENOMEM));
		return false;
	}
	opts->use_uid = true;
	opts->uid = user->pw_uid;
	opts->gid = user->pw_gid;
	return true;
}

void truss_user_free(struct stasis_spawn_opts *opts)
{
	free((gid_t *)opts->groups);
}
