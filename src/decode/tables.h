/* SPDX-License-Identifier: BSD-2-Clause */
/* What tools/gen-tables makes of data/. */
#ifndef STS_DECODE_TABLES_H
#define STS_DECODE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sts_abi_index { STS_ABI_64, STS_ABI_32, STS_ABI_X32, STS_ABI_COUNT };

struct sts_constant {
	const char *name;
	uint64_t value;
	uint64_t mask; /* 0: value is bits, else a value of this field */
};

struct sts_set {
	const char *name;
	const char *unknown; /* what a value without any name is said to be: "O_???" */
	const struct sts_constant *constants;
	size_t n;
};

struct sts_walk;
struct sts_struct;
struct sts_type;

struct sts_value {
	const char *name;
	uint64_t value; /* what is shown, or where it lies */
	const struct sts_type *type;
};

/* Shows one argument or field in its own way. */
typedef void sts_show(struct sts_walk *w, const struct sts_value *v);

enum sts_kind_of_type {
	STS_SIGNED = 1,
	STS_UNSIGNED,
	STS_HEX,
	STS_OCTAL,
	STS_ADDRESS,
	STS_ID, /* unsigned, but all ones is -1 */
	STS_FD,
	STS_DIRFD,
	STS_MODE,
	STS_OPENMODE,
	STS_DEVICE,
	STS_SIGNAL,
	STS_PATH,   /* address of a string, shown in full */
	STS_STRING, /* address of a string */
	STS_FLAGS,
	STS_ENUM,
	STS_STRUCT,
	STS_CHARS, /* up to the first NUL */
	STS_BYTES,
	STS_SPECIAL,
};

enum { STS_LONG = 0xfe, STS_WORD = 0xff }; /* widths that differ by ABI */

struct sts_type {
	uint8_t kind;
	uint8_t width;
	bool in_place; /* SPECIAL field: given its address */
	const struct sts_set *set;
	const struct sts_struct *structure;
	sts_show *show;
};

struct sts_field {
	const char *name;
	struct sts_type type;
	uint16_t offset;
	uint16_t count; /* 0: no array */
	uint16_t size;	/* of one element */
	bool verbose;	/* shown only where all is asked for */
};

struct sts_struct {
	const char *name;
	struct sts_layout {
		const struct sts_field *fields;
		size_t n;
		size_t size;
	} abi[STS_ABI_COUNT];
};

/* Which way what an argument points to goes, and so when it is shown. */
enum sts_direction { STS_VALUE, STS_IN, STS_OUT, STS_INOUT, STS_LATE };
enum sts_slots { STS_ONE, STS_SPLIT, STS_HILO };

struct sts_arg {
	const char *name;
	uint8_t direction;
	uint8_t slots;
	uint8_t fixed; /* number of elements, 0: see count */
	int8_t count;  /* argument that says how many, -1: the result, -2: one */
	uint8_t limit; /* argument that holds the structure's size, plus one; 0: none */
	struct sts_type type;
};

enum sts_result {
	STS_RESULT_INT = 1,
	STS_RESULT_LONG,
	STS_RESULT_UINT,
	STS_RESULT_HEX,
	STS_RESULT_OCT,
	STS_RESULT_OFF,
	STS_RESULT_FD,
	STS_RESULT_PID,
	STS_RESULT_SIG,
	STS_RESULT_NONE,
	STS_RESULT_SPECIAL,
};

struct sts_call {
	const char *name;
	uint8_t n;
	uint8_t result;
	sts_show *show; /* of the result */
	struct sts_arg args[6];
};

struct sts_call_table {
	const struct sts_call *const *calls; /* by number, NULL where there is none */
	size_t n;
};

struct sts_call_name {
	const char *name;
	int32_t numbers[STS_ABI_COUNT]; /* -1: not in this ABI */
	const struct sts_call *call;	/* of the first line with this name */
};

struct sts_call_set {
	const char *name, *calls; /* calls: " a b c " */
};

struct sts_ioctl {
	uint32_t number;
	const char *name;
	const struct sts_arg *arg; /* NULL: in hexadecimal */
};

extern const struct sts_call_table sts_call_tables[STS_ABI_COUNT];
extern const struct sts_call_name sts_call_names[]; /* sorted */
extern const size_t sts_call_names_count;
extern const struct sts_call_set sts_call_sets[];
extern const struct sts_ioctl sts_ioctls[]; /* sorted */
extern const size_t sts_ioctls_count;
extern const struct sts_set *const sts_sets[];
extern const size_t sts_sets_count;
extern const struct sts_struct *const sts_structs[];
extern const size_t sts_structs_count;

#endif
