#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""count_calls.py COMMAND [ARGUMENT...]: count-calls.c without a compiler, by ctypes. LIBSTASIS: the library's path."""
import collections
import ctypes as c
import os
import sys

lib = c.CDLL(os.environ.get('LIBSTASIS', 'libstasis.so.0'))
lib.stasis_strerror.restype = lib.stasis_syscall_name.restype = c.c_char_p
lib.stasis_syscall_name.argtypes = [c.c_int, c.c_uint64]
ATTACHED, FORK, VFORK, POSIX_SPAWN, CLONE, SYSCALL_EXIT, EXITED = 1, 2, 3, 4, 5, 11, 19
CONTINUE, KEEP, SEARCH_PATH = 0, -1, 1 << 2


class Syscall(c.Structure):
    _fields_ = [('abi', c.c_int), ('skipped', c.c_bool), ('number', c.c_uint64), ('args', c.c_uint64 * 6),
                ('result', c.c_int64), ('is_error', c.c_bool), ('pc', c.c_uint64), ('sp', c.c_uint64)]


class Data(c.Union):
    _fields_ = [('syscall', Syscall), ('status', c.c_int), ('reserved', c.c_uint64 * 32)]


class Event(c.Structure):
    _fields_ = [('kind', c.c_int), ('pid', c.c_int), ('tid', c.c_int), ('all_stop', c.c_bool), ('stopped', c.c_bool),
                ('sequence', c.c_uint64), ('data', Data)]


class Mask(c.Structure):
    _fields_ = [('all_stop', c.c_uint64), ('thread_stop', c.c_uint64)]


class Spawn(c.Structure):
    _fields_ = [('size', c.c_size_t), ('flags', c.c_uint), ('path', c.c_char_p), ('argv', c.POINTER(c.c_char_p)),
                ('envp', c.c_void_p), ('directory', c.c_char_p), ('stdio', c.c_int * 3), ('use_stdio', c.c_bool),
                ('use_uid', c.c_bool), ('uid', c.c_uint), ('gid', c.c_uint),
                ('groups', c.c_void_p), ('n_groups', c.c_size_t), ('calls', c.c_void_p)]


def must(r):
    if r < 0:
        sys.exit(lib.stasis_strerror(r).decode())


def main():
    words = [w.encode() for w in sys.argv[1:]]
    session, pid, e, status = c.c_void_p(), c.c_int(), Event(), 0
    mask = Mask(0, sum(1 << kind for kind in (FORK, VFORK, POSIX_SPAWN, CLONE, SYSCALL_EXIT)))
    opts = Spawn(size=c.sizeof(Spawn), flags=SEARCH_PATH, path=words[0], argv=(c.c_char_p * (len(words) + 1))(*words))
    must(lib.stasis_session_create(None, c.byref(session)))
    must(lib.stasis_event_mask_set(session, 0, c.byref(mask)))
    must(lib.stasis_spawn_fold_set(session, 0, c.c_bool(False)))
    must(lib.stasis_spawn(session, c.byref(opts), c.byref(pid)))
    calls, errors = collections.Counter(), collections.Counter()
    while lib.stasis_wait(session, 0, -1, c.byref(e)) == 0:
        if e.kind == SYSCALL_EXIT:
            name = lib.stasis_syscall_name(e.data.syscall.abi, e.data.syscall.number).decode()
            calls[name] += 1
            errors[name] += e.data.syscall.is_error
        if e.kind >= EXITED and e.pid == pid.value:
            status = os.waitstatus_to_exitcode(e.data.status)
        if e.all_stop:
            lib.stasis_resume(session, e.pid, None, c.c_size_t(0))
        elif e.stopped:
            lib.stasis_resume_lwp(session, e.tid, CONTINUE, KEEP)
    lib.stasis_session_destroy(session)
    for name, n in calls.items():
        print('%7d %7d %s' % (n, errors[name], name), file=sys.stderr)
    return status if status >= 0 else 128


if __name__ == '__main__':
    sys.exit(main())
