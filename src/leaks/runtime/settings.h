/* SPDX-License-Identifier: BSD-2-Clause */
/* What the program, its environment and the command ask for. Read once, before main. */
#ifndef STS_LEAKS_SETTINGS_H
#define STS_LEAKS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct sts_settings {
	bool detect_leaks, at_exit;
	bool use_stacks, use_registers, use_globals, use_tls, use_root_regions;
	bool use_unaligned, use_past_end;
	int64_t tag_bits; /* see scan.h */
	bool show_reachable, report_objects;
	bool snapshot; /* check in a copy, so that the program goes on meanwhile */
	bool at_term;
	bool limited, may_return_null; /* blocks have a largest size, sts_heap_most; what is refused ends the program */
	int on_signal;		       /* 0: none */
	int interval_s;		       /* 0: never */
	int exitcode;		       /* 0: the program's own */
	int timeout_ms;		       /* of stopping the world */
	int scan_threads;	       /* at most; 0: as it seems fit */
	int reporter_fd;	       /* a command's socket; -1: none */
};

extern struct sts_settings sts_settings;

void sts_settings_read(void);
/* The texts that were read, one after another, for the reporter: NULL after the last. */
const char *sts_settings_text(unsigned i);
/* Without libc: getenv(3) may be the program's, or too early. */
const char *sts_environment(const char *name);

#endif
