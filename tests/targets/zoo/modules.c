// SPDX-License-Identifier: BSD-2-Clause
/* Libraries that come and go. */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zoo.h"

/* The library is beside the program. */
static void *open_plug(bool own_namespace)
{
	char path[PATH_MAX], name[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	void *plug;

	zoo_need(n > 0, "/proc/self/exe");
	path[n] = '\0';
	snprintf(name, sizeof(name), "%s/libzoo-plug.so", dirname(path));
	plug = own_namespace ? dlmopen(LM_ID_NEWLM, name, RTLD_NOW) : dlopen(name, RTLD_NOW);
	if (plug == NULL)
		fprintf(stderr, "%s\n", dlerror());
	zoo_need(plug != NULL, "dlopen");
	return plug;
}

static void **place(const char *function, bool own_namespace)
{
	void **(*f)(void) = (void **(*)(void))dlsym(open_plug(own_namespace), function);

	zoo_need(f != NULL, function);
	return f();
}

static void plug_global(void)
{
	zoo_keep(place("plug_global", false), 100);
}

static void plug_namespace(void)
{
	zoo_keep(place("plug_global", true), 100);
}

static void plug_tls(void)
{
	zoo_keep(place("plug_tls", false), 100);
}

static void plug_tls_large(void)
{
	zoo_keep(place("plug_tls_large", false), 100);
}

static void plug_tls_thread(void)
{
	zoo_thread(plug_tls);
}

static void plug_tls_large_thread(void)
{
	zoo_thread(plug_tls_large);
}

static void *slot;

/* Its code has gone when the report names it. */
static void plug_closed(void)
{
	void *plug = open_plug(false);
	uintptr_t (*make)(void) = (uintptr_t(*)(void))dlsym(plug, "plug_make");

	zoo_need(make != NULL, "plug_make");
	zoo_put(&slot, make());
	zoo_need(dlclose(plug) == 0, "dlclose");
}

/* The last pointer goes with the library's memory. */
static void plug_closed_global(void)
{
	void *plug = open_plug(false);
	void **(*f)(void) = (void **(*)(void))dlsym(plug, "plug_global");
	bool lost = zoo_lost;

	zoo_need(f != NULL, "plug_global");
	zoo_lost = false;
	zoo_keep(f(), 100);
	if (lost)
		zoo_need(dlclose(plug) == 0, "dlclose");
}

const struct zoo_scenario zoo_modules[] = {{"plug_global", plug_global},
					   {"plug_namespace", plug_namespace},
					   {"plug_tls", plug_tls},
					   {"plug_tls_large", plug_tls_large},
					   {"plug_tls_thread", plug_tls_thread},
					   {"plug_tls_large_thread", plug_tls_large_thread},
					   {"plug_closed", plug_closed},
					   {"plug_closed_global", plug_closed_global},
					   {0}};
