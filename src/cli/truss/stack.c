/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * -k: by whom a call was made. The code of each file is looked at once, whoever runs it (symbols/code.h); of each
 * process it is kept what is mapped where, until a call may have changed that. A stack is taken at the
 * entry: afterwards an exec, an end or an unmapping may have taken away what it speaks of.
 */
#include "cli/truss/truss.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/code.h"

#define DEPTH_MAX 256
#define BLOCK 4096		       /* of a tracee's stack, read at once */
#define IMAGE_MAX ((uint64_t)64 << 20) /* of a file that is only in memory */
#define CS_I386 0x23

struct truss_module {
	struct {
		uint64_t inode;
		uint32_t major, minor;
		bool narrow; /* for what has no inode, as the vdso */
	} key;
	char *path;
	struct sts_code *code; /* NULL: it cannot be read */
	UT_hash_handle hh;
};

/* Executable memory. */
struct area {
	uint64_t start, end;
	struct truss_module *module; /* NULL: of no file */
	uint64_t bias;		     /* addresses less those the file was linked for */
};

struct truss_space {
	pid_t pid;
	bool stale;
	struct area *areas; /* in rising order */
	size_t n;
	UT_hash_handle hh;
};

struct reader {
	struct truss *t;
	pid_t pid;
	uint64_t start;
	size_t len;
	unsigned char block[BLOCK];
};

/* --- memory ------------------------------------------------------------------------------ */

static bool read_stack(void *arg, uint64_t address, void *buf, size_t len)
{
	struct reader *r = arg;

	if (address < r->start || address - r->start + len > r->len) {
		r->start = address;
		r->len = 0;
		if (stasis_memory_read(r->t->session, r->pid, address, r->block, BLOCK, &r->len) < 0 || r->len < len)
			return false;
	}
	memcpy(buf, r->block + (address - r->start), len);
	return true;
}

struct image {
	struct truss *t;
	pid_t pid;
	const struct stasis_map *like;
	int fd;
};

static int copy_map(void *arg, const struct stasis_map *map)
{
	const struct image *image = arg;
	char block[BLOCK];
	size_t got;

	if (strcmp(map->path, image->like->path) != 0 || map->inode != image->like->inode ||
	    map->offset + (map->end - map->start) > IMAGE_MAX)
		return 0;
	for (uint64_t at = map->start; at < map->end; at += got) {
		if (stasis_memory_read(image->t->session, image->pid, at, block, sizeof block, &got) < 0 || got == 0)
			break;
		if (pwrite(image->fd, block, got, (off_t)(map->offset + (at - map->start))) != (ssize_t)got)
			return -errno;
	}
	return 0;
}

/* A file as far as it is mapped: the vdso, or one that is deleted. */
static int open_image(struct truss *t, pid_t pid, const struct stasis_map *map)
{
	struct image image = {t, pid, map, memfd_create("image", MFD_CLOEXEC)};

	if (image.fd >= 0 && stasis_maps_each(t->session, pid, copy_map, &image) < 0) {
		close(image.fd);
		return -1;
	}
	return image.fd;
}

/* The very file, also if its name leads elsewhere by now; names are those of the process's root. */
static int open_file(struct truss *t, pid_t pid, const struct stasis_map *map)
{
	char path[4200];
	struct stat st;

	if (map->path[0] != '/')
		return open_image(t, pid, map);
	snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)map->start,
		 (unsigned long long)map->end);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof path, "/proc/%d/root%s", pid, map->path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == map->inode)
		return fd;
	if (fd >= 0)
		close(fd);
	return open_image(t, pid, map);
}

/* --- who is mapped where ------------------------------------------------------------------- */

static struct truss_module *find_module(struct truss *t, pid_t pid, const struct stasis_map *map, bool narrow)
{
	struct truss_module *m, blank = {0};

	blank.key.inode = map->inode;
	blank.key.major = map->device_major;
	blank.key.minor = map->device_minor;
	blank.key.narrow = narrow && map->inode == 0;
	HASH_FIND(hh, t->modules, &blank.key, sizeof blank.key, m);
	if (m)
		return m;
	m = calloc(1, sizeof *m);
	if (!m)
		return NULL;
	memcpy(&m->key, &blank.key, sizeof m->key);
	m->path = strdup(map->path);
	int fd = open_file(t, pid, map);
	m->code = fd >= 0 ? sts_code_open(fd, map->path, t->options.stacks > 1) : NULL;
	HASH_ADD_KEYPTR(hh, t->modules, &m->key, sizeof m->key, m);
	return m;
}

struct survey {
	struct truss *t;
	struct truss_space *space;
	bool narrow;
};

static int add_area(void *arg, const struct stasis_map *map)
{
	const struct survey *survey = arg;
	struct truss_space *s = survey->space;
	bool vsyscall = strcmp(map->path, "[vsyscall]") == 0; /* the kernel's, and cannot be read */
	uint64_t linked = 0;

	if (!map->executable || vsyscall)
		return 0;
	struct area *more = reallocarray(s->areas, s->n + 1, sizeof *more);
	if (!more)
		return -ENOMEM;
	s->areas = more;
	struct truss_module *m = map->inode != 0 || strcmp(map->path, "[vdso]") == 0
					 ? find_module(survey->t, s->pid, map, survey->narrow)
					 : NULL;
	if (m && m->code && sts_code_address(m->code, map->offset, &linked))
		more[s->n++] = (struct area){map->start, map->end, m, map->start - linked};
	else
		more[s->n++] = (struct area){map->start, map->end, m, 0};
	return 0;
}

static void look_again(struct truss *t, struct truss_space *s, bool narrow)
{
	struct survey survey = {t, s, narrow};

	s->n = 0;
	s->stale = stasis_maps_each(t->session, s->pid, add_area, &survey) < 0;
}

static struct truss_space *find_space(struct truss *t, pid_t pid)
{
	struct truss_space *s;

	HASH_FIND_INT(t->spaces, &pid, s);
	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->pid = pid;
	s->stale = true;
	HASH_ADD_INT(t->spaces, pid, s);
	return s;
}

static const struct area *find_area(const struct truss_space *s, uint64_t address)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->areas[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n && s->areas[low].start <= address ? &s->areas[low] : NULL;
}

void truss_spaces_forget(struct truss *t, pid_t pid)
{
	struct truss_space *s, *next;

	HASH_ITER(hh, t->spaces, s, next) {
		if (pid != 0 && s->pid != pid)
			continue;
		HASH_DEL(t->spaces, s);
		free(s->areas);
		free(s);
	}
}

void truss_stacks_free(struct truss *t)
{
	struct truss_module *m, *next;

	truss_spaces_forget(t, 0);
	HASH_ITER(hh, t->modules, m, next) {
		HASH_DEL(t->modules, m);
		sts_code_close(m->code);
		free(m->path);
		free(m);
	}
}

/* --- what changes it ----------------------------------------------------------------------- */

static bool overlaps(const struct truss_space *s, uint64_t start, uint64_t len)
{
	for (size_t i = 0; i < s->n; i++)
		if (start < s->areas[i].end && s->areas[i].start < start + len)
			return true;
	return false;
}

static bool concerns(const struct truss_space *s, const char *name, const struct stasis_event_syscall *call)
{
	const uint64_t *args = call->args;

	if (strcmp(name, "mmap") == 0 || strcmp(name, "mmap2") == 0)
		return args[2] & PROT_EXEC || overlaps(s, (uint64_t)call->result, args[1]);
	if (strcmp(name, "mprotect") == 0 || strcmp(name, "pkey_mprotect") == 0)
		return args[2] & PROT_EXEC || overlaps(s, args[0], args[1]);
	if (strcmp(name, "munmap") == 0)
		return overlaps(s, args[0], args[1]);
	return strcmp(name, "mremap") == 0 &&
	       (overlaps(s, args[0], args[1]) || overlaps(s, (uint64_t)call->result, args[2]));
}

void truss_stacks_learn(struct truss *t, const struct stasis_event_syscall *call)
{
	const char *name = t->spaces && !call->is_error ? stasis_syscall_name(call->abi, call->number) : "";
	struct truss_space *s;
	bool changed = false;

	if (name[0] != 'm' && name[0] != 'p')
		return;
	/* Children of vfork share their parent's memory: whose it is matters little, looking again is cheap. */
	for (s = t->spaces; s && !changed; s = s->hh.next)
		changed = concerns(s, name, call);
	for (s = t->spaces; s && changed; s = s->hh.next)
		s->stale = true;
}

/* --- stacks -------------------------------------------------------------------------------- */

/* The order of DWARF's numbers. */
static void begin_frame(const struct stasis_regs_x86 *r, struct sts_frame *f)
{
	*f = (struct sts_frame){.wide = r->cs != CS_I386};
	if (f->wide)
		memcpy(f->regs,
		       (const uint64_t[]){r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8, r->r9,
					  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip},
		       17 * sizeof(uint64_t));
	else
		memcpy(f->regs,
		       (const uint64_t[]){r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi, r->rip},
		       9 * sizeof(uint64_t));
	f->known = f->wide ? 0x1ffff : 0x1ff;
}

static bool add_frame(struct truss_stack *stack, uint64_t pc, const struct area *area, bool call)
{
	if (stack->n == stack->room) {
		size_t room = stack->room ? 2 * stack->room : 16;
		struct truss_frame *more = reallocarray(stack->frames, room, sizeof *more);

		if (!more)
			return false;
		stack->frames = more;
		stack->room = room;
	}
	struct truss_frame *f = &stack->frames[stack->n++];
	*f = (struct truss_frame){.address = pc, .module_offset = pc};
	if (!area || !area->module)
		return true;
	f->module = area->module->path;
	f->module_offset = pc - area->bias;
	f->site = area->module->code ? sts_code_site(area->module->code, f->module_offset, call) : NULL;
	return true;
}

static bool returns_from_call(const struct truss_space *s, const struct sts_frame *f, struct reader *r)
{
	unsigned char code[STS_CALL_BYTES];
	uint64_t pc = f->regs[sts_frame_pc(f)];
	size_t got;

	return find_area(s, pc - 1) &&
	       stasis_memory_read(r->t->session, r->pid, pc - sizeof code, code, sizeof code, &got) == 0 &&
	       got == sizeof code && sts_is_call(code);
}

/* Where there is no row: code made at run time, or some libc's. */
static bool guess_caller(const struct truss_space *s, bool innermost, struct sts_frame *f, struct reader *r)
{
	struct sts_frame try = *f;

	if (!innermost || !sts_frame_bare_apply(&try, read_stack, r) || !returns_from_call(s, &try, r)) {
		try = *f;
		if (!sts_frame_pointer_apply(&try, read_stack, r) || !returns_from_call(s, &try, r))
			return false;
	}
	*f = try;
	return true;
}

static const struct sts_row *find_row(const struct area *area, uint64_t pc)
{
	if (!area || !area->module || !area->module->code)
		return NULL;
	return sts_code_row(area->module->code, pc - area->bias);
}

static const struct area *look_up(struct truss *t, struct truss_space *s, uint64_t pc, bool narrow, bool *looked)
{
	const struct area *area = find_area(s, pc);

	if (area || *looked)
		return area;
	*looked = true; /* mapped behind our back? */
	look_again(t, s, narrow);
	return find_area(s, pc);
}

static void walk(struct truss *t, struct truss_space *s, struct truss_stack *stack, struct sts_frame *f)
{
	struct reader reader = {.t = t, .pid = s->pid};
	bool call = false, looked = false;

	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		uint64_t pc = f->regs[sts_frame_pc(f)];
		const struct area *area = look_up(t, s, pc - call, !f->wide, &looked);
		const struct sts_row *row = find_row(area, pc - call);

		if ((!area && depth > 0) || !add_frame(stack, pc, area, call))
			return;
		if (row ? !sts_row_apply(row, f, read_stack, &reader) : !guess_caller(s, depth == 0, f, &reader))
			return;
		call = !row || !row->signal;
	}
}

void truss_stack_take(struct truss *t, struct truss_lwp *lwp)
{
	struct truss_space *s = find_space(t, lwp->pid);
	struct stasis_regs_x86 regs;
	struct sts_frame frame;

	lwp->call.stack.n = 0;
	if (!s || stasis_regs_get(t->session, lwp->tid, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL) < 0)
		return;
	begin_frame(&regs, &frame);
	if (s->stale)
		look_again(t, s, !frame.wide);
	walk(t, s, &lwp->call.stack, &frame);
}

void truss_stack_free(struct truss_stack *stack)
{
	free(stack->frames);
	*stack = (struct truss_stack){0};
}

/* --- showing -------------------------------------------------------------------------------- */

static void add_line(struct sts_text *out, const struct truss_frame *f)
{
	const struct sts_site *site = f->site;

	sts_text_add(out, " > %s(", f->module ? f->module : "?");
	if (site && site->name)
		sts_text_add(out, "%s+0x%llx", site->name, (unsigned long long)site->offset);
	sts_text_add(out, ") [0x%llx]", (unsigned long long)f->module_offset);
	if (site && site->file)
		sts_text_add(out, site->line ? " %s:%d" : " %s", site->file, site->line);
}

void truss_stack_show(struct truss *t, const struct truss_stack *stack)
{
	struct sts_text out;

	for (size_t i = 0; i < stack->n; i++) {
		sts_text_init(&out, t->buffer, t->buffer_size);
		add_line(&out, &stack->frames[i]);
		truss_raw_line(&t->out, t->buffer);
	}
}

void truss_stack_json(struct sts_text *out, const struct truss_stack *stack)
{
	sts_text_add(out, ",\"stack\":[");
	for (size_t i = 0; i < stack->n; i++) {
		const struct truss_frame *f = &stack->frames[i];
		const struct sts_site *site = f->site;

		sts_text_add(out, "%s{\"address\":%llu", i ? "," : "", (unsigned long long)f->address);
		if (f->module) {
			sts_text_add(out, ",\"module\":");
			sts_json_add_string(out, f->module);
			sts_text_add(out, ",\"module_offset\":%llu", (unsigned long long)f->module_offset);
		}
		if (site && site->name) {
			sts_text_add(out, ",\"symbol\":");
			sts_json_add_string(out, site->name);
			sts_text_add(out, ",\"offset\":%llu", (unsigned long long)site->offset);
		}
		if (site && site->file) {
			sts_text_add(out, ",\"file\":");
			sts_json_add_string(out, site->file);
			sts_text_add(out, ",\"line\":%d", site->line);
		}
		sts_text_add_char(out, '}');
	}
	sts_text_add_char(out, ']');
}
