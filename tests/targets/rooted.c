// SPDX-License-Identifier: BSD-2-Clause
/* Takes another root, and opens a file there by all its names. */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2 || chroot(argv[1]) < 0 || chdir("/") < 0)
		return 1;
	int fd = open("/dir/file", O_RDONLY);
	close(fd);
	close(open("/dir", O_RDONLY | O_DIRECTORY));
	close(open("/other", O_RDONLY));
	int dir = open("/dir", O_RDONLY | O_DIRECTORY);
	openat(dir, "../dir/file", O_RDONLY);
	open("/link", O_RDONLY);
	return chdir("/dir") == 0 && open("file", O_RDONLY) >= 0 && open("new", O_RDONLY | O_CREAT, 0600) >= 0 ? 0 : 1;
}
