/* SPDX-License-Identifier: BSD-2-Clause */
/* The sets and structures of data/ that code refers to by name, and what its files share. */
#ifndef STS_DECODE_SHOW_H
#define STS_DECODE_SHOW_H

#include "decode/walk.h"

/* Room for what a descriptor leads to: a path, some bytes of it escaped. */
#define STS_FD_TEXT 4200

extern const struct sts_set set_open, set_fdflags, set_seals, set_lease, set_notify, set_quota, set_quota_type, set_pf,
	set_ethproto, set_arphrd, set_pkttype, set_sol, set_so, set_so_ip, set_so_ipv6, set_so_tcp, set_so_udp,
	set_so_packet, set_so_netlink, set_scm, set_ipproto, set_netlink, set_msg, set_clone, set_futex, set_cap,
	set_cap_version, set_persona, set_persona_flags, set_sched, set_dumpable, set_pr_mm, set_pr_cap_ambient,
	set_pr_vma, set_seccomp_mode, set_securebits, set_ptrace_options, set_regset, set_seccomp_ret, set_ioprio_class,
	set_keyring, set_ipcget, set_shmget, set_mpol, set_sa, set_poll, set_timestate, set_uring_sqe, set_uring_op,
	set_socktype, set_mmap, set_swap, set_membarrier, set_dtype;
extern const struct sts_struct struct_flock, struct_flock64, struct_f_owner_ex, struct_timeval, struct_timespec,
	struct_timespec64, struct_linger, struct_ucred, struct_sock_fprog, struct_stack_t, struct_capdata,
	struct_mq_attr, struct_epoll_event, struct_pollfd, struct_iocb, struct_bpf_map_create, struct_bpf_map_elem,
	struct_bpf_prog_load, struct_bpf_obj, struct_bpf_attach, struct_bpf_get_id, struct_bpf_info, struct_bpf_link,
	struct_clone_args, struct_open_how, struct_landlock_path, struct_landlock_port, struct_io_uring_sqe,
	struct_old_sigaction, struct_statx;

/* Declares itself what tables.c refers to. */
sts_show sts_show_st_mode, sts_show_filemode, sts_show_dev, sts_show_mkdev, sts_show_time, sts_show_file_time8,
	sts_show_file_time4, sts_show_stat, sts_show_iovec, sts_show_iovec_ptr, sts_show_inout_u32, sts_show_inout_s64,
	sts_show_inout_s32, sts_show_pageoff, sts_show_llseek_high, sts_show_nothing, sts_show_mremap_addr,
	sts_show_mincore, sts_show_mmap_flags, sts_show_swap_flags, sts_show_dents, sts_show_dents_old, sts_show_utimes,
	sts_show_utimes64, sts_show_utimevals, sts_show_open_how, sts_show_mount_data, sts_show_fsconfig_value,
	sts_show_file_handle, sts_show_quotactl, sts_show_fcntl_arg, sts_show_result_fcntl, sts_show_ioctl,
	sts_show_ioctl_arg, sts_show_filled, sts_show_statx, sts_show_statx_time;
sts_show sts_show_sockaddr, sts_show_sockaddr_out, sts_show_msghdr, sts_show_msghdr_out, sts_show_mmsghdr,
	sts_show_mmsghdr_send, sts_show_sockopt, sts_show_optval, sts_show_optval_out, sts_show_protocol,
	sts_show_result_recvmmsg;
sts_show sts_show_clone_flags, sts_show_clone_rest, sts_show_clone_args, sts_show_argv, sts_show_envp,
	sts_show_wait_status, sts_show_prctl2, sts_show_prctl3, sts_show_prctl4, sts_show_prctl5, sts_show_result_prctl,
	sts_show_arch_prctl_arg, sts_show_futex_op, sts_show_futex_val, sts_show_futex_timeout, sts_show_futex_uaddr2,
	sts_show_futex_val3, sts_show_ptrace_pid, sts_show_ptrace_addr, sts_show_result_membarrier, sts_show_reboot_arg,
	sts_show_ptrace_data, sts_show_result_ptrace, sts_show_seccomp_arg, sts_show_capdata, sts_show_cap,
	sts_show_persona, sts_show_result_personality, sts_show_result_sched, sts_show_cpuset, sts_show_rlim,
	sts_show_ioprio, sts_show_result_ioprio_ret, sts_show_user_desc_flags, sts_show_result_thread_area;
sts_show sts_show_sigset, sts_show_sigset_pair, sts_show_oldsigset, sts_show_oldsigmask, sts_show_sigmask,
	sts_show_handler, sts_show_sigaction, sts_show_siginfo, sts_show_sigframe, sts_show_sigevent, sts_show_sigval,
	sts_show_result_oldmask;
sts_show sts_show_pollfds, sts_show_result_poll, sts_show_fdset, sts_show_result_select, sts_show_rem, sts_show_rem64,
	sts_show_time_t, sts_show_ticks, sts_show_result_time, sts_show_result_timex, sts_show_epoll_data,
	sts_show_epoll_ctl_event;
sts_show sts_show_ipckey, sts_show_ipcget, sts_show_shmget, sts_show_msgbuf, sts_show_mq_open_attr, sts_show_nodemask,
	sts_show_mpol, sts_show_keyring, sts_show_keyctl_arg, sts_show_iocbs, sts_show_bpf_attr, sts_show_result_bpf,
	sts_show_str64, sts_show_landlock_rule, sts_show_uring_sig, sts_show_uring_register, sts_show_uring_submit;

/* The moment, with that many digits of its fraction unless it is 0. */
void sts_put_time_note(struct sts_walk *w, int64_t seconds, uint64_t fraction, int digits);
void sts_put_notef(struct sts_walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sts_show_vector_at(struct sts_walk *w, const char *name, uint64_t addr, uint64_t n, bool limited, uint64_t bytes);
void sts_show_sockaddr_at(struct sts_walk *w, const char *name, uint64_t addr, uint64_t length);
/* "3", or "3<path>". */
void sts_add_fd(const struct sts_walk *w, struct sts_text *out, int fd);
void sts_begin_fd_result(struct sts_walk *w, int fd);
/* The value of the argument of that name. */
uint64_t sts_arg_value(const struct sts_walk *w, const char *name);
/* [value] at addr, or the address. */
void sts_show_boxed(struct sts_walk *w, const char *name, uint64_t addr, unsigned width, enum stasis_decode_kind kind);

#endif
