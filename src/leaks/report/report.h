/* SPDX-License-Identifier: BSD-2-Clause */
/* A report as the reporter has it: read from the raw one, then with symbols, then judged by suppressions. */
#ifndef STS_LEAKS_REPORT_H
#define STS_LEAKS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "leaks/raw.h"

struct sts_rule;
struct sts_suppressions;

/* One line of a stack: a function, or one inlined into the next line's. Texts are "" where nothing is known. */
struct sts_line {
	uint64_t pc;	  /* in the call, not past it */
	const char *name; /* demangled */
	const char *raw;  /* as the linker knows it */
	const char *file;
	unsigned line, column; /* 0: not known */
	const char *module;    /* path */
	uint64_t offset;       /* in the module's file's own addresses */
	bool inlined;
	bool gone; /* the module was unloaded */
};

struct sts_leak_module {
	struct sts_raw_module raw;
	char *path;
	struct sts_symbols *symbols; /* symbols.c */
	bool tried;
};

struct sts_leak_stack {
	uint32_t id;
	uint32_t n_frames;
	struct sts_raw_frame *frames;
	struct sts_line *lines; /* NULL until sts_symbols_add() */
	size_t n_lines;
};

struct sts_leak {
	struct sts_raw_leak raw;
	struct sts_leak_stack *stack; /* NULL: not known */
	struct sts_rule *rule;	      /* that suppresses it, or NULL */
	bool known;		      /* stands in the baseline as large */
};

struct sts_leak_report {
	struct sts_raw_process process;
	char *exe, *options, *suppressions; /* "" if there is none */
	char **arguments, **remarks;
	size_t n_arguments, n_remarks;
	struct sts_leak_module *modules;
	size_t n_modules;
	struct sts_leak_stack *stacks;
	size_t n_stacks;
	struct sts_leak *leaks; /* sorted: definite first, then by bytes */
	size_t n_leaks;
	struct sts_raw_object *objects;
	size_t n_objects;
	struct sts_raw_obstacle *obstacles;
	char **obstacle_names;
	size_t n_obstacles;
	bool truncated;
	char *data;   /* the raw report */
	char **texts; /* of lines */
	size_t n_texts;
};

/*
 * Takes over `data` (malloc), also when it fails: NULL then, and why[] says what is wrong where. Never believes a
 * number of the data.
 */
struct sts_leak_report *sts_leak_report_read(char *data, size_t size, char why[static 128]);
void sts_leak_report_free(struct sts_leak_report *r);

/* Which module a frame lies in, NULL if none is known. */
struct sts_leak_module *sts_leak_report_module(struct sts_leak_report *r, const struct sts_raw_frame *frame);

/* Keep a text (malloc) as long as the report; "" without memory, or if it is NULL. */
const char *sts_leak_report_keep(struct sts_leak_report *r, char *text);
/* Add a remark (malloc) for the reader. */
void sts_leak_report_remark(struct sts_leak_report *r, char *text);

/* symbols.c */
void sts_symbols_free(struct sts_symbols *s);
/* Give all stacks that leaks have their lines. After budget_ms no more files are read, and offsets must do. */
void sts_symbols_add(struct sts_leak_report *r, int budget_ms);

/* Leaks that count: of the classes wanted (bits 1 << class), not suppressed, not in the baseline. */
bool sts_leak_counts(const struct sts_leak *leak, unsigned classes);
void sts_leak_report_sum(const struct sts_leak_report *r, unsigned classes, struct sts_raw_verdict *ret);
const char *sts_leak_class_name(unsigned class);

#endif
