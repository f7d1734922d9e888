# SPDX-License-Identifier: BSD-2-Clause
"""Run a program under strace and under stasis truss, and tell where their texts differ.

Each of the two traces runs of its own, with addresses that are not randomised, in a folder that is made anew. Threads
are matched by birth: 1 is the program, 1.2 its second child. What the program does differently from run to run is
measured, not assumed: of every line, in each thread, is counted how often each run has it, and two tools differ where
no run of the one has as many as any run of the other. Lines are counted twice, as they are and as shapes without
numbers and strings, so that what a program draws at random is still compared in all else. More runs are made while
there seems to be a difference, so that chance makes none.

What differs on purpose is in the file of differences: see read_rules().
"""
import argparse
import collections
import os
import re
import shutil
import signal
import subprocess
import sys

BIRTHS = re.compile(r'(?:fork|vfork|clone|clone3)\(.*\) = (\d+)(?: \(flags.*\))?$', re.DOTALL)
RUNS = 5  # of each tool at most
CPU_TIME = re.compile(r'(si_[us]time=)\d+(?: /\* \d+\.\d\d s \*/)?')
# Shown of a tracer that does not wait for the whole call: "name(args <unfinished ...>", "<... name resumed>rest".
UNFINISHED = re.compile(r'(.*?) <unfinished \.\.\.>(?:\)\s+= \?)?$', re.DOTALL)
RESUMED = re.compile(r'<\.\.\. \w+ resumed>(.*)', re.DOTALL)


class Rule:
    """In the cases NAMES the text that PATTERN matches becomes REPLACEMENT: strace's, or both tools'."""

    def __init__(self, names, kind, pattern, replacement, number):
        self.names, self.kind, self.replacement, self.number = names, kind, replacement, number
        self.pattern = re.compile(pattern)
        self.used = False

    def apply(self, line, is_strace):
        if self.kind == '-' and not is_strace:
            return line
        changed, n = self.pattern.subn(self.replacement, line)
        self.used |= n > 0
        return changed


def read_rules(path, name):
    """Of the file of differences what holds for a case.

    "[NAME...]" says for which cases the rules below it are. A rule is two lines: "- REGEX" and "+ REPLACEMENT": what
    strace's text has to be changed to, to be ours. "~ REGEX" and "+ REPLACEMENT" change both texts: that part depends on
    timing. A line that becomes empty is left out. A rule that changes nothing is a fault."""
    rules, names, left = [], [], None
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip('\n')
            if line.startswith('['):
                names = line.strip('[]').split()
            elif line.startswith(('- ', '~ ')) and left is None:
                left = line
            elif line.startswith('+') and left is not None:
                rules.append(Rule(names, left[0], left[2:], line[2:], number))
                left = None
            elif line and not line.startswith('#'):
                raise ValueError(f'{path}:{number}: {line!r}')
    return [rule for rule in rules if name in rule.names]


def records(path):
    """(thread, text) in the order of their beginnings, with what strace tears apart put together."""
    found, open_calls = [], {}
    with open(path, encoding='utf-8', errors='surrogateescape') as file:
        for line in file:
            tid, _, text = line.rstrip('\n').partition(' ')
            text = text.lstrip()
            torn, resumed = UNFINISHED.match(text), RESUMED.match(text)
            if resumed and tid in open_calls:
                found[open_calls.pop(tid)][1] += resumed.group(1)
            elif torn:
                open_calls[tid] = len(found)
                found.append([tid, torn.group(1)])
            else:
                if text.startswith('+++') and tid in open_calls:
                    found[open_calls.pop(tid)][1] += ') = ?'
                found.append([tid, text])
    return [(tid, re.sub(r'\)\s+= ', ') = ', text)) for tid, text in found if not text.startswith('~~~')]


def name_threads(lines):
    """{thread: its place among the births}."""
    children = collections.defaultdict(list)
    for tid, text in lines:
        birth = BIRTHS.match(text)
        if birth:
            children[tid].append(birth.group(1))
    names, todo = {}, [(lines[0][0], '1')]
    while todo:
        tid, name = todo.pop()
        names[tid] = name
        todo += [(child, f'{name}.{i}') for i, child in enumerate(children[tid], 1) if child not in names]
    return names


def shape(text):
    """Without numbers and the contents of strings."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"(?:\.\.\.)?', '"S"', text)
    return re.sub(r'\b0x[0-9a-f]+\b|\b\d+\b', 'N', text)


class Run:
    """What one run showed: {thread: [line, ...]}."""

    def __init__(self, path, folder, rules, is_strace):
        lines = [(tid, text.replace(folder, '/work')) for tid, text in records(path)]
        names = name_threads(lines)
        self.threads = collections.defaultdict(list)
        for tid, text in lines:
            text = re.sub(r'\b\d{2,7}\b', lambda m: 'P' + names[m.group()] if m.group() in names else m.group(), text)
            text = CPU_TIME.sub(r'\1TIME', text)
            for rule in rules:
                text = rule.apply(text, is_strace)
            if text:
                self.threads[names.get(tid, '?' + tid)].append(text)
        self.exact = self.counts(lambda text: text)
        self.shapes = self.counts(shape)

    def counts(self, key):
        return collections.Counter((thread, key(text)) for thread, lines in self.threads.items() for text in lines)

    def order(self, thread):
        """The calls in their order; signals come when they come."""
        return [shape(text) for text in self.threads[thread] if text[0].isalpha()]


def disjoint(theirs, ours):
    """The lines of which no run of the one tool has as many as the other's runs allow: {line: (theirs, ours)}."""
    found = {}
    for line in set().union(*theirs, *ours):
        a, b = [run[line] for run in theirs], [run[line] for run in ours]
        if min(a) > max(b) or min(b) > max(a):
            found[line] = (a, b)
    return found


def out_of_order(theirs, ours):
    """The threads whose calls come in one order in all runs of strace, and in another one in all of ours."""
    found = []
    for thread in theirs[0].threads:
        order, other = theirs[0].order(thread), ours[0].order(thread)
        if (order != other and all(run.order(thread) == order for run in theirs) and
                all(run.order(thread) == other for run in ours)):
            found.append(thread)
    return found


def differences(theirs, ours):
    """Texts, the lines that differ beyond numbers and strings first."""
    found = []
    by_shape = disjoint([run.shapes for run in theirs], [run.shapes for run in ours])
    exact = disjoint([run.exact for run in theirs], [run.exact for run in ours])
    # A shape that differs is shown by a line that has it.
    for (thread, line), (a, b) in sorted(by_shape.items()):
        side = theirs if max(a) > max(b) else ours
        example = next((text for run in side for text in run.threads[thread] if shape(text) == line), line)
        found.append(f'{"-" if side is theirs else "+"} {thread} {a} {b} {example}')
    for (thread, line), (a, b) in sorted(exact.items()):
        if (thread, shape(line)) not in by_shape:
            found.append(f'{"-" if max(a) > max(b) else "+"} {thread} {a} {b} {line}')
    if not found:
        found = [f'the calls of thread {thread} are in another order' for thread in out_of_order(theirs, ours)]
    return found


class Bench:
    """Runs the program."""

    def __init__(self, options, rules):
        self.options, self.rules = options, rules
        self.runs = 0

    def run(self, tracer, is_strace):
        options = self.options
        self.runs += 1
        folder, output = os.path.abspath('work'), os.path.abspath(f'{self.runs}.out')
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        env = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': folder, 'LC_ALL': 'C', 'TZ': 'UTC'}
        if options.prepare:
            self.wait(['sh', '-e', '-c', options.prepare], env, folder, None)
        with open('stdout', 'wb') as stdout:
            self.wait(['setarch', '-R', *tracer, *options.tracing.split(), '-o', output, *options.command], env, folder, stdout)
        return Run(output, folder, self.rules, is_strace)

    def wait(self, command, env, folder, stdout):
        child = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stdout,
                                 start_new_session=True)
        try:
            status = child.wait(timeout=self.options.limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait(timeout=10)
            raise
        if status != self.options.status and stdout is not None or status != 0 and stdout is None:
            raise subprocess.CalledProcessError(status, command)

    def strace(self):
        return self.run(['strace', '-f'], True)

    def stasis(self):
        return self.run([self.options.stasis, 'truss', '--no-fold'], False)


def compare(options, rules):
    bench = Bench(options, rules)
    theirs, ours = [bench.strace(), bench.strace()], [bench.stasis()]
    while found := differences(theirs, ours):
        if len(ours) == RUNS:
            break
        if len(ours) == len(theirs):
            theirs.append(bench.strace())
        else:
            ours.append(bench.stasis())
    stable = sum(min(run.exact[line] for run in theirs) for line in theirs[0].exact)
    total = sum(theirs[0].exact.values())
    print(f'{options.name}: {len(theirs[0].threads)} threads, {total} lines, {stable} of them the same in all of '
          f'{len(theirs)} runs of strace, {len(ours)} of stasis')
    found += [f'the rule on line {rule.number} of the differences is of no use' for rule in rules if not rule.used]
    if stable < options.least:
        found.append(f'only {stable} lines are the same in all runs, not {options.least}')
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--stasis', required=True)
    parser.add_argument('--differences', required=True)
    parser.add_argument('--name', required=True, help='of the case, in the file of differences')
    parser.add_argument('--prepare', help='a script that fills the folder')
    parser.add_argument('--tracing', default='-v -yy -s 100', help='options for both tools')
    parser.add_argument('--least', type=int, default=100, help='lines that must be the same in all runs of strace')
    parser.add_argument('--status', type=int, default=0, help="the program's")
    parser.add_argument('--limit', type=float, default=60, help='seconds for a run')
    parser.add_argument('command', nargs='+')
    options = parser.parse_args()
    found = compare(options, read_rules(options.differences, options.name))
    for text in found[:100]:
        print(text.encode(errors='backslashreplace').decode())
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
