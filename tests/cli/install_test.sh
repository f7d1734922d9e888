# SPDX-License-Identifier: BSD-2-Clause
# What `meson install` puts down is enough for a client: headers, both libraries, the pkg-config file, the program.

install_here()
{
	atf_check -o ignore -e ignore env DESTDIR="$PWD/dest" meson install -C "$STS_BUILD" --no-rebuild
	pc=$(find dest -name stasis.pc)
	[ -n "$pc" ] || atf_fail "no stasis.pc is installed"
	PKG_CONFIG_PATH=$(dirname "$PWD/$pc")
	PKG_CONFIG_SYSROOT_DIR=$PWD/dest
	export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
	libdir=$(dirname "$(find "$PWD/dest" -name libstasis.a)")
}

# traces PROGRAM...: the client runs sh and sees the events of it.
traces()
{
	atf_check -s exit:7 -o match:'^attached$' -o match:'^exited$' "$@" /bin/sh -c 'exit 7'
}

sts_tc shared 60 "a C client builds with pkg-config alone and runs with the shared library" require.progs "pkg-config cc meson"
shared_body()
{
	install_here
	# shellcheck disable=SC2046 # flags
	atf_check cc -std=c11 -pedantic -Wall -Wextra -Werror -o client "$STS_SOURCE/tests/cli/client.c" \
		$(pkg-config --cflags --libs stasis)
	atf_check -o match:'libstasis.so.0' env LD_LIBRARY_PATH="$libdir" ldd client
	traces env LD_LIBRARY_PATH="$libdir" ./client
}

sts_tc static 60 "a C client links with the static library" require.progs "pkg-config cc meson"
static_body()
{
	install_here
	# shellcheck disable=SC2046 # flags
	atf_check cc -static -o client "$STS_SOURCE/tests/cli/client.c" $(pkg-config --static --cflags --libs stasis)
	traces ./client
}

sts_tc netbsd 60 "a tracer for NetBSD builds with pkg-config alone, shared and static" require.progs "pkg-config cc meson"
netbsd_body()
{
	install_here
	for kind in '' -static; do
		# shellcheck disable=SC2046,SC2086 # flags
		atf_check cc -Wall -Wextra -Werror $kind -o tracer "$STS_SOURCE/examples/netbsd/calls.c" \
			$(pkg-config ${kind:+--static} --cflags --libs stasis-netbsd)
		atf_check -s exit:7 -o match:' ends with 0x700$' env LD_LIBRARY_PATH="$libdir" ./tracer sh -c 'exit 7'
	done
}

sts_tc cxx 60 "a C++ client builds and runs" require.progs "pkg-config c++ meson"
cxx_body()
{
	install_here
	# shellcheck disable=SC2046 # flags
	atf_check c++ -x c++ -std=c++17 -pedantic -Wall -Wextra -Werror -o client "$STS_SOURCE/tests/cli/client.c" \
		$(pkg-config --cflags --libs stasis)
	traces env LD_LIBRARY_PATH="$libdir" ./client
}

sts_tc stopworld 60 "a C client of libstasis-stopworld builds with pkg-config alone, shared and static" require.progs "pkg-config cc meson"
stopworld_body()
{
	install_here
	cat >client.c <<-'CODE'
		#include <stasis/stopworld.h>

		int main(void)
		{
			struct stasis_world *w;

			return stasis_world_stop(0, &w) != 0 || stasis_world_count(w) != 0 || stasis_world_resume(w) != 0;
		}
	CODE
	# shellcheck disable=SC2046 # flags
	atf_check cc -std=gnu11 -Wall -Wextra -Werror -o client client.c $(pkg-config --cflags --libs stasis-stopworld)
	atf_check env LD_LIBRARY_PATH="$libdir" ./client
	# shellcheck disable=SC2046 # flags
	atf_check cc -static -o client client.c $(pkg-config --static --cflags --libs stasis-stopworld)
	atf_check ./client
}

# cmake_client COMPONENT LANGUAGE FILE: CMakeLists.txt of programs of both kinds of that library.
cmake_client()
{
	cat >CMakeLists.txt <<-CMAKE
		cmake_minimum_required(VERSION 3.13)
		project(client $2)
		find_package(stasis 0.1 REQUIRED COMPONENTS $1)
		foreach(kind "" -static)
		  add_executable(client\${kind} $3)
		  target_link_libraries(client\${kind} stasis::$1\${kind})
		  target_compile_options(client\${kind} PRIVATE -Wall -Wextra -Werror)
		endforeach()
	CMAKE
	atf_check -o ignore cmake -B made -S . "-DCMAKE_PREFIX_PATH=$PWD/dest/usr/local"
	atf_check -o ignore cmake --build made
}

sts_tc cmake 60 "clients of cmake find both kinds of library in a tree that was moved" require.progs "cmake cc make meson"
cmake_body()
{
	install_here
	cmake_client stasis C "$STS_SOURCE/tests/cli/client.c"
	atf_check -o match:'libstasis.so.0' ldd made/client
	atf_check -o not-match:'libstasis' ldd made/client-static
	for program in client client-static; do
		traces "made/$program"
	done
	rm -r made
	cmake_client netbsd C "$STS_SOURCE/examples/netbsd/calls.c"
	for program in client client-static; do
		atf_check -s exit:7 -o match:' ends with 0x700$' env LD_LIBRARY_PATH="$libdir" "made/$program" sh -c 'exit 7'
	done
	sed -i 's/stasis 0.1/stasis 0.2/' CMakeLists.txt
	atf_check -s not-exit:0 -o ignore -e match:'version' cmake -B other -S . "-DCMAKE_PREFIX_PATH=$PWD/dest/usr/local"
	sed -i 's/stasis 0.2/stasis 0.1/; s/COMPONENTS netbsd/COMPONENTS nothing/' CMakeLists.txt
	atf_check -s not-exit:0 -o ignore -e match:'no component nothing' cmake -B other -S . \
		"-DCMAKE_PREFIX_PATH=$PWD/dest/usr/local"
}

sts_tc complete 60 "the program, every header and every man page are installed" require.progs meson
complete_body()
{
	install_here
	(cd "$STS_SOURCE/include" && find stasis -name '*.h') >headers
	while read -r header; do
		[ -n "$(find dest -path "*/include/$header")" ] || atf_fail "$header is not installed"
	done <headers
	for page in "$STS_SOURCE"/man/*.[1-9]; do
		[ -f "$page" ] || continue
		[ -n "$(find dest -path "*/man/*" -name "${page##*/}*")" ] || atf_fail "${page##*/} is not installed"
	done
	program=$(find "$PWD/dest" -name stasis -type f -perm -u+x)
	[ -n "$program" ] || atf_fail "the program is not installed"
	atf_check -s not-exit:127 -o ignore -e ignore "$program" --help
}
