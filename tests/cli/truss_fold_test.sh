# SPDX-License-Identifier: BSD-2-Clause
# What posix_spawn does to the signals of its child is one line of text; all of it where that is asked for.

births()
{
	"$STASIS" truss "$@" "$(sts_target births)" posix_spawn exec 0 >/dev/null 2>err || [ $? -lt 124 ] ||
		atf_fail "truss failed: $(cat err)"
}

# counted FILE: calls of the child that are shown, and that are told in a line.
shown()
{
	grep -c 'rt_sigaction(' "$1" || :
}

folded()
{
	sed -n -E 's/.*~~~ ([0-9]+) rt_sigaction calls of posix_spawn, folded ~~~$/\1/p' "$1" | tr '\n' ' '
}

sts_tc folds 60 "one line in place of them, with their number, at their place"
folds_body()
{
	births --no-fold -o all
	n=$(shown all)
	[ "$n" -gt 50 ] || atf_skip "this libc's posix_spawn makes $n calls only"
	[ -z "$(folded all)" ] || atf_fail "--no-fold was not heeded"
	for o in '' --split --no-results '-e trace=!openat' '-e trace=all' '-e event=none' -q -ff '-e status=successful'; do
		rm -f t t.*
		# shellcheck disable=SC2086 # words
		births $o -o t
		cat t.* >>t 2>/dev/null || :
		atf_check -o inline:"0 $n \n" echo "$(shown t) $(folded t)"
		# Where they were: between the calls before and after.
		grep -B 1 -A 1 folded t >around
		atf_check -o inline:'2\n' grep -c 'rt_sigprocmask(' around
	done
	# To standard error, too.
	births
	atf_check -o inline:"0 $n \n" echo "$(shown err) $(folded err)"
}

sts_tc asked 60 "all are shown where they are asked for, and always counted" require.progs /usr/bin/python3
asked_body()
{
	births --no-fold -o all
	n=$(shown all)
	for o in '-e trace=rt_sigaction' '-e trace=%signal' '-e rt_sigaction,read' '--trace=/sigaction'; do
		# shellcheck disable=SC2086 # words
		births $o -o t
		atf_check -o inline:"$n \n" echo "$(shown t) $(folded t)"
	done
	births -c -o t
	atf_check -o inline:"$n\n" awk '$NF == "rt_sigaction" { print $4 }' t
	births --json -o t
	atf_check -o inline:"$n\n" grep -c '"call":"rt_sigaction"' t
}

sts_tc failures 60 "those that fail, or are tampered with, are shown"
failures_body()
{
	births --no-fold -o all
	n=$(shown all)
	[ "$n" -gt 50 ] || atf_skip "this libc's posix_spawn makes $n calls only"
	"$STASIS" truss -o t -e inject=rt_sigaction:error=EINVAL:when=5 "$(sts_target births)" posix_spawn exec 0 >/dev/null 2>&1 || :
	atf_check -o match:'rt_sigaction.* = -1 EINVAL.*INJECTED' grep 'rt_sigaction(' t
	[ "$(shown t)" -eq 1 ] || atf_fail "$(shown t) are shown"
	[ "$(folded t | cut -d ' ' -f 1)" -eq 4 ] || atf_fail "told: $(folded t)"
}

sts_tc others 60 "other processes' are shown"
others_body()
{
	"$STASIS" truss -o t sh -c '(trap : USR1; :); trap "" USR2; /bin/true'
	atf_check -o match:'rt_sigaction\(SIGUSR1' -o match:'rt_sigaction\(SIGUSR2' cat t
	[ -z "$(folded t)" ] || [ "$(shown t)" -gt 2 ] || atf_fail "told: $(folded t)"
	# After its exec a child of posix_spawn is a program like any other.
	cat >p.py <<-'END'
	import os
	os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'trap : USR1; :'], {}), 0)
	END
	"$STASIS" truss -o t /usr/bin/python3 -S p.py
	atf_check -o match:'rt_sigaction\(SIGUSR1, \{sa_handler=0x' cat t
}
