// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Measures one cell of the benchmarks: one contender, in one topology, at one depth, with one function. Prints one JSON
// object. run.py runs it for each cell, because a contender may well crash.
//
//   async_resource_benchmarks --contender awaited --topology own_thread --depth 256

#include <CLI/CLI.hpp>
#include <algorithm>
#include <asio/version.hpp>
#include <async_resource/version.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "contenders/actor.hpp"
#include "contenders/asio_dispatch.hpp"
#include "contenders/async_resource.hpp"
#include "contenders/channel.hpp"
#include "contenders/figure_4.hpp"
#include "contenders/hop.hpp"
#include "contenders/mutex.hpp"
#include "contenders/spawn.hpp"
#include "harness.hpp"
#include "meter.hpp"
#include "topology.hpp"

namespace benchmarks {
namespace {

using nlohmann::json;
using run_function = void (*)(const topology&, std::size_t depth, meter&, std::span<caller>);

struct contender {
  std::string name;
  std::string label;
  std::string unavailable = {};
  bool ours = false;
  bool blocks = false;
  run_function run = nullptr;
};

template <class Contender>
concept is_ours = requires {
  Contender::ours;
};
template <class Contender>
concept blocks_its_thread = requires {
  Contender::blocks;
};

template <class Contender>
contender make(std::string name, std::string label) {
  return {.name = std::move(name),
          .label = std::move(label),
          .ours = is_ours<Contender>,
          .blocks = blocks_its_thread<Contender>,
          .run = &run<Contender>};
}

std::vector<contender> all_contenders() {
  return {
    make<figure_4>("figure_4", "Figure 4 by hand"), make<hop>("hop", "hop there and back"),
        make<spawn>("co_spawn", "co_spawn on the strand"), make<channel>("channel", "channel and worker"),
        make<mutex>("mutex", "mutex on the I/O thread"),
#ifdef ASYNC_RESOURCE_BENCHMARKS_CAF
        make<actor>("actor", "libcaf actor"),
#else
        {.name = "actor", .label = "libcaf actor", .unavailable = "libcaf was not found"},
#endif
#if ASIO_VERSION >= 103700
        make<asio_dispatch>("asio_dispatch", "Asio's dispatch(f, executor)"),
#else
        {.name = "asio_dispatch", .label = "Asio's dispatch(f, executor)", .unavailable = "not in this Asio"},
#endif
        make<awaited>("awaited", "async_resource, awaited"), make<callbacks>("callbacks", "async_resource, callbacks"),
        make<futures>("futures", "async_resource, use_future"), make<blocking>("blocking", "async_resource, block"),
  };
}

// How often spin() goes round in a microsecond, at best: interruptions only make it look slower.
double calibrate() {
  constexpr std::uint64_t steps = 200'000;
  double best = 0;
  for (int i = 0; i < 30; ++i) {
    const auto start = std::chrono::steady_clock::now();
    spin(steps);
    const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - start;
    best = std::max(best, double(steps) / taken.count());
  }
  return best;
}

const std::vector<std::pair<std::string, double>> functions = {{"trivial", 0}, {"1us", 1}, {"20us", 20}};

json about_the_build() {
  return {{"compiler", __VERSION__},
          {"asio", ASIO_VERSION},
          {"async_resource", ASYNC_RESOURCE_VERSION},
#ifdef __OPTIMIZE__
          {"optimised", true}
#else
          {"optimised", false}
#endif
  };
}

json list() {
  json result = about_the_build();
  for (const auto& each : all_contenders())
    result["contenders"].push_back({{"name", each.name},
                                    {"label", each.label},
                                    {"ours", each.ours},
                                    {"blocks", each.blocks},
                                    {"unavailable", each.unavailable}});
  for (const auto& each : topologies) result["topologies"].push_back(each.name);
  for (const auto& [name, microseconds] : functions) result["functions"].push_back(name);
  return result;
}

json sizes() {
  const auto empty = [](tally&) {};
  using operation = decltype(std::declval<const resource_handle&>().async_invoke(empty));
  return {{"operation", sizeof(operation)}, {"handle", sizeof(resource_handle)}};
}

double nanoseconds(std::chrono::nanoseconds duration) {
  return double(duration.count());
}

json latency(meter& the_meter) {
  const auto samples = the_meter.sorted_latencies();
  json result = {{"samples", samples.size()}};
  if (samples.empty()) return result;
  const auto quantile = [&](double q) { return samples[std::size_t(q * double(samples.size() - 1))]; };
  result["p50_ns"] = quantile(0.5);
  result["p99_ns"] = quantile(0.99);
  result["p999_ns"] = quantile(0.999);
  return result;
}

json measure(const contender& who, const topology& where, const plan& what) {
  if (!who.run) throw std::runtime_error(who.unavailable);
  meter the_meter(what);
  std::vector<caller> callers;
  callers.reserve(what.depth);
  for (std::size_t i = 0; i < what.depth; ++i) callers.emplace_back(the_meter, i);

  who.run(where, what.depth, the_meter, callers);

  if (!the_meter.complete()) throw std::runtime_error("callers are missing: work was not tracked");
  if (!all_accounted_for(callers, what)) throw std::runtime_error("uses of the resource were lost, or overlapped");

  const auto operations = double(the_meter.operations());
  const double taken = nanoseconds(the_meter.end().time - the_meter.start().time);
  return {
      {"operations", the_meter.operations()},
      {"seconds", taken * 1e-9},
      {"operations_per_second", operations / (taken * 1e-9)},
      {"ns_per_operation", taken / operations},
      {"cpu_ns_per_operation", nanoseconds(the_meter.end().cpu - the_meter.start().cpu) / operations},
      {"allocations_per_operation", double(the_meter.end().allocations - the_meter.start().allocations) / operations},
      {"latency", latency(the_meter)}};
}

template <class Range, class Name>
auto& find(Range& range, const std::string& name, Name name_of) {
  for (auto& each : range)
    if (name_of(each) == name) return each;
  throw std::invalid_argument("no such thing: " + name);
}

int main(int argc, char** argv) {
  CLI::App app("Measures one cell of the benchmarks of async_resource, and prints one JSON object.");
  std::string contender_name = "awaited";
  std::string topology_name = "own_thread";
  std::string function_name = "trivial";
  plan what;
  double steps_per_microsecond = 0;
  bool pin = false;
  bool wants_list = false;
  bool wants_sizes = false;
  bool wants_calibration = false;
  app.add_option("--contender", contender_name, "See --list")->capture_default_str();
  app.add_option("--topology", topology_name, "See --list")->capture_default_str();
  app.add_option("--function", function_name, "See --list")->capture_default_str();
  app.add_option("--depth", what.depth, "Operations outstanding")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--operations", what.operations, "To measure, of each caller; about a fifth more are not measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--steps-per-microsecond", steps_per_microsecond, "What --calibrate printed; 0: calibrate now")
      ->capture_default_str();
  app.add_flag("--pin", pin, "Keep each thread on a processor of its own, while there are any");
  app.add_flag("--list", wants_list, "Print the contenders, topologies and functions");
  app.add_flag("--sizes", wants_sizes, "Print the size of an operation and of a handle");
  app.add_flag("--calibrate", wants_calibration, "Print how far the function that spins counts in a microsecond");
  CLI11_PARSE(app, argc, argv);

  json result;
  if (wants_list) {
    result = list();
  } else if (wants_sizes) {
    result = sizes();
  } else if (wants_calibration) {
    result = {{"steps_per_microsecond", calibrate()}};
  } else {
    const auto contenders = all_contenders();
    const auto& who = find(contenders, contender_name, [](const auto& each) { return each.name; });
    topology where = find(topologies, topology_name, [](const auto& each) { return each.name; });
    const auto& function = find(functions, function_name, [](const auto& each) { return each.first; });

    if (function.second > 0 && steps_per_microsecond <= 0) steps_per_microsecond = calibrate();
    where.pin = pin;
    what.spin_steps = std::uint64_t(function.second * steps_per_microsecond);
    result = measure(who, where, what);
    result["contender"] = who.name;
    result["topology"] = where.name;
    result["function"] = function.first;
    result["depth"] = what.depth;
  }
  std::cout << result.dump() << '\n';
  return 0;
}

}  // namespace
}  // namespace benchmarks

int main(int argc, char** argv) {
  try {
    return benchmarks::main(argc, argv);
  } catch (const std::exception& failure) {
    std::cerr << "async_resource_benchmarks: " << failure.what() << '\n';
    return 1;
  }
}
