# SPDX-License-Identifier: BSD-2-Clause
# The examples do what they say: the events that C and Python programs get are those that the command shows.

EXAMPLES=$STS_BUILD/examples

# summed COMMAND...: what truss -c counts, as count-calls prints it.
summed()
{
	"$STASIS" truss -c -o summary "$@" >/dev/null 2>raw </dev/null
	awk '/^program/ { exit } $NF != "total" && $1 ~ /^[0-9.]+$/ {
		printf "%7d %7d %s\n", $4, NF == 11 ? $5 : 0, $NF }' summary | sort -k 3
}

same()
{
	"$@" >/dev/null 2>&1 || [ $? -lt 125 ] || atf_fail "$* does not run"
	summed "$@" >expected
	[ "$(wc -l <expected)" -gt 5 ] || atf_fail "truss -c says nothing of $*"
	"$EXAMPLES/count-calls" "$@" 2>raw >/dev/null </dev/null
	grep -E '^ *[0-9]+ +[0-9]+ [a-z]' raw | sort -k 3 >counted
	atf_check diff expected counted
	if command -v /usr/bin/python3 >/dev/null; then
		LIBSTASIS=$STS_BUILD/libstasis.so /usr/bin/python3 -S "$STS_SOURCE/examples/count_calls.py" "$@" 2>raw >/dev/null </dev/null
		grep -E '^ *[0-9]+ +[0-9]+ [a-z]' raw | sort -k 3 >counted
		atf_check diff expected counted
	fi
}

sts_tc count_calls 120 "count-calls.c and count_calls.py count what truss -c does, births of every kind included"
count_calls_body()
{
	# Or Python would set LC_CTYPE for what it runs.
	PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PYTHONCOERCECLOCALE=0
	export PYTHONHASHSEED PYTHONDONTWRITEBYTECODE PYTHONCOERCECLOCALE
	same sh -c '(exit 3); /bin/true; (sh -c "exit 5"; cat /none; exit 4); exit 0'
	cat >p.py <<-'END'
	import os
	for i in range(3):
	    pid = os.fork()
	    if pid == 0:
	        os._exit(os.getppid() and i)
	    os.waitpid(pid, 0)
	os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 4'], {}), 0)
	END
	[ ! -x /usr/bin/python3 ] || same /usr/bin/python3 -S p.py
	[ ! -x "$STS_TARGETS/target-stack-32" ] || same "$STS_TARGETS/target-stack-32" fork
}

sts_tc ends 60 "count-calls ends as its command does"
ends_body()
{
	atf_check -s exit:7 -e match:' exit_group$|execve$' "$EXAMPLES/count-calls" sh -c 'exit 7'
	atf_check -s exit:125 -e match:'none: No such file' "$EXAMPLES/count-calls" /none
	atf_check -s exit:2 -e ignore "$EXAMPLES/count-calls"
}
