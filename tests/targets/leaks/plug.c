// SPDX-License-Identifier: BSD-2-Clause
/* A library to load and unload; built twice, so that one differs from the other by nothing but its name. */
#include <stdlib.h>

void *plug_make(void);
void *plug_make(void)
{
	void *p = malloc(PLUG_SIZE);

	__asm__ volatile("" : "+r"(p));
	return p;
}
