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
