# SPDX-License-Identifier: BSD-2-Clause
# spawn.sh WAY EVENT: make one child in that way and say "EVENT PID STATUS" of it; see ../../control/runtimes_test.c.
way=$1 event=$2
word='printf "%s %s " "$0" $$; exit 3'

case $way in
command)
	/bin/sh -c "$word" "$event"
	echo $?
	;;
background)
	/bin/sh -c 'exit 3' &
	status=0
	wait $! || status=$?
	echo "$event $! $status"
	;;
subshell)
	(exec /bin/sh -c "$word" "$event")
	echo $?
	;;
substitution)
	said=$(/bin/sh -c "$word" "$event") || echo "$said $?"
	;;
esac
