# SPDX-License-Identifier: BSD-2-Clause
"""spawn.py WAY: make one child in that way and say "EVENT PID STATUS" of it; see ../../control/runtimes_test.c."""
import multiprocessing
import os
import signal
import subprocess
import sys

SHELL = ['/bin/sh', '-c', 'exit 3']


def by_subprocess(event, **options):
    with subprocess.Popen(SHELL, **options) as child:
        status = child.wait()
    print(event, child.pid, status)


def with_pass_fds():
    read, write = os.pipe()
    by_subprocess('vfork', pass_fds=(write,))
    os.close(read)
    os.close(write)


def by_posix_spawn():
    pid = os.posix_spawn(SHELL[0], SHELL, os.environ, setsigdef=[signal.SIGPIPE])
    print('posix-spawn', pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def by_fork():
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    print('fork', pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def by_system():
    status = os.system("printf 'posix-spawn %s ' $$; exit 3")
    print(os.waitstatus_to_exitcode(status))


def by_popen():
    pipe = os.popen("printf 'vfork %s ' $$; exit 3")
    said = pipe.read()
    print(said + str(os.waitstatus_to_exitcode(pipe.close())))


def end():
    sys.exit(3)


def by_multiprocessing(event, method):
    child = multiprocessing.get_context(method).Process(target=end)
    child.start()
    child.join()
    print(event, child.pid, child.exitcode)


WAYS = {
    'default': lambda: by_subprocess('vfork'),
    'shell': lambda: print('vfork', (p := subprocess.Popen('exit 3', shell=True)).pid, p.wait()),
    'preexec': lambda: by_subprocess('fork', preexec_fn=os.getpid),
    'close_fds': lambda: by_subprocess('posix-spawn', close_fds=False),
    'new_session': lambda: by_subprocess('vfork', start_new_session=True),
    'pass_fds': with_pass_fds,
    'user': lambda: by_subprocess('fork', user=os.getuid()),
    'posix_spawn': by_posix_spawn,
    'fork': by_fork,
    'system': by_system,
    'popen': by_popen,
    'mp_fork': lambda: by_multiprocessing('fork', 'fork'),
    'mp_spawn': lambda: by_multiprocessing('vfork', 'spawn'),
    'mp_forkserver': lambda: by_multiprocessing('fork', 'forkserver'),
}

if __name__ == '__main__':
    WAYS[sys.argv[1]]()
