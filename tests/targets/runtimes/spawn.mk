# SPDX-License-Identifier: BSD-2-Clause
# make makes one child, which says "EVENT PID STATUS" of itself; see ../../control/runtimes_test.c.
all:
	@-echo "posix-spawn $$$$ 3"; exit 3
