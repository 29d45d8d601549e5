// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/python.hpp>

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <exception>
#include <future>
#include <sstream>
#include <string>
#include <string_view>

#include "support.hpp"

using namespace python_test;

namespace {

// What Python owns: asked to measure, they tell of its objects that every call touches, and of its memory. In the same
// interpreter, which may be the callable's own.
constexpr auto source = R"(
import asyncio, asyncres, gc, sys
class Wrong(Exception): pass
def run(request):
    kind = bytes(request[:5])
    if kind == b'measu':
        return measure()
    if kind == b'raise':
        raise Wrong(bytes(request))
    if kind == b'retur':
        return 17
    if kind == b'array':
        return bytearray(request)
    return bytes(request)
async def run_async(request):
    await (asyncio.get_running_loop().create_future() if request == b'wait' else asyncio.sleep(0))
    if request[:5] == b'raise':  # here: for the line below CPython 3.11 parses it, in memory that settles late
        raise Wrong(request)
    return run(request)
touched = run, run_async, Wrong, asyncres.Cancelled, asyncio.CancelledError, bytes, bytearray, TypeError
def measure():
    gc.collect()
    counts = [sys.getrefcount(each) for each in touched]
    return ' '.join(map(str, [sys.getallocatedblocks(), *counts])).encode()
)";

struct balance {
  long blocks = 0;
  std::array<long, 8> references{};
};

// When what was given up has run, and what it returned has been dropped: behind two calls.
template <class App>
balance measure(const App& app) {
  ask(app), ask(app);
  balance result;
  std::istringstream text(ask(app, "measure"));
  text >> result.blocks;
  for (auto& each : result.references) text >> each;
  return result;
}

constexpr std::array<std::string_view, 5> requests{"echo", "raise", "return", "array", "echo again"};

// So many calls, a fifth of them cancelled, half of these when they have begun, and another fifth given up: their
// handlers' context is destroyed.
template <class App>
void call_many(const App& app, std::size_t calls) {
  constexpr std::size_t at_once = 500;
  for (std::size_t done = 0; done < calls; done += at_once) {
    asio::io_context stays;
    std::deque<asio::cancellation_signal> signals(at_once / 5);
    const auto cancel_from = [&](std::size_t first) {
      for (std::size_t i = first; i < signals.size(); i += 2) signals[i].emit(asio::cancellation_type::terminal);
    };
    {
      asio::io_context goes;
      const auto ignore = [](std::exception_ptr, const python::reply&) {};
      for (std::size_t i = 0; i != at_once; ++i) {
        const auto request = asio::buffer(requests[i / 5 % requests.size()]);
        switch (i % 5) {
          case 0: app.async_call(request, asio::bind_executor(goes, ignore)); break;
          case 1:
            app.async_call(asio::buffer("wait", 4),
                           asio::bind_cancellation_slot(signals[i / 5].slot(), asio::bind_executor(stays, ignore)));
            break;
          default: app.async_call(request, asio::bind_executor(stays, ignore));
        }
      }
      cancel_from(0);
    }
    ask(app);
    cancel_from(1);
    stays.run();
  }
}

// More calls under way at once than call_many() has: what Python's containers keep room for from then on.
template <class App>
void begin_many(asio::thread_pool& home, const App& app) {
  std::promise<void> all;
  asio::post(home, [all = all.get_future()] { all.wait(); });
  asio::io_context here;
  std::deque<asio::cancellation_signal> signals(1'000);
  for (auto& signal : signals)
    app.async_call(asio::buffer("wait", 4),
                   asio::bind_cancellation_slot(
                       signal.slot(), asio::bind_executor(here, [](std::exception_ptr, const python::reply&) {})));
  all.set_value();
  ask(app);
  for (auto& signal : signals) signal.emit(asio::cancellation_type::terminal);
  here.run();
}

struct plain {
  static constexpr std::string_view target = "run";
  static constexpr auto request = python::request_type::bytes;
};
struct plain_with_a_view {
  static constexpr std::string_view target = "run";
  static constexpr auto request = python::request_type::view;
};
struct coroutine {
  static constexpr std::string_view target = "run_async";
  static constexpr auto request = python::request_type::bytes;
};

// In a process of its own each: some of CPython's own modules do not come back when an interpreter does, asyncio's
// among them until 3.12.5.
void check_balance(python::gil_policy policy, std::string_view target, python::request_type request,
                   std::size_t calls) {
  const auto available = policies();
  if (std::ranges::find(available, policy) == available.end()) SKIP("this CPython lacks the policy");
#if PY_VERSION_HEX < 0x030C0400
  if (policy == python::gil_policy::own_gil)
    SKIP("CPython before 3.12.4 crashes at the end when a sub-interpreter has imported asyncio (gh-119213)");
#endif
  environment world(source);
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:" + std::string(target),
                                 {.gil = policy, .request = request});
  begin_many(home, app);
  // What is imported and cached by the first calls of each kind.
  call_many(app, 10'000);
  // CPython before 3.11 allocates the cache of a code object when that runs for the 1,024th time. A step of the event
  // loop, and what it calls in asyncio, runs once for dozens of the calls above, but at least once for each of these.
  for (int i = 0; i != 1'024; ++i) ask(app);
  const balance before = measure(app);
  call_many(app, calls);
  const balance after = measure(app);
  CHECK(after.references == before.references);
  // An integer or two that measure() itself holds: a block for each of the rarest calls would be a thousand.
  CHECK(std::abs(after.blocks - before.blocks) < 5);
}

template <class Callable, python::gil_policy Policy>
struct combination : Callable {
  static constexpr auto policy = Policy;
};

template <class Callable>
using per_batch = combination<Callable, python::gil_policy::per_batch>;
template <class Callable>
using held = combination<Callable, python::gil_policy::held>;
template <class Callable>
using own_gil = combination<Callable, python::gil_policy::own_gil>;
template <class Callable>
using free_threaded = combination<Callable, python::gil_policy::free_threaded>;

}  // namespace

TEMPLATE_PRODUCT_TEST_CASE("calls that succeed, fail, are cancelled or given up leave Python as it was",
                           "[python][balance]", (per_batch, held, own_gil, free_threaded),
                           (plain, plain_with_a_view, coroutine)) {
  check_balance(TestType::policy, TestType::target, TestType::request, 20'000);
}

TEMPLATE_PRODUCT_TEST_CASE("a million calls that succeed, fail, are cancelled or given up leave Python as it was",
                           "[.long][python]", (per_batch, held, own_gil, free_threaded),
                           (plain, plain_with_a_view, coroutine)) {
  check_balance(TestType::policy, TestType::target, TestType::request, 1'000'000);
}
