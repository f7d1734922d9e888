// SPDX-License-Identifier: BSD-2-Clause
/* A fuzzer's corpus, each file of it once, and then beheaded at every length. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_LIMIT = 65536 };

/* A copy of exactly this size, so that a sanitizer sees what reads past its end. */
static void try_input(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	ATF_REQUIRE(copy != NULL);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay(const char *path)
{
	static uint8_t data[INPUT_LIMIT];
	int fd = (int)STS_SYS(open(path, O_RDONLY | O_CLOEXEC));
	size_t size = (size_t)STS_SYS(read(fd, data, sizeof(data)));

	close(fd);
	for (size_t n = 0; n < size && n < 512; n++)
		try_input(data, n);
	try_input(data, size);
}

STS_TC(corpus, 60, "no input of the corpus breaks the parser")
{
	DIR *dir = opendir(STS_CORPUS);
	struct dirent *e;
	char path[1024];
	unsigned n = 0;

	ATF_REQUIRE_MSG(dir != NULL, "there is no corpus " STS_CORPUS);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), STS_CORPUS "/%s", e->d_name);
		fprintf(stderr, "%s\n", path);
		replay(path);
		n++;
	}
	closedir(dir);
	ATF_REQUIRE(n > 0);
}
