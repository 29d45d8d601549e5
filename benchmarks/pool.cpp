// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// What a pool of two resources does in the time of one: functions that compute, of uneven length, on two threads. And how
// much of that time a resource was idle while work waited, from what an observer is told.
//
//   async_resource_pool_benchmark --rounds 15 --trace pool.json

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <asio/thread_pool.hpp>
#include <async_resource/observer.hpp>
#include <async_resource/pool.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

// What is computed with: one thread's at a time.
struct generator {
  std::uint64_t state;

  std::uint64_t advance(std::uint64_t steps) noexcept {
    for (; steps > 0; --steps) state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
  }
};

// What an observer saw, of one run.
class record {
 public:
  enum class what : char { queued, started, finished };
  struct event {
    clock_type::time_point when;
    std::uint64_t id;
    unsigned thread;
    what happened;
  };

  static record& current() {
    static record one;
    return one;
  }

  void begin(std::size_t operations) {
    events_.assign(3 * operations, {});
    used_ = 0;
  }
  void add(what happened, std::uint64_t id) {
    events_.at(used_.fetch_add(1)) = {clock_type::now(), id, thread_number(), happened};
  }

  const std::vector<event>& sorted() {
    events_.resize(used_);
    std::ranges::stable_sort(events_, {}, &event::when);
    return events_;
  }

 private:
  static unsigned thread_number() {
    static std::atomic<unsigned> threads{0};
    static thread_local const unsigned number = threads++;
    return number;
  }

  std::vector<event> events_;
  std::atomic<std::size_t> used_{0};
};

struct recorder {
  void on_queued(std::uint64_t id) { record::current().add(record::what::queued, id); }
  void on_started(std::uint64_t id) { record::current().add(record::what::started, id); }
  void on_finished(std::uint64_t id) { record::current().add(record::what::finished, id); }
};

// The time in which resources stood still although something was queued, as a share of all that they had.
double idle_share(const std::vector<record::event>& events, std::size_t resources) {
  seconds idle{0};
  long queued = 0, running = 0;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    switch (events[i].happened) {
      case record::what::queued: ++queued; break;
      case record::what::started: --queued, ++running; break;
      case record::what::finished: --running; break;
    }
    const long still = std::min(queued, static_cast<long>(resources) - running);
    if (still > 0) idle += static_cast<double>(still) * (events[i + 1].when - events[i].when);
  }
  return idle / (static_cast<double>(resources) * (events.back().when - events.front().when));
}

// How long each thread was between two functions although something was queued.
std::vector<double> pauses(const std::vector<record::event>& events) {
  std::vector<double> result;
  std::map<unsigned, clock_type::time_point> finished;
  long queued = 0;
  for (const auto& e : events) {
    if (e.happened == record::what::queued) ++queued;
    if (e.happened == record::what::finished && queued > 0) finished[e.thread] = e.when;
    if (e.happened != record::what::started) continue;
    --queued;
    if (const auto last = finished.extract(e.thread)) result.push_back(seconds(e.when - last.mapped()).count());
  }
  return result;
}

// In Chrome's trace format: each function on the thread where it ran, and how much is queued.
void write_trace(const std::string& path, const std::vector<record::event>& events) {
  using microseconds = std::chrono::duration<double, std::micro>;
  auto all = nlohmann::json::array();
  long queued = 0;
  for (const auto& e : events) {
    const double when = microseconds(e.when - events.front().when).count();
    if (e.happened != record::what::finished) {
      queued += e.happened == record::what::queued ? 1 : -1;
      all.push_back({{"ph", "C"}, {"pid", 1}, {"name", "queued"}, {"ts", when}, {"args", {{"queued", queued}}}});
    }
    if (e.happened == record::what::queued) continue;
    const char* const phase = e.happened == record::what::started ? "B" : "E";
    all.push_back({{"ph", phase}, {"pid", 1}, {"tid", e.thread}, {"name", "function"}, {"ts", when}});
  }
  std::ofstream file(path);
  file << nlohmann::json{{"traceEvents", std::move(all)}} << '\n';
  file.close();
  if (!file) throw std::runtime_error("could not write " + path);
}

struct load {
  std::size_t operations = 0;
  std::vector<std::uint64_t> steps;  // Of each function, over and over.
};

// Everything is queued at once: from then on, work waits until the last functions run. The seconds that it took.
template <class Pool>
double run(const Pool& pool, const load& work) {
  std::atomic<std::size_t> left{work.operations};
  std::promise<void> done;
  const auto start = clock_type::now();
  for (std::size_t i = 0; i < work.operations; ++i) {
    const std::uint64_t steps = work.steps[i % work.steps.size()];
    pool.async_invoke([steps](generator& g) { return g.advance(steps); },
                      [&](const std::exception_ptr&, std::uint64_t) {
                        if (left.fetch_sub(1) == 1) done.set_value();
                      });
  }
  done.get_future().wait();
  return seconds(clock_type::now() - start).count();
}

template <class Observer>
double run_pool(std::size_t resources, const load& work) {
  asio::thread_pool threads(2);
  const asyncres::async_resource_pool<asio::thread_pool::executor_type, generator, Observer> pool(
      threads, resources, [](std::size_t i) { return generator{i + 1}; });
  const double took = run(pool, work);
  threads.join();
  return took;
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}
double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

void print(const std::string& name, std::vector<double> rates) {
  std::ranges::sort(rates);
  std::cout << std::left << std::setw(16) << name << std::right << std::fixed << std::setprecision(0) << std::setw(10)
            << median(rates) << " functions a second   (" << rates.front() << " - " << rates.back() << ")\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures a pool of one resource against a pool of two, on two threads.");
  std::size_t rounds = 15;
  load work{.operations = 20'000, .steps = {}};
  std::string trace;
  app.add_option("--rounds", rounds, "How often each is measured, in turns")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--operations", work.operations, "Functions a round")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--trace", trace, "A file for the last round of two, in Chrome's trace format");
  CLI11_PARSE(app, argc, argv);

  // From 1,000 steps to 100,000: some microseconds to some hundred.
  generator random{42};
  for (int i = 0; i < 1'000; ++i) work.steps.push_back(1'000 + random.advance(1) % 10'000 * (i % 10 == 0 ? 10 : 1));

  try {
    std::array<std::vector<double>, 2> rates;
    std::vector<double> ratios, idle, between;
    for (std::size_t round = 0; round < rounds; ++round) {
      std::cerr << "\rround " << round + 1 << " of " << rounds << std::flush;
      std::array<double, 2> rate{};
      for (const std::size_t resources : {1, 2}) {
        rate[resources - 1] = static_cast<double>(work.operations) / run_pool<asyncres::no_observer>(resources, work);
        rates[resources - 1].push_back(rate[resources - 1]);
      }
      ratios.push_back(rate[1] / rate[0]);
      record::current().begin(work.operations);
      run_pool<recorder>(2, work);
      idle.push_back(idle_share(record::current().sorted(), 2));
      const auto more = pauses(record::current().sorted());
      between.insert(between.end(), more.begin(), more.end());
    }
    std::cerr << '\n';
    print("one resource", rates[0]);
    print("two resources", rates[1]);
    std::ranges::sort(ratios);
    std::ranges::sort(idle);
    std::cout << std::setprecision(2) << "two to one      " << std::setw(10) << median(ratios)
              << " times                (" << ratios.front() << " - " << ratios.back() << ")\n"
              << std::setprecision(3) << "idle, with work " << std::setw(10) << 100 * median(idle)
              << " % of their time      (" << 100 * idle.front() << " - " << 100 * idle.back() << ")\n"
              << "  that is       " << std::setw(10) << 1e6 * median(between) << " us between functions (median; p99 "
              << 1e6 * quantile(between, 0.99) << ")\n";
    if (!trace.empty()) write_trace(trace, record::current().sorted());
  } catch (const std::exception& error) {
    std::cerr << "\nasync_resource_pool_benchmark: " << error.what() << '\n';
    return 1;
  }
}
