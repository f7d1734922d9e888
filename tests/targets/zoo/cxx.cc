// SPDX-License-Identifier: BSD-2-Clause
/* target-zoo-cxx SCENARIO held|lost: what C++ does with memory. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#define APART __attribute__((noinline, noclone, noipa))

static bool lost;

static APART void scrub()
{
	volatile char space[65536];

	for (size_t i = 0; i < sizeof(space); i++)
		space[i] = 0;
}

/* What make() gives, which is held here or nowhere. */
template <typename T> static APART void keep(T *(*make)())
{
	static T *volatile slot __attribute__((used));

	slot = make();
	if (lost)
		slot = nullptr;
}

struct first {
	virtual ~first() = default;
	long a[4];
};

struct second {
	virtual ~second() = default;
	long b[4];
};

struct both : first, second {
	long c[4];
};

struct counted {
	~counted()
	{
		a[0] = 0;
	}
	long a[3];
};

struct alignas(256) wide {
	char a[300];
};

struct ring {
	std::shared_ptr<ring> next;
};

struct base {
	virtual ~base() = default;
};

struct throws : base {
	throws() : p(new char[100])
	{
		throw 1;
	}
	char *volatile p;
};

static APART void cookies()
{
	keep<counted>([]() -> counted * { return new counted[10]; });
}

static APART void second_base()
{
	keep<second>([]() -> second * { return new both; });
}

static APART void virtual_base()
{
	struct v : virtual first, virtual second {
	};

	keep<second>([]() -> second * { return new v; });
}

static APART void plain()
{
	keep<int>([]() -> int * { return new int(3); });
}

static APART void array()
{
	keep<char>([]() -> char * { return new char[100]; });
}

static APART void empty_array()
{
	keep<char>([]() -> char * { return new char[0]; });
}

static APART void nothrow()
{
	keep<int>([]() -> int * { return new (std::nothrow) int(3); });
}

static APART void nothrow_array()
{
	keep<char>([]() -> char * { return new (std::nothrow) char[50]; });
}

static APART void aligned()
{
	keep<wide>([]() -> wide * { return new wide; });
}

static APART void aligned_array()
{
	keep<wide>([]() -> wide * { return new wide[3]; });
}

static APART void aligned_nothrow()
{
	keep<wide>([]() -> wide * { return new (std::nothrow) wide; });
}

static APART void placement()
{
	keep<int>([]() -> int * { return new (::operator new(64)) int(3); });
}

static APART void text()
{
	keep<std::string>([]() -> std::string * { return new std::string(100, 'x'); });
}

static APART void vector()
{
	keep<std::vector<int *>>([]() -> std::vector<int *> * {
		auto *v = new std::vector<int *>;

		for (int i = 0; i < 10; i++)
			v->push_back(new int(i));
		return v;
	});
}

static APART void map()
{
	keep<std::map<int, int>>([]() -> std::map<int, int> * {
		auto *m = new std::map<int, int>;

		for (int i = 0; i < 20; i++)
			(*m)[i] = i;
		return m;
	});
}

static APART void hash()
{
	keep<std::unordered_map<int, std::string>>([]() -> std::unordered_map<int, std::string> * {
		auto *m = new std::unordered_map<int, std::string>;

		m->reserve(100);
		for (int i = 0; i < 20; i++)
			(*m)[i] = std::string(50, 'x');
		return m;
	});
}

static APART void deque()
{
	keep<std::deque<long>>([]() -> std::deque<long> * { return new std::deque<long>(1000, 3); });
}

static APART void list()
{
	keep<std::list<long>>([]() -> std::list<long> * { return new std::list<long>(10, 3); });
}

static APART void function()
{
	keep<std::function<long()>>([]() -> std::function<long()> * {
		long a[10] = {1};

		return new std::function<long()>([a] { return a[3]; });
	});
}

/* Two that hold each other; nobody else does, if it is to be lost. */
static APART void shared_cycle()
{
	static std::shared_ptr<ring> slot;
	auto a = std::make_shared<ring>(), b = std::make_shared<ring>();

	a->next = b;
	b->next = a;
	if (!lost)
		slot = a;
}

/* All is given back. */
static APART void all_freed()
{
	std::map<std::string, std::vector<std::shared_ptr<ring>>> m;
	std::ostringstream s;

	for (int i = 0; i < 100; i++) {
		s << i << std::string(30, 'k');
		m[s.str()].push_back(std::make_shared<ring>());
	}
	if (lost)
		*(volatile char *)new char = 1;
}

/* What the constructor had is lost, the object and the exception are not. */
static APART void throwing()
{
	static base *volatile slot __attribute__((used));

	if (!lost)
		return;
	try {
		slot = new throws;
	} catch (int) {
		slot = nullptr;
	}
}

/* Caught and kept. */
static APART void exception()
{
	static std::exception_ptr slot;

	try {
		throw std::string(100, 'x');
	} catch (...) {
		slot = std::current_exception();
	}
	if (lost)
		memset((void *)&slot, 0, sizeof(slot));
}

static APART void lose_if_lost()
{
	if (lost)
		*(volatile char *)new char[20] = 1;
}

static thread_local std::unique_ptr<int> own;

static APART void local_thread()
{
	std::thread t([] {
		own.reset(new int(3));
		scrub();
	});

	t.join();
	lose_if_lost();
}

static const struct {
	const char *name;
	void (*run)();
} scenarios[] = {{"new", plain},
		 {"new_array", array},
		 {"new_empty", empty_array},
		 {"new_nothrow", nothrow},
		 {"new_array_nothrow", nothrow_array},
		 {"new_aligned", aligned},
		 {"new_array_aligned", aligned_array},
		 {"new_aligned_nothrow", aligned_nothrow},
		 {"operator_new", placement},
		 {"cookie", cookies},
		 {"second_base", second_base},
		 {"virtual_base", virtual_base},
		 {"string", text},
		 {"vector", vector},
		 {"map", map},
		 {"hash", hash},
		 {"deque", deque},
		 {"std_list", list},
		 {"function", function},
		 {"shared_cycle", shared_cycle},
		 {"all_freed", all_freed},
		 {"throwing", throwing},
		 {"exception", exception},
		 {"thread_local", local_thread}};

int main(int argc, char **argv)
{
	lost = argc > 2 && strcmp(argv[2], "lost") == 0;
	for (auto &s : scenarios) {
		if (argc < 2 || strcmp(s.name, argv[1]) != 0)
			continue;
		s.run();
		scrub();
		return 0;
	}
	fprintf(stderr, "usage: target-zoo-cxx SCENARIO held|lost\n");
	return 98;
}
