// SPDX-License-Identifier: BSD-2-Clause
/* A library that is loaded and unloaded: the function of its own that calls has the name it was built with. */
#include <unistd.h>

int plug(void);
__attribute__((noinline)) int PLUG(void);

int PLUG(void)
{
	return (int)getppid() + 1;
}

int plug(void)
{
	return PLUG() + 1;
}
