// SPDX-License-Identifier: BSD-2-Clause
/* Modules as the report tells of them, and what options need to know of those that are loaded. */
#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "leaks/runtime/check.h"
#include "leaks/runtime/settings.h"
#include "leaks/unwind/modules.h"

enum { GLOBALS = 4096, PAGE = 4096 };

static struct sts_cut globals[GLOBALS];
static unsigned n_globals;
static size_t tls_size, tid_offset, result_offset;
static struct sts_cut own;

/* --- before the stop ----------------------------------------------------------------------------- */

static int note_globals(struct dl_phdr_info *info, size_t size, void *arg)
{
	for (unsigned i = 0; i < info->dlpi_phnum && n_globals < GLOBALS; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && (p->p_flags & PF_W))
			globals[n_globals++] = (struct sts_cut){start, start + p->p_memsz};
	}
	return 0;
}

/* Names do not tell: the program's own is empty in glibc's list, but not in musl's. */
static bool is_program(const struct dl_phdr_info *info)
{
	return (uintptr_t)info->dlpi_phdr == getauxval(AT_PHDR);
}

/* What of ours can be written holds addresses of blocks. Linked into the program it cannot be told from the program's.
 */
static int note_own(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t here = (uintptr_t)&own;

	own.end = 1; /* was looked for */
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || here < start || here - start >= p->p_memsz)
			continue;
		if (!is_program(info))
			own = (struct sts_cut){start, start + p->p_memsz};
		return 1;
	}
	return 0;
}

/* glibc's own way to tell, which has no header. */
static size_t ask_tls_size(void)
{
	void (*info)(size_t * size, size_t * align) =
		(void (*)(size_t *, size_t *))dlsym(RTLD_DEFAULT, "_dl_get_tls_static_info");
	/* The size is with the descriptor above; this is for debuggers. */
	const uint32_t *descriptor = dlsym(RTLD_DEFAULT, "_thread_db_sizeof_pthread");
	size_t size = 0, align = 0;

	if (info != NULL)
		info(&size, &align);
	return descriptor != NULL && size > *descriptor ? size - *descriptor : size;
}

void sts_modules_learn(void)
{
	enum { BITS, ELEMENTS, OFFSET };
	/* For debuggers. The result is the word before the parameters of scheduling. */
	const uint32_t *tid = dlsym(RTLD_DEFAULT, "_thread_db_pthread_tid");
	const uint32_t *priority = dlsym(RTLD_DEFAULT, "_thread_db_pthread_schedparam_sched_priority");

	if (tid == NULL || tid[BITS] != 32 || tid[OFFSET] >= PAGE)
		return;
	if (priority == NULL || priority[BITS] != 32 || priority[OFFSET] >= PAGE || priority[OFFSET] % 8 != 0)
		return;
	tid_offset = tid[OFFSET];
	result_offset = priority[OFFSET] - sizeof(void *);
}

void sts_modules_thread_offsets(size_t *tid_ret, size_t *result_ret)
{
	*tid_ret = tid_offset;
	*result_ret = result_offset;
}

void sts_modules_prepare(void)
{
	/* The loader is not asked without need: a signal handler may have interrupted it. */
	if ((!sts_settings.use_stacks || !sts_settings.use_tls) && tls_size == 0)
		tls_size = ask_tls_size();
	n_globals = 0;
	if (!sts_settings.use_globals)
		dl_iterate_phdr(note_globals, NULL);
	if (own.end == 0)
		dl_iterate_phdr(note_own, NULL);
}

void sts_modules_each_own(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg)
{
	f(arg, own.start, own.end);
}

size_t sts_modules_tls_size(void)
{
	return tls_size;
}

void sts_modules_each_data(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg)
{
	for (unsigned i = 0; i < n_globals; i++)
		f(arg, globals[i].start, globals[i].end);
}

/* --- the report ------------------------------------------------------------------------------------ */

void sts_modules_tell(struct sts_out *out)
{
	for (unsigned n = 1; n <= sts_module_count(); n++) {
		const struct sts_module *m = sts_module_get(n);
		struct sts_raw_module raw = {.id = n};

		if (m == NULL)
			continue;
		raw.alive = m->alive;
		raw.start = m->base;
		raw.end = m->end;
		raw.bias = m->bias;
		if (m->build_id_size <= sizeof(raw.build_id)) {
			raw.build_id_size = m->build_id_size;
			memcpy(raw.build_id, m->build_id, m->build_id_size);
		}
		sts_out_item(out, STS_RAW_MODULE, &raw, sizeof(raw), m->path, strlen(m->path));
	}
}
