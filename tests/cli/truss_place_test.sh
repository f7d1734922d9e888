# SPDX-License-Identifier: BSD-2-Clause
# Which CPUs stasis truss lets the traced use, and that they do not notice.

several_cpus()
{
	test "$(nproc)" -gt 1 || atf_skip "there is one CPU only"
}

# What the kernel knows, which --placement cannot hide.
allowed='sed -n s/^Cpus_allowed_list:.//p /proc/self/status'

sts_tc places 60 "shared is one CPU, free all there are, auto one while stops are close"
places_body()
{
	several_cpus
	all=$($allowed)
	atf_check -o match:'^[0-9]+$' "$STASIS" truss --placement=shared -o t.out $allowed
	atf_check -o inline:"$all\n" "$STASIS" truss --placement=free -o t.out $allowed
	atf_check -o inline:"$all\n" "$STASIS" truss -e trace=exit_group -o t.out $allowed
	atf_check -o inline:"$all\n" $allowed
	atf_check -s exit:2 -e match:'auto, shared or free' "$STASIS" truss --placement=here true
}

sts_tc unnoticed 60 "who asks which CPUs it may use hears the truth, children and threads too" require.progs \
	"python3 taskset"
unnoticed_body()
{
	several_cpus
	cat >ask.py <<-'END'
	import os, threading
	wanted = os.cpu_count() if not hasattr(os, 'sched_getaffinity') else len(os.sched_getaffinity(0))
	told = []
	threads = [threading.Thread(target=lambda: told.append(len(os.sched_getaffinity(0)))) for i in range(8)]
	for t in threads: t.start()
	for t in threads: t.join()
	if os.fork() == 0:
	    print(len(os.sched_getaffinity(0)), flush=True)
	    os._exit(0)
	os.wait()
	print(wanted, min(told), max(told))
	END
	n=$(nproc)
	for how in "--placement=shared" "-e trace=getppid --placement=shared" "--placement=auto"; do
		atf_check -o inline:"$n\n$n $n $n\n" "$STASIS" truss $how -o t.out python3 ask.py
		atf_check -o inline:"$n\n" "$STASIS" truss $how -o t.out nproc
		atf_check -o inline:"$n\n" "$STASIS" truss $how -o t.out sh -c nproc
	done
}

sts_tc left_alone 60 "who chooses its CPUs keeps them" require.progs taskset
left_alone_body()
{
	several_cpus
	for cpu in $(sed -n 's/^Cpus_allowed_list:.//p' /proc/self/status | tr ',-' '\n\n'); do
		atf_check -o inline:"$cpu\n" "$STASIS" truss --placement=shared -o t.out taskset -c "$cpu" $allowed
		atf_check -o inline:"$cpu\n$cpu\n" "$STASIS" truss --placement=shared -o t.out \
			taskset -c "$cpu" sh -c "$allowed; $allowed"
	done
	all=$($allowed)
	atf_check -o inline:"1\n$all\n" "$STASIS" truss --placement=shared -o t.out \
		sh -c "taskset -c ${all%%[,-]*} nproc; $allowed"
}
