// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/python.hpp>

#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support.hpp"

using namespace python_test;
using python::gil_policy;

namespace {

// run(code) executes code in a child that it forks, and answers with the child's status and what it wrote.
constexpr auto forking = R"(
import os, signal, sys, threading
def fork(code):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        sys.stderr = os.fdopen(write, 'w')
        exec(code.decode(), globals())
        return b''
    os.close(write)
    with os.fdopen(read) as errors:
        text = errors.read()
    return b'%d %s' % (os.waitpid(child, 0)[1], text.encode())
def run(request):
    return fork(request)
async def run_async(request):
    return fork(request)
)";

// A sub-interpreter refuses to fork, and CPython 3.12 and 3.13 end a child abnormally if there is one.
std::vector<gil_policy> forking_policies() {
  auto result = policies();
  std::erase(result, gil_policy::own_gil);
  return result;
}

std::string exit_status(int status) {
  return std::to_string(status << 8) + ' ';
}

// A call that is inside the interpreter until it is destroyed, and lets go of the GIL there.
template <class App>
class call_under_way {
 public:
  explicit call_under_way(const App& app) : call_(call(app, request_)) { runs_.wait(); }
  call_under_way(const call_under_way&) = delete;
  call_under_way& operator=(const call_under_way&) = delete;
  ~call_under_way() {
    pause_.set();
    call_.wait();
  }

 private:
  event pause_, runs_;
  const std::string request_ = descriptors(pause_, runs_);
  std::future<outcome> call_;
};

}  // namespace

TEST_CASE("a child that a callable forks ends where the callable does, as a Python program ends", "[python][fork]") {
  environment world(forking);
  for (const auto policy : forking_policies()) {
    for (const auto* const target : {"app:run", "app:run_async"}) {
      asio::thread_pool home(1);
      const asyncres::python_app app(home, world.python(), target, {.gil = policy});
      CHECK(ask(app, "sys.exit(7)") == exit_status(7));
      CHECK(ask(app, "sys.exit()") == exit_status(0));
      CHECK(ask(app, "sys.exit('why')") == exit_status(1) + "why\n");
      CHECK(ask(app, "pass") == exit_status(0));
      CHECK(ask(app, "raise KeyError").ends_with("KeyError\n"));
      CHECK(ask(app, "import atexit; atexit.register(print, 'bye', file=sys.stderr)") == exit_status(0) + "bye\n");
#ifndef __SANITIZE_THREAD__  // It ends a child that starts a thread.
      CHECK(ask(app, "threading.Thread(target=lambda: print('thread', file=sys.stderr)).start()") ==
            exit_status(0) + "thread\n");
#endif
    }
  }
}

TEST_CASE("a child that a callable forks by multiprocessing ends", "[python][fork]") {
  environment world(R"(
import multiprocessing
def run(request):
    child = multiprocessing.get_context('fork').Process(target=len, args=(b'',))
    child.start()
    child.join(60)
    return str(child.exitcode).encode()
)");
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run");
  CHECK(ask(app) == "0");
}

TEST_CASE("a child that is forked by another Python thread ends, whatever the homes were doing", "[python][fork]") {
  for (const auto policy : forking_policies()) {
    environment world(blocking);
    world.folder().add("forks", forking);
    asio::thread_pool first(1), second(1);
    const asyncres::python_app busy(first, world.python(), "app:run", {.gil = policy});
    const asyncres::python_app app(second, world.python(), "forks:run");
    const call_under_way under_way(busy);
    CHECK(ask(app, "sys.exit(7)") == exit_status(7));
  }
}

TEST_CASE("in a child that C++ forks the interpreter is gone, and its end waits for nobody", "[python][fork]") {
  for (const auto policy : policies()) {
    environment world(blocking);
    asio::thread_pool home(1);
    std::optional app(asyncres::python_app(home, world.python(), "app:run", {.gil = policy}));
    python::callable callable(world.python(), "app:run");
    const call_under_way under_way(*app);
    const int status = status_of_child([&] {
      try {
        callable.load();
      } catch (const python::error& e) {
        if (std::string(e.what()) != "the Python interpreter is gone") std::_Exit(1);
        app.reset();
        world.stop();
        return;
      }
      std::_Exit(2);
    });
    CHECK(status == 0);
  }
}

TEST_CASE("a child that a task forks takes nothing that the loop of its parent waits for", "[python][fork]") {
  environment world(R"(
import asyncio, os, signal
readable, write = os.pipe()
log, tell = os.pipe()
async def run(request):
    parent = os.getpid()
    loop = asyncio.get_running_loop()
    told = loop.create_future()
    def tells():
        os.write(tell, b'parent ' if os.getpid() == parent else b'child ')
        loop.remove_reader(readable)
        told.set_result(None)
    loop.add_reader(readable, tells)
    os.write(write, b'.')
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        await told
    status = os.waitpid(child, 0)[1]
    await told
    return os.read(log, 100) + b'%d' % status
)");
  for (const auto policy : forking_policies()) {
    asio::thread_pool home(1);
    const asyncres::python_app app(home, world.python(), "app:run", {.gil = policy});
    CHECK(ask(app) == "parent 0");
  }
}

TEST_CASE("a child that a module forks when it is imported ends as the import does", "[python][fork]") {
  environment world("");
  const auto status_of = [&](const std::string& module, const std::string& end) {
    world.folder().add(module, "import os, signal, sys\nchild = os.fork()\nif child == 0:\n    signal.alarm(60)\n    " +
                                   end +
                                   "\nstatus = child and os.waitpid(child, 0)[1]\n"
                                   "def run(request): return b'%d' % status\n");
    asio::thread_pool home(1);
    const asyncres::python_app app(home, world.python(), module + ":run");
    return ask(app) + ' ';
  };
  CHECK(status_of("succeeds", "pass") == exit_status(0));
  CHECK(status_of("exits", "sys.exit(7)") == exit_status(7));
  CHECK(status_of("fails", "sys.stderr = None; raise KeyError") == exit_status(1));
}
