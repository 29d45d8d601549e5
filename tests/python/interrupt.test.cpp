// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/python.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <exception>
#include <future>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "support.hpp"

using namespace python_test;

namespace {

// A call that can be cancelled, and what came of it.
class cancellable {
 public:
  template <class App>
  cancellable(const App& app, std::string_view request) {
    app.async_call(asio::buffer(request),
                   asio::bind_cancellation_slot(signal_.slot(), [this](std::exception_ptr e, python::reply reply) {
                     try {
                       if (e) std::rethrow_exception(std::exchange(e, nullptr));
                       promise_.set_value(to_string(reply));
                     } catch (const std::system_error& error) {
                       promise_.set_value(error.code() == asio::error::operation_aborted ? "aborted" : error.what());
                     } catch (const std::exception& error) {
                       promise_.set_value(error.what());
                     }
                   }));
  }

  void cancel() { signal_.emit(asio::cancellation_type::terminal); }
  std::string result() { return wait(promise_.get_future()); }

 private:
  asio::cancellation_signal signal_;
  std::promise<std::string> promise_;
};

// spin(b'W') tells that it runs by writing to the file W, and goes on for ever.
constexpr auto spinning = R"(
import os
def spin(request):
    if not request:
        return b'idle'
    os.write(int(request), b'.')
    while True:
        pass
)";

}  // namespace

TEMPLATE_TEST_CASE("a call that is cancelled while it runs is interrupted, and the next one is not",
                   "[python][interrupt]", asio::io_context, asio::thread_pool) {
  for (const auto policy : {python::gil_policy::per_batch, python::gil_policy::held}) {
    environment world(spinning);
    running<TestType> home;
    const asyncres::python_app app(home.context(), world.python(), "app:spin", {.gil = policy});
    for (int i = 0; i != 10; ++i) {
      event runs;
      const auto request = std::to_string(runs.write_end());
      cancellable call(app, request);
      auto next = python_test::call(app);
      runs.wait();
      call.cancel();
      CHECK(call.result() == "aborted");
      CHECK(to_string(get(std::move(next))) == "idle");
    }
  }
}

TEST_CASE("asyncres.Cancelled is what the call sees, and no Exception", "[python][interrupt]") {
  environment world(R"(
import asyncres, os
seen = b''
def spin(request):
    global seen
    if not request:
        return seen
    try:
        try:
            os.write(int(request), b'.')
            while True:
                pass
        except Exception:
            seen = b'Exception'
    except asyncres.Cancelled as e:
        seen = type(e).__name__.encode()
        return b'refused'
)");
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:spin");
  event runs;
  const auto request = std::to_string(runs.write_end());
  cancellable call(app, request);
  runs.wait();
  call.cancel();
  CHECK(call.result() == "refused");
  CHECK(ask(app) == "Cancelled");
}

TEST_CASE("an interrupt that comes too late for its call hits no other", "[python][interrupt]") {
  environment world("def run(request): return request\n");
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run");
  int aborted = 0, done = 0;
  for (int i = 0; i != 2000; ++i) {
    cancellable call(app, "x");
    auto next = python_test::call(app, "next");
    call.cancel();
    const auto result = call.result();
    result == "aborted" ? ++aborted : ++done;
    CHECK((result == "aborted" || result == "x"));
    CHECK(to_string(get(std::move(next))) == "next");
  }
  CHECK(aborted + done == 2000);
}

TEST_CASE("a call that is cancelled while its module is imported is not made", "[python][interrupt]") {
  event runs, go_on;
  environment world("import os\nos.write(" + std::to_string(runs.write_end()) + ", b'.')\nos.read(" +
                    std::to_string(go_on.read_end()) +
                    ", 1)\ndef run(request):\n    while request: pass\n    return b'idle'\n");
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run");
  cancellable call(app, "x");
  auto next = python_test::call(app);
  runs.wait();
  call.cancel();
  go_on.set();
  CHECK(call.result() == "aborted");
  CHECK(to_string(get(std::move(next))) == "idle");
}

TEST_CASE("a call that has raised is not interrupted while its error is made: that arrives, whole",
          "[python][interrupt]") {
  environment world(R"(
import os
class Slow(Exception):
    def __str__(self):
        if self.args:
            pause, signalled = map(int, self.args[0].split())
            self.args = ()
            os.write(signalled, b'.')
            os.read(pause, 1)
        return 'whole'
def run(request):
    if request:
        raise Slow(request)
    return b'idle'
)");
  for (const auto policy : policies()) {
    asio::thread_pool home(1);
    const asyncres::python_app app(home, world.python(), "app:run", {.gil = policy});
    event paused, signalled;
    const auto request = descriptors(paused, signalled);
    cancellable call(app, request);
    signalled.wait();
    call.cancel();
    paused.set();
    CHECK(call.result() == "whole");
    CHECK(ask(app) == "idle");
  }
}

TEST_CASE("an interrupt that comes while its call ends hits nothing behind that", "[python][interrupt]") {
  environment world(R"(
import os
class Slow(Exception):
    def __str__(self):
        for i in range(10000):
            pass
        return 'whole'
def run(request):
    os.write(int(request), b'.')
    raise Slow
)");
  for (const auto policy : policies()) {
    asio::thread_pool home(1);
    const asyncres::python_app app(home, world.python(), "app:run", {.gil = policy});
    event ends;
    const auto request = std::to_string(ends.write_end());
    for (int i = 0; i != 500; ++i) {
      cancellable call(app, request);
      ends.wait();
      call.cancel();
      const auto result = call.result();
      CHECK((result == "aborted" || result == "whole"));
    }
  }
}
