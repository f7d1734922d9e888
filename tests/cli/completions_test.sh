# SPDX-License-Identifier: BSD-2-Clause
# Completions of the shells: all that --help tells is offered, and nothing else.

COMPLETIONS=$STS_BUILD/completions

made()
{
	[ -f "$COMPLETIONS/stasis" ] || atf_skip "this build makes no completions"
}

# told COMMAND: the options that its help speaks of, without those that are a letter said twice.
told()
{
	{ "$STASIS" "$1" --help | grep -E '^ {2,6}-' | grep -oE '(^|[ ,])--?[A-Za-z][a-z-]*' && echo --help; } |
		tr -d ' ,' | grep -vE '^-([A-Za-z])\1+$' | sort -u
}

sts_tc same 60 "bash offers the options that the help tells, and the program takes each" require.progs bash
same_body()
{
	made
	cat >ask.bash <<-'END'
	compopt() { :; }
	source "$1"
	COMP_WORDBREAKS=$' \t\n"\'><=;|&(:' COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=("$STASIS")
	_stasis
	printf '%s\n' "${COMPREPLY[@]}"
	END
	export STASIS
	for command in truss leaks doctor; do
		told $command >told.txt
		[ "$(wc -l <told.txt)" -gt 3 ] || atf_fail "no options are told of $command"
		for start in - --; do
			atf_check -o save:raw bash ask.bash "$COMPLETIONS/stasis" "stasis $command $start"
			sed 's/=$//' raw | grep -vE '^-([A-Za-z])\1+$' | sort -u >offered
			grep -e "^$start" told.txt >expected
			atf_check diff expected offered
		done
		while read -r option; do
			"$STASIS" $command "$option" >out 2>err </dev/null
			! grep -qE 'unrecognized|invalid option|unknown option' err || atf_fail "$command $option: $(cat err)"
		done <told.txt
	done
	ask()
	{
		bash ask.bash "$COMPLETIONS/stasis" "$1" | tr '\n' ' '
	}
	atf_check_equal "$(ask 'stasis ')" 'truss leaks doctor --help --version '
	atf_check_equal "$(ask 'stasis truss --color=a')" 'auto always '
	atf_check_equal "$(ask 'stasis truss --placement ')" 'auto shared free '
	atf_check_equal "$(ask 'stasis leaks --leak-check=')" 'full summary '
	atf_check_equal "$(ask 'stasis truss -e trace=mprot')" 'mprotect '
	atf_check_equal "$(ask 'stasis truss -e openat,mprot')" 'openat,mprotect '
	atf_check_equal "$(ask 'stasis truss -e status=f')" 'failed '
	atf_check_equal "$(ask 'stasis truss -e stat')" 'stat stat64 statfs statfs64 statmount statx status= '
	atf_check_equal "$(ask 'stasis truss --list-set=%stat')" '%stat %statfs '
	# The command to run, and its arguments: no options of ours.
	ask 'stasis truss -o out -f -- mkfif' >got
	atf_check -o match:'^mkfifo (mkfifo )*$' cat got # once for each folder of PATH
	touch argument-1
	atf_check_equal "$(ask 'stasis truss -o out cat argu')" 'argument-1 '
	atf_check_equal "$(ask 'stasis truss cat --for')" ' '
	ask "stasis doctor -p $$" >got
	atf_check -o match:"(^| )$$ " cat got
}

sts_tc typed 60 "bash completes what is typed" require.progs "bash /usr/bin/python3"
typed_body()
{
	made
	cat >type.py <<-'END'
	import os, pty, select, sys, time
	pid, fd = pty.fork()
	if pid == 0:
	    os.environ.update(PS1="ready>", TERM="dumb", INPUTRC="/dev/null", HISTFILE="/dev/null")
	    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
	seen = b""
	def await_text(text):
	    global seen
	    until = time.monotonic() + 20
	    while text not in seen:
	        if time.monotonic() > until or not select.select([fd], [], [], 20)[0]:
	            sys.exit("no %r in %r" % (text, seen))
	        seen += os.read(fd, 4096)
	    seen = seen[seen.index(text) + len(text):]
	await_text(b"ready>")
	os.write(fd, b"source '%s'; PS1='go'\\>\n" % sys.argv[1].encode())
	await_text(b"go>")
	for keys, shown in ((b"stasis tr\t", b"stasis truss "), (b"--pla\t", b"--placement="), (b"sh\t", b"shared "),
	                    (b"--html=typ\t", b"type.py "), (b"mkfif\t", b"mkfifo ")):
	    os.write(fd, keys)
	    await_text(shown)
	os.write(fd, b"\x15exit\n")
	try:
	    while os.read(fd, 4096): pass
	except OSError:
	    pass
	os.waitpid(pid, 0)
	END
	atf_check /usr/bin/python3 -S type.py "$COMPLETIONS/stasis"
}

sts_tc fish 60 "fish offers the same" require.progs fish
fish_body()
{
	made
	export HOME="$PWD" XDG_CONFIG_HOME="$PWD" XDG_DATA_HOME="$PWD"
	offers()
	{
		fish -N -c "source '$COMPLETIONS/stasis.fish'; complete -C '$1'" | cut -f1
	}
	atf_check fish -n "$COMPLETIONS/stasis.fish"
	for command in truss leaks doctor; do
		told $command >told.txt
		{ offers "stasis $command -" && offers "stasis $command --"; } | sed 's/=.*//' | grep -vE '^-([A-Za-z])\1+$' | sort -u >offered
		atf_check diff told.txt offered
	done
	offers 'stasis ' | grep -v '^-' | sort >offered
	printf 'doctor\nleaks\ntruss\n' | atf_check diff - offered
	atf_check_equal "$(offers 'stasis truss --placement=' | sed 's/.*=//' | sort | tr '\n' ' ')" 'auto free shared '
}

sts_tc zsh 60 "zsh has them all" require.progs "zsh"
zsh_body()
{
	made
	atf_check zsh -n "$COMPLETIONS/_stasis"
	for command in truss leaks doctor; do
		told $command >told.txt
		sed -n "/^	$command)\$/,/;;/p" "$COMPLETIONS/_stasis" | sed -n -E "s/^\t\t\t'\*(-[A-Za-z-]+)([=+-]*)\[.*/\1/p" |
			grep -vE '^-([A-Za-z])\1+$' | sort -u >offered
		atf_check diff told.txt offered
	done
	# What _arguments makes of it: a specification it cannot read is an error.
	cat >try.zsh <<-'END'
	zmodload zsh/zpty
	zpty shell zsh -f -i
	zpty -w shell "PS1='go''>'; autoload -U compinit; fpath=($1 \$fpath); compinit -D -u; stty -echo; print ready''ready"
	zpty -r shell line '*readyready*'
	zpty -w -n shell $'stasis truss --placement=sh\t'
	zpty -r shell line '*shared*' && print found
	zpty -d shell
	END
	atf_check -o match:found timeout 30 zsh -f try.zsh "$COMPLETIONS"
}

sts_tc installed 60 "they are where shells look" require.progs "meson"
installed_body()
{
	made
	atf_check -o ignore -e ignore env DESTDIR="$PWD/dest" meson install -C "$STS_BUILD" --no-rebuild
	for file in bash-completion/completions/stasis zsh/site-functions/_stasis fish/vendor_completions.d/stasis.fish; do
		[ -n "$(find dest -path "*/share/$file")" ] || atf_fail "$file is not installed"
	done
}
