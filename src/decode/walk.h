/* SPDX-License-Identifier: BSD-2-Clause */
/* What the functions that show arguments are written with. Shared by the decoder's files only. */
#ifndef STS_DECODE_WALK_H
#define STS_DECODE_WALK_H

#include <stasis/decode.h>
#include "decode/decode.h"
#include "decode/tables.h"

struct sts_walk {
	struct stasis_decode *d;
	const struct stasis_event_syscall *call;
	const struct sts_call *format;
	const struct stasis_decode_sink *sink;
	enum sts_abi_index abi;
	uint64_t args[6];	   /* as given, or those of the call inside ipc or socketcall */
	uint64_t values[6];	   /* of the arguments, split ones put together */
	const struct sts_arg *arg; /* being shown */
	int index;		   /* of it */
	bool leaving;		   /* the result is known */
	int depth;
};

/* ipc and socketcall are many calls in one: make the walk one over the call inside. */
void sts_unpack_call(struct sts_walk *w);

/* --- items ------------------------------------------------------------------ */

void sts_put(struct sts_walk *w, const struct stasis_decode_item *item);
void sts_put_number(struct sts_walk *w, enum stasis_decode_kind kind, const char *name, uint64_t value);
void sts_put_symbol(struct sts_walk *w, const char *name, uint64_t value, const char *text);
/* A symbol whose text says its name. */
void sts_put_bare(struct sts_walk *w, const char *name, uint64_t value, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void sts_put_symbolf(struct sts_walk *w, const char *name, uint64_t value, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void sts_put_note(struct sts_walk *w, const char *text);
void sts_put_more(struct sts_walk *w);
void sts_put_address(struct sts_walk *w, const char *name, uint64_t value);
void sts_put_bytes(struct sts_walk *w, const char *name, const void *bytes, size_t length, bool more);
void sts_put_fd(struct sts_walk *w, const char *name, int fd);
void sts_begin(struct sts_walk *w, enum stasis_decode_kind kind, const char *name);
void sts_end(struct sts_walk *w);

/* --- memory ------------------------------------------------------------------ */

/* Exactly len bytes, or false. */
bool sts_read(const struct sts_walk *w, uint64_t addr, void *buf, size_t len);
/* An unsigned integer of width bytes. */
bool sts_read_uint(const struct sts_walk *w, uint64_t addr, unsigned width, uint64_t *ret);
unsigned sts_word_size(const struct sts_walk *w);
unsigned sts_long_size(const struct sts_walk *w);
unsigned sts_width(const struct sts_walk *w, unsigned width);
/* The string at addr, at most limit bytes of it. */
void sts_show_string_at(struct sts_walk *w, const char *name, uint64_t addr, size_t limit);
void sts_show_path_at(struct sts_walk *w, const char *name, uint64_t addr);
/* length bytes at addr, as many as the limit allows. */
void sts_show_bytes_at(struct sts_walk *w, const char *name, uint64_t addr, uint64_t length);

/* --- values ------------------------------------------------------------------- */

/* Text of flags: "A|B|0x10", "0", "0x10 / * X_??? * /". */
void sts_flags_text(struct sts_text *out, const struct sts_set *set, uint64_t value);
void sts_show_flags(struct sts_walk *w, const char *name, const struct sts_set *set, uint64_t value);
void sts_show_enum(struct sts_walk *w, const char *name, const struct sts_set *set, uint64_t value);
/* NULL if it has no name. */
const char *sts_enum_name(const struct sts_set *set, uint64_t value);
void sts_show_typed(struct sts_walk *w, const char *name, const struct sts_type *type, uint64_t value);
void sts_show_signal(struct sts_walk *w, const char *name, int signal);
void sts_put_sigset(struct sts_walk *w, const char *name, uint64_t set);
void sts_mode_text(struct sts_text *out, uint64_t mode);
void sts_device_text(struct sts_text *out, uint64_t dev);

/* --- structures ----------------------------------------------------------------- */

enum { STS_STRUCT_MAX = 512 };
size_t sts_struct_size(const struct sts_walk *w, const struct sts_struct *s);
/* The fields within the first len bytes; hide (may be NULL) says which are left out. */
typedef bool sts_hide(const struct sts_field *field, const void *arg);
void sts_show_fields(struct sts_walk *w, const struct sts_struct *s, uint64_t addr, const uint8_t *bytes, size_t len,
		     sts_hide *hide, const void *arg);
/* The structure at addr, at most limit bytes of it; its address if it cannot be read. */
void sts_show_struct_at(struct sts_walk *w, const char *name, const struct sts_struct *s, uint64_t addr, size_t limit);
bool sts_read_struct(const struct sts_walk *w, const struct sts_struct *s, uint64_t addr, uint8_t buf[STS_STRUCT_MAX]);
/* The value of a field of a structure read before; 0 if it has none of that name. */
uint64_t sts_field_value(const struct sts_walk *w, const struct sts_struct *s, const uint8_t *bytes, const char *name);

/* --- arguments -------------------------------------------------------------------- */

/* How many, as the argument being shown says: the other argument's value or the result, never negative. */
uint64_t sts_count(const struct sts_walk *w);
/* The value of the argument that is named in the brackets. */
uint64_t sts_reference(const struct sts_walk *w);
/* n elements of that size at addr, as many as the limit allows, each shown by element. */
typedef void sts_element(struct sts_walk *w, uint64_t addr, uint64_t index);
void sts_show_array(struct sts_walk *w, const char *name, uint64_t addr, uint64_t n, uint64_t size,
		    sts_element *element);
/* An argument told by a description of its own (ioctl's, prctl's). */
void sts_show_arg(struct sts_walk *w, const struct sts_arg *arg, const char *name, uint64_t value);
bool sts_failed(const struct sts_walk *w);
bool sts_is_verbose(const struct sts_walk *w);
/* Elements or bytes shown at most. */
uint64_t sts_limit(const struct sts_walk *w);

/* --- results ---------------------------------------------------------------------- */

/* RESULT with this text; what it tells besides may be put before sts_end(). */
void sts_begin_result(struct sts_walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
