# SPDX-License-Identifier: BSD-2-Clause
# spawn.pl WAY: make one child in that way and say "EVENT PID STATUS" of it; see ../../control/runtimes_test.c.
use strict;
use warnings;

my %ways = (
	fork => sub {
		my $pid = fork;
		exit 3 if $pid == 0;
		waitpid $pid, 0;
		print "fork $pid ", $? >> 8, "\n";
	},
	system => sub {
		system '/bin/sh', '-c', 'printf "fork %s " $$; exit 3';
		print $? >> 8, "\n";
	},
	backticks => sub {
		my $said = `exec /bin/sh -c 'printf "fork %s " \$\$; exit 3'`;
		print $said, $? >> 8, "\n";
	},
	pipe => sub {
		my $pid = open my $in, '-|', '/bin/sh', '-c', 'exit 3';
		close $in;
		print "fork $pid ", $? >> 8, "\n";
	},
);

$ways{$ARGV[0]}->();
