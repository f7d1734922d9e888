# SPDX-License-Identifier: BSD-2-Clause
# The command before it knows which: names, help, version.

sts_tc names 30 "a link called like a command is that command"
names_body()
{
	for name in truss stasis-truss; do
		ln -s "$STASIS" "$name"
		atf_check -s exit:3 -e match:'^exit_group\(3\) ' "./$name" -e trace=exit_group sh -c 'exit 3'
		atf_check -o match:'^Usage: stasis truss' "./$name" --help
	done
	ln -s "$STASIS" leaks
	atf_check -o empty -e empty ./leaks --error-exitcode=9 -- true
	ln -s "$STASIS" other
	atf_check -s exit:2 -e match:"^stasis: nothing: no such command$" ./other nothing
	atf_check -s exit:3 -o ignore -e ignore ./other truss sh -c 'exit 3'
}

sts_tc help 30 "help goes to standard output, and to standard error where it was not asked for"
help_body()
{
	for word in --help -h; do
		atf_check -o match:'^Usage: stasis COMMAND' "$STASIS" "$word"
	done
	atf_check -s exit:2 -e match:'^Usage: stasis COMMAND' "$STASIS"
	for command in truss leaks doctor; do
		atf_check -o match:"^  $command  *[a-z]" "$STASIS" --help
		atf_check -o match:"^Usage: stasis $command" "$STASIS" "$command" --help
	done
	atf_check -s exit:2 -e match:'^stasis: nothing: no such command$' "$STASIS" nothing
}

sts_tc version 30 "the version is the project's, and a full standard output is not passed over" require.progs pkg-config
version_body()
{
	atf_check -o match:"^stasis $(pkg-config --modversion "$STS_BUILD/meson-private/stasis.pc")\$" "$STASIS" --version
	atf_check -s exit:125 -e match:'No space left' sh -c "'$STASIS' --version >/dev/full"
}
