// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Watches operations leave one thread, run at home and come back, with an observer that writes Chrome's trace format.
// Open the file with https://ui.perfetto.dev, or chrome://tracing: an arrow leads from where each operation was
// submitted to the function at home.
//
//   trace trace.json

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <async_resource.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

// Events of all threads, in the JSON that Chrome's trace format is made of.
class trace {
 public:
  static trace& instance() {
    static trace all;
    return all;
  }

  // `rest`: what is particular to that phase, such as `"id":1`.
  void add(char phase, std::string_view name, const std::string& rest = {}) {
    const std::chrono::duration<double, std::micro> now = std::chrono::steady_clock::now() - start_;
    std::ostringstream event;
    event.precision(15);
    event << R"({"cat":"async_resource","pid":1,"tid":)" << thread_number() << R"(,"ts":)" << now.count()
          << R"(,"ph":")" << phase << R"(","name":")" << name << '"' << (rest.empty() ? "" : ",") << rest << '}';
    const std::lock_guard lock(mutex_);
    events_.push_back(event.str());
  }

  void write(std::ostream& out) {
    const std::lock_guard lock(mutex_);
    const char* separator = "";
    out << R"({"traceEvents":[)";
    for (const std::string& event : events_) out << std::exchange(separator, ",") << '\n' << event;
    out << "\n]}\n";
  }

 private:
  static int thread_number() {
    static std::atomic<int> threads{0};
    static thread_local const int number = ++threads;
    return number;
  }

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::vector<std::string> events_;
};

void name_this_thread(const std::string& name) {
  trace::instance().add('M', "thread_name", R"("args":{"name":")" + name + "\"}");
}

//! [observer]
// Is told of each operation, by its number. The library makes one, with the resource.
struct tracer {
  void on_queued(std::uint64_t id) {
    trace::instance().add('B', "submit");
    trace::instance().add('s', "operation", number(id));  // The arrow begins here,
    trace::instance().add('E', "submit");
  }
  void on_started(std::uint64_t id) {
    trace::instance().add('B', "function");
    trace::instance().add('f', "operation", number(id) + R"(,"bp":"e")");  // and ends here.
  }
  void on_finished(std::uint64_t) { trace::instance().add('E', "function"); }
  void on_cancelled(std::uint64_t id) { trace::instance().add('i', "cancelled", number(id)); }
  void on_rejected(std::uint64_t id) { trace::instance().add('i', "rejected", number(id)); }

 private:
  static std::string number(std::uint64_t id) { return "\"id\":" + std::to_string(id); }
};

using counter = asyncres::async_resource<asio::thread_pool::executor_type, int, tracer>;
//! [observer]

asio::awaitable<void> visit(counter hits, int times) {
  for (int i = 0; i < times; ++i) {
    co_await hits.async_invoke([](int& n) { ++n; });
    trace::instance().add('i', "back", R"("s":"t")");
  }
}

void run(asio::io_context& visitors, const std::string& name) {
  name_this_thread(name);
  visitors.run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: trace FILE\n";
    return 1;
  }

  asio::thread_pool home(1);
  const counter hits(home, 0);
  hits.async_invoke([](int&) { name_this_thread("home"); }, asio::detached);

  asio::io_context visitors;
  for (int i = 0; i < 4; ++i) asio::co_spawn(visitors, visit(hits, 25), asio::detached);
  std::thread another([&] { run(visitors, "a visitor's thread"); });
  run(visitors, "another visitor's thread");
  another.join();
  home.join();

  std::ofstream file(argv[1]);
  trace::instance().write(file);
  file.close();
  if (!file) {
    std::cerr << "trace: could not write " << argv[1] << '\n';
    return 1;
  }
  std::cout << "100 operations traced; open the file with https://ui.perfetto.dev\n";
}
