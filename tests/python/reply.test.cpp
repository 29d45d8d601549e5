// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support.hpp"

#include <asio/bind_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace python_test;

static_assert(std::is_nothrow_default_constructible_v<python::reply>);
static_assert(std::is_nothrow_move_constructible_v<python::reply>);
static_assert(std::is_nothrow_move_assignable_v<python::reply>);
static_assert(!std::is_copy_constructible_v<python::reply>);
static_assert(std::is_convertible_v<const python::reply&, asio::const_buffer>);

namespace {

#if defined(__SANITIZE_ADDRESS__)
// Each of Python's blocks is one of malloc's, which the sanitizer sees. From the start, for CPython frees the blocks of
// one interpreter in the next.
[[maybe_unused]] const bool uses_malloc = [] {
  PyMemAllocatorEx plain;
  PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &plain);
  PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &plain);
  PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &plain);
  return true;
}();
#endif

// Replies to b'make' that tell on which thread they die, which b'deaths' lists; b'home' is this thread.
constexpr auto tracked = R"(
import threading
deaths = []
class tracked(bytes):
    def __del__(self): deaths.append(threading.get_ident())
def run(request):
    if request == b'make': return tracked(b'tracked')
    if request == b'deaths': return repr(deaths).encode()
    return str(threading.get_ident()).encode()
)";

template <class App>
python::reply make(const App& app) {
  return get(call(app, "make"));
}

// The deaths, as soon as there are any.
template <class App>
std::string first_deaths(const App& app) {
  std::string deaths = "[]";
  while (deaths == "[]") deaths = ask(app, "deaths");
  return deaths;
}

}  // namespace

TEST_CASE("a reply without a call is empty", "[python][reply]") {
  const python::reply reply;
  CHECK(reply.empty());
  CHECK(reply.size() == 0);
  CHECK(asio::const_buffer(reply).size() == 0);
}

TEST_CASE("a reply is a buffer, in place", "[python][reply]") {
  environment world(tracked);
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  const auto reply = make(app);
  const asio::const_buffer buffer = reply;
  CHECK(buffer.data() == reply.data());
  CHECK(buffer.size() == 7);
  CHECK(reply.data()[reply.size()] == '\0');
}

TEST_CASE("a reply moved from is empty", "[python][reply]") {
  environment world(tracked);
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  auto first = make(app);
  auto second = std::move(first);
  CHECK(first.empty());
  CHECK(to_string(second) == "tracked");
  first = std::move(second);
  CHECK(second.empty());
  CHECK(to_string(first) == "tracked");
}

TEMPLATE_TEST_CASE("a reply dropped anywhere is released at home", "[python][reply]", asio::io_context,
                   asio::thread_pool) {
  environment world(tracked);
  running<TestType> home;
  const asyncres::python_app app(home.context(), world.python(), "app:run");
  const auto home_thread = ask(app);

  make(app);
  CHECK(ask(app, "deaths") == '[' + home_thread + ']');

  auto assigned = make(app);
  assigned = python::reply();
  CHECK(ask(app, "deaths") == '[' + home_thread + ", " + home_thread + ']');

  std::thread([reply = make(app)] {}).join();
  CHECK(ask(app, "deaths") == '[' + home_thread + ", " + home_thread + ", " + home_thread + ']');
}

TEST_CASE("a reply that nobody received is released at home", "[python][reply]") {
  environment world(tracked);
  running<asio::io_context> home;
  const asyncres::python_app app(home.context(), world.python(), "app:run");
  const auto home_thread = ask(app);
  {
    asio::io_context abandoned;
    app.async_call(asio::buffer("make", 4), asio::bind_executor(abandoned, [](std::exception_ptr, python::reply) {}));
    ask(app);
  }
  CHECK(first_deaths(app) == '[' + home_thread + ']');
}

TEST_CASE("a reply outlives its app", "[python][reply]") {
  environment world(tracked);
  asio::thread_pool pool(1);
  std::optional<asyncres::python_app<asio::thread_pool::executor_type>> app(std::in_place, pool, world.python(),
                                                                            "app:run");
  const asyncres::python_app other(pool, world.python(), "app:run");
  {
    const auto reply = make(*app);
    app.reset();
    CHECK(to_string(reply) == "tracked");
    CHECK(ask(other, "deaths") == "[]");
  }
  CHECK(first_deaths(other) == '[' + ask(other) + ']');
}

TEST_CASE("a reply outlives its home, and is released where it is dropped", "[python][reply]") {
  environment world(tracked);
  asio::thread_pool pool(1);
  const asyncres::python_app observer(pool, world.python(), "app:run");
  {
    python::reply reply;
    {
      running<asio::io_context> home;
      const asyncres::python_app app(home.context(), world.python(), "app:run");
      reply = make(app);
    }
    CHECK(to_string(reply) == "tracked");
    CHECK(ask(observer, "deaths") == "[]");
  }
  CHECK(ask(observer, "deaths") != "[]");
}

TEST_CASE("replies outlive everything and stay readable", "[python][reply]") {
  const std::vector<std::string> requests{
      "", "x", "short", std::string(100, 'm'), std::string(600, 'n'), std::string(1 << 20, 'l')};
  std::vector<python::reply> replies;
  {
    environment world("def run(request): return request\n");
    asio::thread_pool pool(1);
    const asyncres::python_app app(pool, world.python(), "app:run");
    for (const auto& request : requests) replies.push_back(get(call(app, request)));
  }
  const auto check = [&] {
    for (std::size_t i = 0; i < replies.size(); ++i) CHECK(to_string(replies[i]) == requests[i]);
  };
  check();
  environment next("data = [bytes(range(256)) * (i % 40) for i in range(20000)]\ndef run(request): return request\n");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, next.python(), "app:run");
  CHECK(ask(app, "y") == "y");
  check();
  replies.clear();
  CHECK(ask(app, "z") == "z");
}
