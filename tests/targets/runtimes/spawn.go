// SPDX-License-Identifier: BSD-2-Clause
// spawn WAY: make one child in that way and say "EVENT PID STATUS" of it; see ../../control/runtimes_test.c.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	child := exec.Command("/bin/sh", "-c", "exit 3")
	switch os.Args[1] {
	case "group":
		child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	case "directory":
		child.Dir = "/"
	}
	if err := child.Start(); err != nil {
		panic(err)
	}
	child.Wait()
	fmt.Println("vfork", child.Process.Pid, child.ProcessState.ExitCode())
}
