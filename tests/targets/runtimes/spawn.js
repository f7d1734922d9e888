// SPDX-License-Identifier: BSD-2-Clause
// spawn.js WAY: make one child in that way and say "EVENT PID STATUS" of it; see ../../control/runtimes_test.c.
'use strict';
const cp = require('child_process');

const shell = ['-c', 'exit 3'];
const tell = (child) => child.on('exit', (status) => console.log('fork', child.pid, status));

const ways = {
	child: () => process.exit(3),
	spawn: () => tell(cp.spawn('/bin/sh', shell)),
	detached: () => tell(cp.spawn('/bin/sh', shell, {detached: true})),
	inherit: () => tell(cp.spawn('/bin/sh', shell, {stdio: 'inherit'})),
	fork: () => tell(cp.fork(__filename, ['child'])),
	exec: () => tell(cp.exec('exit 3')),
	execFile: () => tell(cp.execFile('/bin/sh', shell)),
	spawnSync: () => {
		const done = cp.spawnSync('/bin/sh', shell);
		console.log('fork', done.pid, done.status);
	},
};

ways[process.argv[2]]();
