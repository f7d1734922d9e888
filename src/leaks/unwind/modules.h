/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modules - the program and its libraries - that frames of captured stacks lie in, also those that were unloaded since.
 * Numbers begin with 1 and are never given to another.
 */
#ifndef STS_LEAKS_MODULES_H
#define STS_LEAKS_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STS_BUILD_ID_MOST 64

struct sts_module {
	uintptr_t base, end; /* where it is, or was, mapped */
	uintptr_t bias;	     /* address less the ELF file's virtual address */
	const char *path;    /* empty if it is not known */
	uint8_t build_id[STS_BUILD_ID_MOST];
	uint8_t build_id_size;
	bool alive; /* not unloaded */
	/* For the unwinder: */
	const void *handle;		  /* the loader's description of it */
	uintptr_t hdr, hdr_size;	  /* .eh_frame_hdr; 0 if there is none */
	uintptr_t segment_lo, segment_hi; /* readable memory that holds it and .eh_frame */
};

/* The number of the module that holds an address, 0 if none does. */
unsigned sts_module_at(uintptr_t address);
/* The program's constructors run: the loader can be asked in static programs too. */
void sts_module_start(void);
unsigned sts_module_count(void);
/* NULL if there is none of this number. What is pointed to remains. */
const struct sts_module *sts_module_get(unsigned number);
/* The loader has freed a piece of its memory: true if a module is unloaded by that. */
bool sts_module_freed(const void *handle);

/* For sts_heap_hold(). */
void sts_module_lock_all(void);
void sts_module_unlock_all(void);

/* The parts of an ELF image in memory that are wanted; false if it is none. `size` bytes of it are readable. */
bool sts_module_read_elf(const uint8_t *image, size_t size, struct sts_module *ret);

#endif
