# SPDX-License-Identifier: BSD-2-Clause
"""What names of bits and values are said to be, held against strace: every argument of data/syscalls.tbl that has a set
of them, with every small number and every bit, as target-sweep calls it.

sweep.py args TABLE COLUMN: the arguments, as target-sweep takes them. COLUMN is 1 for x86-64, 2 for i386.
sweep.py compare TABLE COLUMN STRACE OURS DIFFERENCES: the status is 0 if the two texts differ in what DIFFERENCES lists
alone, and in all of that.
"""
import re
import sys

VALUES = 64 + 31  # as target-sweep makes them


def arguments(table, column):
    """(call, number, place, name) of all that have a set, by their place among the words a call is given."""
    with open(table, encoding='utf-8') as file:
        for line in file:
            words = line.split()
            if line.startswith('#') or not words or words[column] == '-' or words[4].startswith('='):
                continue
            place = 0
            for text in words[5:]:
                if re.search(r':(flags|enum)\.', text):
                    yield words[0], words[column], place, text.partition(':')[0]
                place += 2 if re.search(r':hilo' if column == 1 else r':(off64|hilo|flags64)', text) else 1


def swept(path):
    """The calls after the filter's, without results."""
    with open(path, encoding='utf-8') as file:
        lines = [re.sub(r'\)\s+= -1 E.*', ')', re.sub(r'^\d+ +', '', line.rstrip('\n'))) for line in file]
    return lines[next(i for i, line in enumerate(lines) if 'SECCOMP_MODE_FILTER' in line) + 1:]


def listed(path):
    """{(call, argument): line} of the file of differences: "call argument..." on a line, a reason above it."""
    found = {}
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if words and not line.startswith('#'):
                found.update({(words[0], word): number for word in words[1:]})
    return found


def compare(table, column, theirs, ours, differences):
    theirs, ours, known = swept(theirs), swept(ours), listed(differences)
    faults, differing, names = [], set(), list(arguments(table, column))
    if len(theirs) != len(ours) or len(ours) < len(names) * VALUES:
        return [f'{len(theirs)} calls, {len(ours)} calls, {len(names)} arguments']
    for i, (call, _, _, name) in enumerate(names):
        part = slice(i * VALUES, (i + 1) * VALUES)
        pairs = [pair for pair in zip(theirs[part], ours[part]) if pair[0] != pair[1]]
        if pairs:
            differing.add((call, name))
        if pairs and (call, name) not in known:
            faults.append(f'{call} {name}, {len(pairs)} of {VALUES}:\n\t- {pairs[0][0]}\n\t+ {pairs[0][1]}')
    print(f'{len(names)} arguments, {len(differing)} differ')
    here = {(call, name) for call, _, _, name in names}
    return faults + [f'line {known[key]}: {" ".join(key)} does not differ' for key in known
                     if key in here and key not in differing]


def main():
    command, table, column = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if command == 'args':
        print(*(f'{number}:{place}' for _, number, place, _ in arguments(table, column)))
        return 0
    faults = compare(table, column, *sys.argv[4:])
    print(*faults, sep='\n')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
