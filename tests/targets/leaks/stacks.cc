// SPDX-License-Identifier: BSD-2-Clause
// Blocks made through libc, the C++ library and a library without frame pointers. For each the functions of its stack
// are printed, innermost first, as far as the loader knows their names.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <sstream>
#include <string>

extern "C" {
size_t __stasis_leaks_stack_of(const void *p, uintptr_t *pcs, size_t max) __attribute__((weak));
void *nofp_a(size_t size);

static void *kept;

// None is inlined, and none ends with a jump to what it calls.
#define APP(name_) __attribute__((noinline)) void *name_()
#define RETURN(...)                                                                                                    \
	do {                                                                                                           \
		void *ret_ = (void *)(__VA_ARGS__);                                                                    \
		__asm__ volatile("" : "+r"(ret_));                                                                     \
		return ret_;                                                                                           \
	} while (0)

APP(app_new)
{
	RETURN(new int[30]);
}

APP(app_new_object)
{
	RETURN(new std::pair<int, int>(1, 2));
}

APP(app_malloc)
{
	RETURN(malloc(30));
}

APP(app_strdup)
{
	RETURN(strdup("some text that is copied"));
}

APP(app_getline)
{
	FILE *f = fopen("/proc/self/stat", "r");
	char *line = nullptr;
	size_t size = 0;

	if (f == nullptr || getline(&line, &size, f) <= 0)
		exit(1);
	fclose(f);
	RETURN(line);
}

APP(app_asprintf)
{
	char *text;

	if (asprintf(&text, "%d and %s", 17, "more") < 0)
		exit(1);
	RETURN(text);
}

__attribute__((noinline)) int app_compare(const void *a, const void *b)
{
	if (kept == nullptr)
		kept = malloc(20);
	return *(const int *)a - *(const int *)b;
}

APP(app_qsort)
{
	int n[] = {3, 2, 1};

	kept = nullptr;
	qsort(n, 3, sizeof(*n), app_compare);
	RETURN(kept);
}

APP(app_string)
{
	std::string *s = new std::string("short");

	s->append(100, 'x');
	RETURN(s->data());
}

struct open_buffer : std::stringbuf {
	const char *begin() const
	{
		return pbase();
	}
};

APP(app_stringstream)
{
	open_buffer *buffer = new open_buffer;
	std::ostream out(buffer);

	for (int i = 0; i < 200; i++)
		out << i << ' ';
	RETURN(buffer->begin());
}

APP(app_map)
{
	std::map<int, int> *m = new std::map<int, int>;

	(*m)[17] = 4;
	RETURN(&*m->begin());
}

APP(app_nofp)
{
	RETURN(nofp_a(10));
}
}

static const struct {
	const char *name;
	void *(*make)();
} records[] = {
	{"new[]", app_new},	{"new", app_new_object},  {"malloc", app_malloc},
	{"strdup", app_strdup}, {"getline", app_getline}, {"asprintf", app_asprintf},
	{"qsort", app_qsort},	{"string", app_string},	  {"stringstream", app_stringstream},
	{"map", app_map},	{"nofp", app_nofp},
};

int main()
{
	for (const auto &record : records) {
		uintptr_t pcs[64];
		size_t n = __stasis_leaks_stack_of(record.make(), pcs, 64);

		printf("%s:", record.name);
		for (size_t i = 0; i < n && i < 64; i++) {
			Dl_info info;

			if (dladdr((void *)(pcs[i] - 1), &info) != 0 && info.dli_sname != nullptr)
				printf(" %s", info.dli_sname);
		}
		printf("\n");
	}
	return 0;
}
