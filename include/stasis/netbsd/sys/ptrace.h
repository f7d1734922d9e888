/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file ptrace.h  NetBSD's ptrace(2): see ptrace-netbsd(3).
 *
 * Takes the place of the C library's header of this name; the two cannot be
 * used in one file.
 */
#ifndef STASIS_NETBSD_SYS_PTRACE_H
#define STASIS_NETBSD_SYS_PTRACE_H

#ifdef _SYS_PTRACE_H
#error "the C library's <sys/ptrace.h> was included first: put stasis/netbsd first on the include path"
#endif

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <machine/reg.h>

#define PT_TRACE_ME 0
#define PT_READ_I 1
#define PT_READ_D 2
#define PT_WRITE_I 4
#define PT_WRITE_D 5
#define PT_CONTINUE 7
#define PT_KILL 8
#define PT_ATTACH 9
#define PT_DETACH 10
#define PT_IO 11
#define PT_DUMPCORE 12
#define PT_LWPINFO 13
#define PT_SYSCALL 14
#define PT_SYSCALLEMU 15
#define PT_SET_EVENT_MASK 16
#define PT_GET_EVENT_MASK 17
#define PT_GET_PROCESS_STATE 18
#define PT_SET_SIGINFO 19
#define PT_GET_SIGINFO 20
#define PT_SET_SIGPASS 21
#define PT_GET_SIGPASS 22
#define PT_RESUME 23
#define PT_SUSPEND 24
#define PT_STOP 25
#define PT_LWPSTATUS 26
#define PT_LWPNEXT 27
#define PT_FIRSTMACH 32
#define PT_STEP (PT_FIRSTMACH + 0)
#define PT_GETREGS (PT_FIRSTMACH + 1)
#define PT_SETREGS (PT_FIRSTMACH + 2)
#define PT_GETFPREGS (PT_FIRSTMACH + 3)
#define PT_SETFPREGS (PT_FIRSTMACH + 4)
#define PT_GETDBREGS (PT_FIRSTMACH + 5)
#define PT_SETDBREGS (PT_FIRSTMACH + 6)
#define PT_SETSTEP (PT_FIRSTMACH + 7)
#define PT_CLEARSTEP (PT_FIRSTMACH + 8)
#define PT_GETXSTATE (PT_FIRSTMACH + 9)
#define PT_SETXSTATE (PT_FIRSTMACH + 10)
#define PT_GETXMMREGS (PT_FIRSTMACH + 11)
#define PT_SETXMMREGS (PT_FIRSTMACH + 12)

/** PT_SET_EVENT_MASK, PT_GET_EVENT_MASK */
typedef struct ptrace_event {
	int pe_set_event;
} ptrace_event_t;

#define PTRACE_FORK 0x0001
#define PTRACE_VFORK 0x0002
#define PTRACE_VFORK_DONE 0x0004
#define PTRACE_LWP_CREATE 0x0008
#define PTRACE_LWP_EXIT 0x0010
#define PTRACE_POSIX_SPAWN 0x0020

/** PT_GET_PROCESS_STATE */
typedef struct ptrace_state {
	int pe_report_event;
	union {
		pid_t _pe_other_pid;
		lwpid_t _pe_lwp;
	} _option;
} ptrace_state_t;

#define pe_other_pid _option._pe_other_pid
#define pe_lwp _option._pe_lwp

/** PT_SET_SIGINFO, PT_GET_SIGINFO. psi_lwpid is the LWP the signal is for, 0 the process. */
typedef struct ptrace_siginfo {
	siginfo_t psi_siginfo;
	lwpid_t psi_lwpid;
} ptrace_siginfo_t;

/** PT_IO. piod_len: bytes wanted, then bytes moved. */
struct ptrace_io_desc {
	int piod_op;
	void *piod_offs;
	void *piod_addr;
	size_t piod_len;
};

#define PIOD_READ_D 1
#define PIOD_WRITE_D 2
#define PIOD_READ_I 3
#define PIOD_WRITE_I 4
#define PIOD_READ_AUXV 5

/** PT_LWPINFO */
struct ptrace_lwpinfo {
	lwpid_t pl_lwpid;
	int pl_event;
};

#define PL_EVENT_NONE 0
#define PL_EVENT_SIGNAL 1
#define PL_EVENT_SUSPENDED 2

#define PL_LNAMELEN 20

/** PT_LWPSTATUS, PT_LWPNEXT */
struct ptrace_lwpstatus {
	lwpid_t pl_lwpid;
	sigset_t pl_sigpend;
	sigset_t pl_sigmask;
	char pl_name[PL_LNAMELEN];
	void *pl_private;
};

#define PTRACE_REG_PC(r) (r)->regs[_REG_RIP]
#define PTRACE_REG_FP(r) (r)->regs[_REG_RBP]
#define PTRACE_REG_SET_PC(r, v) (r)->regs[_REG_RIP] = (v)
#define PTRACE_REG_SP(r) (r)->regs[_REG_RSP]
#define PTRACE_REG_INTRV(r) (r)->regs[_REG_RAX]

#define PTRACE_BREAKPOINT ((const uint8_t[]){0xcc})
#define PTRACE_BREAKPOINT_ASM __asm__ __volatile__("int3" : : : "memory")
#define PTRACE_ILLEGAL_ASM __asm__ __volatile__("ud2" : : : "memory")
#define PTRACE_BREAKPOINT_SIZE 1
#define PTRACE_BREAKPOINT_ADJ 1

STASIS_NETBSD_BEGIN

/** See ptrace-netbsd(3). -1 and errno on failure. */
int ptrace(int request, pid_t pid, void *addr, int data) STASIS_NETBSD_NAME(ptrace);

/** Give back all that the library holds in this process: its session, threads, and tracees, which are killed. */
void stasis_netbsd_end(void) STASIS_NETBSD_NAME(end);

STASIS_NETBSD_END

#endif
