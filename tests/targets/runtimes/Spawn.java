// SPDX-License-Identifier: BSD-2-Clause
// Spawn EVENT: make one child and say "EVENT PID STATUS" of it; see ../../control/runtimes_test.c.
public class Spawn {
	public static void main(String[] args) throws Exception {
		Process child = new ProcessBuilder("/bin/sh", "-c", "exit 3").start();
		System.out.println(args[0] + " " + child.pid() + " " + child.waitFor());
	}
}
