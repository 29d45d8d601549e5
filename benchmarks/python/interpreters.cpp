// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// What two sub-interpreters with a GIL of their own do in the time of one: calls that compute, submitted in this
// process.
//
//   interpreters --app-dir benchmarks/python --app apps:busy --rounds 9

#include <async_resource/python.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <async_resource/pool.hpp>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <exception>
#include <future>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace python = asyncres::python;
using pool_type = asyncres::async_resource_pool<asio::thread_pool::executor_type, python::callable>;
using seconds = std::chrono::duration<double>;

// Calls a second. All are queued at once. Throws what one of them does.
double rate(const pool_type& pool, std::size_t calls) {
  const auto call = [&pool](python::callable& callable) {
    const auto later = callable.with_reply(asio::buffer("request", 7), pool, [](asio::const_buffer) {});
    if (!later.ready()) throw std::invalid_argument("this is for a function, not for a coroutine function");
  };
  std::atomic<std::size_t> left = calls;
  std::atomic_flag failed;
  std::exception_ptr failure;  // of the first one that fails
  std::promise<void> done;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i != calls; ++i)
    pool.async_invoke(call, [&](std::exception_ptr e) {
      if (e && !failed.test_and_set()) failure = std::move(e);
      if (left.fetch_sub(1) == 1) done.set_value();
    });
  done.get_future().wait();
  if (failure) std::rethrow_exception(failure);
  return static_cast<double>(calls) / seconds(std::chrono::steady_clock::now() - start).count();
}

// Imports the module in every interpreter, and says what keeps it from that.
void load(const pool_type& pool, std::size_t interpreters) {
  for (std::size_t i = 0; i != interpreters; ++i)
    pool.async_invoke_on(
            i, [](python::callable& callable) { callable.load(); }, asio::use_future)
        .get();
}

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

void compare(const std::string& app_dir, const std::string& app, std::size_t rounds, std::size_t calls) {
  python::interpreter interpreter({.path = {app_dir}});
  asio::thread_pool threads(2);
  const auto make = [&](std::size_t) {
    return python::callable(interpreter, app, {.gil = python::gil_policy::own_gil});
  };
  const pool_type one(threads, 1, make), two(threads, 2, make);
  load(one, 1), load(two, 2);
  std::vector<double> ones, twos, ratios;
  for (std::size_t round = 0; round != rounds; ++round) {
    std::cerr << "round " << round + 1 << " of " << rounds << '\n';
    ones.push_back(rate(one, calls));
    twos.push_back(rate(two, calls));
    ratios.push_back(twos.back() / ones.back());
  }
  std::cout << "CPython " PY_VERSION ", " << app << ": one interpreter " << std::lround(quantile(ones, 0.5))
            << " calls a second, two " << std::lround(quantile(twos, 0.5)) << ", " << std::setprecision(3)
            << quantile(ratios, 0.5) << " times (" << quantile(ratios, 0.25) << " to " << quantile(ratios, 0.75)
            << ")\n";
}

}  // namespace

int main(int argc, char** argv) try {
  std::string app_dir = ".", app = "apps:busy";
  std::size_t rounds = 9, calls = 4'000;
  CLI::App options("Compares two interpreters with one.");
  options.add_option("--app-dir", app_dir, "where Python looks for the module first");
  options.add_option("--app", app, "what is called, MODULE:CALLABLE")->capture_default_str();
  options.add_option("--rounds", rounds, "of one and two, in turn")->capture_default_str()->check(CLI::PositiveNumber);
  options.add_option("--calls", calls, "in each")->capture_default_str()->check(CLI::PositiveNumber);
  CLI11_PARSE(options, argc, argv);
  compare(app_dir, app, rounds, calls);
} catch (const std::exception& error) {
  std::cerr << "interpreters: " << error.what() << '\n';
  return 1;
}
