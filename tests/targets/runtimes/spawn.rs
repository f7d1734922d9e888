// SPDX-License-Identifier: BSD-2-Clause
// spawn WAY: make one child in that way and say "EVENT PID STATUS" of it; see ../../control/runtimes_test.c.
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exit 3"]);
    let event = match std::env::args().nth(1).as_deref() {
        Some("pre_exec") => {
            unsafe { command.pre_exec(|| Ok(())) };
            "fork"
        }
        _ => "posix-spawn",
    };
    let mut child = command.spawn().unwrap();
    println!("{} {} {}", event, child.id(), child.wait().unwrap().code().unwrap());
}
