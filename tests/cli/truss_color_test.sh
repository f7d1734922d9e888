# SPDX-License-Identifier: BSD-2-Clause
# Colours of stasis truss: on a terminal, unless somebody says otherwise.

sts_tc rules 60 "--color, NO_COLOR, CLICOLOR_FORCE, CLICOLOR and TERM, on a terminal and in a pipe" require.progs /usr/bin/python3
rules_body()
{
	cat >try.py <<-'END'
	import os, pty, subprocess, sys
	stasis = sys.argv[1]
	base = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM")}
	def colored(terminal, options=(), **env):
	    command = [stasis, "truss", *options, "-e", "trace=none", "true"]
	    if not terminal:
	        return b"\033[" in subprocess.run(command, env={**base, **env}, stderr=subprocess.PIPE, check=True).stderr
	    ours, theirs = pty.openpty()
	    child = subprocess.Popen(command, env={**base, **env}, stdin=theirs, stderr=theirs)
	    os.close(theirs)
	    text = b""
	    try:
	        while more := os.read(ours, 4096):
	            text += more
	    except OSError:
	        pass
	    assert child.wait() == 0 and b"exited with 0" in text, text
	    os.close(ours)
	    return b"\033[" in text
	assert colored(True, TERM="xterm") and not colored(False, TERM="xterm")
	assert colored(True)
	for option, result in (("always", True), ("never", False)):
	    for terminal in (True, False):
	        assert colored(terminal, ["--color=" + option], NO_COLOR="1", CLICOLOR_FORCE="1") == result
	assert not colored(True, NO_COLOR="1") and colored(True, NO_COLOR="")
	assert not colored(True, CLICOLOR="0") and colored(True, CLICOLOR="1") and not colored(False, CLICOLOR="1")
	assert colored(False, CLICOLOR_FORCE="1") and not colored(False, CLICOLOR_FORCE="0")
	assert not colored(False, CLICOLOR_FORCE="1", NO_COLOR="1")
	assert colored(True, CLICOLOR_FORCE="1", CLICOLOR="0", TERM="dumb")
	assert not colored(True, TERM="dumb") and colored(True, ["--color=always"], TERM="dumb")
	END
	atf_check /usr/bin/python3 -S try.py "$STASIS"
	NO_COLOR='' CLICOLOR_FORCE=1 "$STASIS" truss -e trace=none -o file true || atf_fail "truss failed"
	atf_check grep -q "$(printf '\033')" file
	atf_check -s exit:2 -e match:purple "$STASIS" truss --color=purple true
}
