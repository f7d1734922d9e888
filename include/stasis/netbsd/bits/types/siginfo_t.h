/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file siginfo_t.h  What a signal or a stop of a tracee is about.
 *
 * Stands in for the C library's header of this name, so that every siginfo_t of
 * the program is this one: the kernel's layout for what the kernel fills in,
 * and NetBSD's members for what only PT_GET_SIGINFO does.
 */
#ifndef STASIS_NETBSD_SIGINFO_T_H
#define STASIS_NETBSD_SIGINFO_T_H
#define __siginfo_t_defined 1

#include <stdint.h>
#include <bits/types.h>
#include <bits/types/__sigval_t.h>

typedef struct siginfo {
	int si_signo;
	int si_errno;
	int si_code;
	int _align;
	union {
		int _pad[28];
		struct {
			__pid_t _pid;
			__uid_t _uid;
			__sigval_t _value;
		} _rt;
		struct {
			int _tid;
			int _overrun;
			__sigval_t _value;
		} _timer;
		struct {
			__pid_t _pid;
			__uid_t _uid;
			int _status;
			__clock_t _utime;
			__clock_t _stime;
		} _child;
		struct {
			void *_addr;
			short _addr_lsb;
			void *_lower;
			void *_upper;
		} _fault;
		struct {
			long _band;
			int _fd;
		} _poll;
		struct {
			void *_addr;
			int _number;
			unsigned _arch;
		} _sigsys;
		struct {
			int _sysnum;
			int _retval[2];
			int _error;
			uint64_t _args[8];
		} _syscall;
		struct {
			int _report_event;
			union {
				__pid_t _other_pid;
				__pid_t _lwp;
			} _option;
		} _ptrace_state;
	} _reason;
} siginfo_t;

#define si_pid _reason._rt._pid
#define si_uid _reason._rt._uid
#define si_value _reason._rt._value
#define si_sigval _reason._rt._value
#define si_int _reason._rt._value.sival_int
#define si_ptr _reason._rt._value.sival_ptr
#define si_timerid _reason._timer._tid
#define si_overrun _reason._timer._overrun
#define si_status _reason._child._status
#define si_utime _reason._child._utime
#define si_stime _reason._child._stime
#define si_addr _reason._fault._addr
#define si_addr_lsb _reason._fault._addr_lsb
#define si_lower _reason._fault._lower
#define si_upper _reason._fault._upper
#define si_band _reason._poll._band
#define si_fd _reason._poll._fd
#define si_call_addr _reason._sigsys._addr
#define si_syscall _reason._sigsys._number
#define si_arch _reason._sigsys._arch

/* SIGTRAP with TRAP_SCE and TRAP_SCX. */
#define si_sysnum _reason._syscall._sysnum
#define si_retval _reason._syscall._retval
#define si_error _reason._syscall._error
#define si_args _reason._syscall._args

/* SIGTRAP with TRAP_CHLD and TRAP_LWP: what PT_GET_PROCESS_STATE tells. */
#define si_pe_report_event _reason._ptrace_state._report_event
#define si_pe_other_pid _reason._ptrace_state._option._other_pid
#define si_pe_lwp _reason._ptrace_state._option._lwp

#endif
