/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdbserver measured over its own protocol, by a client that does nothing but
 * send packets: no symbols, no scripting, acknowledgements off. This is the best
 * gdbserver can do for anybody.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RSP_STEPS = 50, RSP_STOPS = 10, GDB_SIGUSR1 = 30 };

struct rsp {
	pid_t server;
	char step[32];    /* the packet that steps the target */
	int log;          /* the server's standard error */
	int fd;
	char buf[32768];  /* bytes received and not yet taken: from begin to end */
	size_t begin, end;
	char reply[16384];
};

static int rsp_byte(struct rsp *rsp)
{
	if (rsp->begin == rsp->end) {
		ssize_t n = read(rsp->fd, rsp->buf, sizeof(rsp->buf));

		if (n <= 0)
			bench_die("gdbserver closed the connection");
		rsp->begin = 0;
		rsp->end = (size_t)n;
	}
	return (unsigned char)rsp->buf[rsp->begin++];
}

static void rsp_write(struct rsp *rsp, const void *bytes, size_t len)
{
	bench_need(write(rsp->fd, bytes, len) == (ssize_t)len);
}

__attribute__((format(printf, 2, 3))) static void rsp_send(struct rsp *rsp, const char *format, ...)
{
	char packet[512] = "$";
	unsigned char sum = 0;
	va_list args;

	va_start(args, format);
	int len = vsnprintf(packet + 1, sizeof(packet) - 8, format, args);

	va_end(args);
	for (int i = 1; i <= len; i++)
		sum = (unsigned char)(sum + (unsigned char)packet[i]);
	len += 1 + sprintf(packet + 1 + len, "#%02x", sum);
	rsp_write(rsp, packet, (size_t)len);
}

/* The next packet's text; valid until the next call. Checksums are TCP's business here. */
static const char *rsp_receive(struct rsp *rsp)
{
	size_t len = 0;
	int byte;

	do {
		byte = rsp_byte(rsp);
	} while (byte != '$');
	while ((byte = rsp_byte(rsp)) != '#') {
		if (len + 1 >= sizeof(rsp->reply))
			bench_die("reply too long");
		rsp->reply[len++] = (char)byte;
	}
	rsp->reply[len] = '\0';
	rsp_byte(rsp);
	rsp_byte(rsp);
	return rsp->reply;
}

static const char *rsp_call(struct rsp *rsp, const char *packet)
{
	rsp_send(rsp, "%s", packet);
	return rsp_receive(rsp);
}

static void rsp_expect(struct rsp *rsp, const char *packet, const char *expected)
{
	const char *reply = rsp_call(rsp, packet);

	if (strncmp(reply, expected, strlen(expected)))
		bench_die("'%s' was answered by '%s'", packet, reply);
}

static unsigned read_port(struct rsp *rsp)
{
	char text[4096];
	size_t len = 0;
	unsigned port;

	for (;;) {
		ssize_t n = read(rsp->log, text + len, sizeof(text) - 1 - len);

		if (n <= 0) {
			text[len] = '\0';
			bench_die("gdbserver does not listen: %s", text);
		}
		len += (size_t)n;
		text[len] = '\0';
		const char *found = strstr(text, "Listening on port ");

		if (found && strchr(found, '\n') && sscanf(found, "Listening on port %u", &port) == 1)
			return port;
	}
}

static void rsp_connect(struct rsp *rsp, unsigned port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				   .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int on = 1;

	rsp->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bench_need(rsp->fd >= 0);
	bench_need(!connect(rsp->fd, (struct sockaddr *)&addr, sizeof(addr)));
	bench_need(!setsockopt(rsp->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	rsp_expect(rsp, "QStartNoAckMode", "OK");
	rsp_write(rsp, "+", 1);
	/* Without swbreak gdbserver leaves the PC behind the breakpoint, for its client to put right. */
	rsp_expect(rsp, "qSupported:swbreak+", "PacketSize");
}

/* Run gdbserver on a running target, up to the first stop reply. */
static void rsp_attach(struct rsp *rsp, pid_t pid)
{
	char digits[16];
	int log[2];

	snprintf(digits, sizeof(digits), "%d", pid);
	bench_need(!pipe2(log, O_CLOEXEC));
	/*
	 * Not the older packet "s": gdbserver 13 then takes a step range from uninitialised memory
	 * and, depending on address randomisation, keeps on stepping for thousands of instructions.
	 */
	snprintf(rsp->step, sizeof(rsp->step), "vCont;s:%x", pid);
	rsp->begin = rsp->end = 0;
	rsp->server = fork();
	bench_need(rsp->server >= 0);
	if (rsp->server == 0) {
		dup2(log[1], STDERR_FILENO);
		dup2(log[1], STDOUT_FILENO);
		execlp("gdbserver", "gdbserver", "--once", "--attach", "localhost:0", digits, NULL);
		_exit(127);
	}
	close(log[1]);
	rsp->log = log[0];
	rsp_connect(rsp, read_port(rsp));
	rsp_expect(rsp, "?", "T");
}

static void rsp_close(struct rsp *rsp)
{
	close(rsp->fd);
	while (waitpid(rsp->server, NULL, 0) < 0 && errno == EINTR)
		continue;
	close(rsp->log);
}

static void rsp_detach(struct rsp *rsp)
{
	rsp_expect(rsp, "D", "OK");
	rsp_close(rsp);
}

static const char *mode_of(const struct bench_run *run)
{
	return strstr(run->measure, "busy") ? "busy" : "idle";
}

static void measure_attach(const struct bench_run *run)
{
	static struct rsp rsp;
	struct bench_target target;
	struct bench_samples samples;

	bench_target_lwps(&target, mode_of(run), run);
	bench_samples_init(&samples, run);
	do { /* a single attach to thousands of threads takes seconds: once will do */
		uint64_t begin = bench_now_ns();

		rsp_attach(&rsp, target.pid);
		rsp_expect(&rsp, "D", "OK");
		bench_samples_add(&samples, (double)(bench_now_ns() - begin));
		rsp_close(&rsp);
	} while (bench_now_ns() < samples.deadline);
	bench_samples_report(&samples);
	bench_target_kill(&target);
}

/*
 * An interrupt that comes before gdbserver listens for one is lost: it listens
 * before it resumes anything, so wait until the target runs.
 */
static void await_resumed(pid_t pid)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		close(fd);
		bench_need(n > 0);
		text[n] = '\0';
		if (!strstr(text, ") t "))
			return;
		sched_yield();
	}
}

static void measure_stop(const struct bench_run *run)
{
	static struct rsp rsp;
	struct bench_target target;
	struct bench_samples samples;
	unsigned batch = run->lwps == 1 ? RSP_STOPS : 1;

	bench_target_lwps(&target, mode_of(run), run);
	rsp_attach(&rsp, target.pid);
	rsp_send(&rsp, "c");
	await_resumed(target.pid);
	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		for (unsigned n = 0; n < batch; n++) {
			rsp_write(&rsp, "\3", 1);
			if (strncmp(rsp_receive(&rsp), "T02", 3))
				bench_die("interrupt was answered by '%s'", rsp.reply);
			rsp_send(&rsp, "c");
			await_resumed(target.pid);
		}
		bench_samples_add(&samples, (double)(bench_now_ns() - begin) / batch);
	}
	rsp_write(&rsp, "\3", 1);
	rsp_receive(&rsp);
	rsp_detach(&rsp);
	bench_samples_report(&samples);
	bench_target_kill(&target);
}

static void measure_step(const struct bench_run *run)
{
	static struct rsp rsp;
	struct bench_target target;
	struct bench_samples samples;

	bench_target_lwps(&target, "busy", run);
	rsp_attach(&rsp, target.pid);
	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		for (unsigned n = 0; n < RSP_STEPS; n++)
			rsp_expect(&rsp, rsp.step, "T05");
		bench_samples_add(&samples, (double)(bench_now_ns() - begin) / RSP_STEPS);
	}
	rsp_detach(&rsp);
	bench_samples_report(&samples);
	bench_target_kill(&target);
}

/* The target has ended and gdbserver, its tracer, with it: collect both. */
static void finish_job(struct rsp *rsp, struct bench_target *target, unsigned long seen)
{
	int status;

	if (strcmp(rsp->reply, "W00"))
		bench_die("gdbserver reports '%s', not the end", rsp->reply);
	rsp_close(rsp);
	bench_need(waitpid(target->pid, &status, 0) == target->pid);
	bench_target_report(target, seen);
}

static void measure_break(const struct bench_run *run)
{
	static struct rsp rsp;
	struct bench_target target;
	char plant[64], lift[64];
	unsigned long hits = 0;

	bench_target_job(&target, run);
	uint64_t site = target.sites[bench_site_index(run->measure)];

	snprintf(plant, sizeof(plant), "Z0,%lx,1", site);
	snprintf(lift, sizeof(lift), "z0,%lx,1", site);
	rsp_attach(&rsp, target.pid);
	rsp_expect(&rsp, plant, "OK");
	bench_target_go(&target);
	while (!strncmp(rsp_call(&rsp, "c"), "T05", 3)) {
		hits++;
		rsp_expect(&rsp, lift, "OK");
		rsp_expect(&rsp, rsp.step, "T05");
		rsp_expect(&rsp, plant, "OK");
	}
	finish_job(&rsp, &target, hits);
}

static void measure_syscall(const struct bench_run *run)
{
	static struct rsp rsp;
	struct bench_target target;
	unsigned long seen = 0;

	bench_target_job(&target, run);
	rsp_attach(&rsp, target.pid);
	rsp_expect(&rsp, "QCatchSyscalls:1", "OK");
	bench_target_go(&target);
	while (!strncmp(rsp_call(&rsp, "c"), "T05", 3))
		seen += strstr(rsp.reply, "syscall_entry:27;") != NULL; /* getpid is 0x27 */
	finish_job(&rsp, &target, seen);
}

static void measure_signal(const struct bench_run *run)
{
	static struct rsp rsp;
	struct bench_target target;
	unsigned long seen = 0;
	int signo = 0;

	bench_target_job(&target, run);
	rsp_attach(&rsp, target.pid);
	bench_target_go(&target);
	for (;;) {
		if (signo)
			rsp_send(&rsp, "C%02x", signo);
		else
			rsp_send(&rsp, "c");
		if (*rsp_receive(&rsp) != 'T')
			break;
		signo = (int)strtol((char[]){rsp.reply[1], rsp.reply[2], '\0'}, NULL, 16);
		seen += signo == GDB_SIGUSR1;
	}
	finish_job(&rsp, &target, seen);
}

int main(int argc, char **argv)
{
	static const struct bench_measure measures[] = {
		{"stop-idle", measure_stop},     {"stop-busy", measure_stop},     {"attach-idle", measure_attach},
		{"attach-busy", measure_attach}, {"step", measure_step},          {"break-push", measure_break},
		{"break-memory", measure_break}, {"break-riprel", measure_break}, {"syscall", measure_syscall},
		{"signal", measure_signal},      {NULL, NULL},
	};

	return bench_main(argc, argv, measures);
}
