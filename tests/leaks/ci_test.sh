# SPDX-License-Identifier: BSD-2-Clause
# What docs/LEAKS-IN-CI.md promises of those who run tests for others.

sts_tc ctest 90 "ctest -T memcheck counts the leaks of a linked program as LeakSanitizer's" require.progs "cmake cc make ctest"
ctest_body()
{
	cp "$STS_SOURCE/tests/targets/leaks/planted.c" .
	cat >CMakeLists.txt <<-CMAKE
		cmake_minimum_required(VERSION 3.13)
		project(checked C)
		set(MEMORYCHECK_TYPE LeakSanitizer)
		include(CTest)
		link_libraries(-Wl,--no-as-needed "$STS_BUILD/libstasis-leaks.so")
		foreach(name leaky fine)
		  add_executable(\${name} \${name}.c planted.c)
		  add_test(\${name} \${name})
		endforeach()
	CMAKE
	echo 'int planted_call(void); int main(void) { return planted_call() - 3; }' >leaky.c
	echo 'int main(void) { return 0; }' >fine.c
	atf_check -o ignore cmake -B made -S . -DCMAKE_BUILD_TYPE=Debug
	atf_check -o ignore cmake --build made
	# Of a test without a leak it misses the file that LeakSanitizer does not write either.
	atf_check -s not-exit:0 -o save:told -e ignore sh -c 'cd made && ctest -T memcheck'
	grep -q 'MemCheck: #1: leaky \.* *Defects: 1$' told || {
		cat told
		atf_fail "the leaky test has no defect"
	}
	atf_check -o match:'^Direct leak - 1$' -o not-match:'Indirect' cat told
	atf_check -o match:'planted.c:' cat made/Testing/Temporary/MemoryChecker.1.log
	[ ! -e made/Testing/Temporary/MemoryChecker.2.log ] || atf_fail "the other test has a report"
}

sts_tc runner 60 "a test runner in a script: its own status, leaks of one's own library, one status for both" require.progs python3
runner_body()
{
	planted=$STS_TARGETS/leaks/leaks-planted.so
	cat >runner.py <<-PYTHON
		import ctypes, sys, unittest
		class Case(unittest.TestCase):
		    def test(self):
		        self.assertEqual(ctypes.CDLL("$planted").planted_call(), int(sys.argv.pop()))
		unittest.main(argv=["runner"])
	PYTHON
	# The test fails: that is told, not the leak's status.
	atf_check -s exit:1 -o ignore -e match:'FAILED' "$STASIS" leaks --only=leaks-planted --sarif=s1 -- python3 runner.py 4
	atf_check -s exit:9 -o ignore -e match:'^OK$' "$STASIS" leaks --only=leaks-planted --error-exitcode=9 --sarif=s2 \
		-- python3 runner.py 3
	for report in s1 s2; do
		atf_check -o inline:'["planted.c"]\n' python3 -S -c 'import json, sys
runs = json.load(open(sys.argv[1]))["runs"]
places = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].split("/")[-1]
	for run in runs for r in run["results"]}
print(json.dumps(sorted(places)))' $report
	done
}
