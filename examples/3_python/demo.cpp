// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Starts python_server, talks to it from several connections, shows the exchange as it happens, then loads it for two
// seconds and stops it. Exits with 0 when every answer was right. The build target `demo` runs it:
//
//   demo PATH-OF-PYTHON-SERVER DIRECTORY-OF-COUNTING-ECHO

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/connect_pipe.hpp>
#include <asio/deferred.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/readable_pipe.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/writable_pipe.hpp>
#include <async_resource/framing.hpp>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

extern char** environ;

namespace {

namespace framing = asyncres::framing;
using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;
using clock_type = std::chrono::steady_clock;

constexpr auto load_time = std::chrono::seconds(2);
constexpr auto deadline = std::chrono::seconds(40);
constexpr int load_connections = 16;

/// The server, as a child process whose output is read here; killed, if it still runs, with this object.
class server_process {
 public:
  server_process(asio::io_context& context, std::vector<std::string> command) : output_(context) {
    asio::writable_pipe input(context);
    asio::connect_pipe(output_, input);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input.native_handle(), STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, input.native_handle());
    posix_spawn_file_actions_addclose(&actions, output_.native_handle());
    std::vector<char*> arguments;
    for (auto& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    const int error = posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::system_error(error, std::system_category(), command[0]);
  }

  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;

  ~server_process() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  asio::awaitable<std::string> read_line() {
    const auto [error, size] = co_await asio::async_read_until(output_, asio::dynamic_buffer(text_), '\n',
                                                               asio::as_tuple(asio::use_awaitable));
    if (error) throw std::runtime_error("python_server has ended: " + text_);
    auto line = text_.substr(0, size - 1);
    text_.erase(0, size);
    co_return line;
  }

  void terminate() { ::kill(pid_, SIGTERM); }

  /// The exit status, or -1; when it has ended, which closes its output.
  asio::awaitable<int> wait() {
    co_await asio::async_read(output_, asio::dynamic_buffer(text_), asio::as_tuple(asio::use_awaitable));
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    co_return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  asio::readable_pipe output_;
  std::string text_;
  pid_t pid_ = 0;
};

/// What has been answered. The server numbers its answers from 1, so their sum tells a lost one and a doubled one.
struct tally {
  std::uint64_t connections = 0;
  std::uint64_t answers = 0;
  std::uint64_t sum = 0;
  std::uint64_t errors = 0;

  bool complete() const { return errors == 0 && sum == answers * (answers + 1) / 2; }
};

class client {
 public:
  client(tcp::socket socket, tally& total) : socket_(std::move(socket)), total_(total) {}

  /// Send a request and return the answer; anything but "NUMBER: REQUEST" is an error.
  asio::awaitable<std::string_view> ask(std::string_view request) {
    co_await framing::async_write_frame(socket_, asio::buffer(request), asio::use_awaitable);
    co_await framing::async_read_frame(socket_, answer_, asio::use_awaitable);
    count(request);
    co_return answer_;
  }

 private:
  void count(std::string_view request) {
    const char* const end = answer_.data() + answer_.size();
    std::uint64_t number = 0;
    const std::string_view rest(std::from_chars(answer_.data(), end, number).ptr, end);
    total_.errors += number > last_ && rest.starts_with(": ") && rest.substr(2) == request ? 0 : 1;
    last_ = number;
    total_.sum += number;
    ++total_.answers;
  }

  tcp::socket socket_;
  tally& total_;
  std::string answer_;
  std::uint64_t last_ = 0;
};

asio::awaitable<client> connect(tcp::endpoint server, tally& total) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  socket.set_option(tcp::no_delay(true));
  ++total.connections;
  co_return client(std::move(socket), total);
}

void show(std::string_view who, std::string_view request, std::string_view answer) {
  std::cout << "  " << std::left << std::setw(4) << who << "> " << std::setw(16) << request << "< " << answer
            << std::endl;
}

asio::awaitable<void> talk(tcp::endpoint server, tally& total, std::string_view who, std::string words) {
  auto peer = co_await connect(server, total);
  std::istringstream input(std::move(words));
  for (std::string word; input >> word;) show(who, word, co_await peer.ask(word));
}

asio::awaitable<void> overdo(tcp::endpoint server, tally& total) {
  auto peer = co_await connect(server, total);
  const std::string request(65'536, 'x');
  try {
    co_await peer.ask(request);
    ++total.errors;
  } catch (const std::system_error& refused) {
    show("eve", "65,536 bytes", "refused: " + refused.code().message());
  }
  show("eve", "sorry", co_await peer.ask("sorry"));
}

asio::awaitable<void> load(tcp::endpoint server, tally& total, clock_type::time_point end) {
  auto peer = co_await connect(server, total);
  while (clock_type::now() < end) co_await peer.ask("load");
}

/// Returns the requests answered in a second.
asio::awaitable<std::uint64_t> load_all(tcp::endpoint server, tally& total) {
  const auto executor = co_await asio::this_coro::executor;
  const auto before = total.answers;
  std::vector<decltype(asio::co_spawn(executor, load(server, total, {}), asio::deferred))> loads;
  for (int i = 0; i < load_connections; ++i) {
    loads.push_back(asio::co_spawn(executor, load(server, total, clock_type::now() + load_time), asio::deferred));
  }
  const auto [order, failures] = co_await asio::experimental::make_parallel_group(std::move(loads))
                                     .async_wait(asio::experimental::wait_for_one_error(), asio::use_awaitable);
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  co_return (total.answers - before) / load_time.count();
}

asio::awaitable<bool> demonstrate(server_process& process) {
  const auto line = co_await process.read_line();
  std::cout << "python_server: " << line << std::endl;
  const auto port = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
  const tcp::endpoint server(asio::ip::address_v4::loopback(), port);

  tally total;
  co_await (talk(server, total, "ann", "how do you do") && talk(server, total, "bob", "one two three four") &&
            overdo(server, total));
  std::cout << "  ... " << load_connections << " connections for " << load_time.count() << " seconds" << std::endl;
  const auto rate = co_await load_all(server, total);

  process.terminate();
  std::cout << "python_server: " << co_await process.read_line() << std::endl;
  const int status = co_await process.wait();
  std::cout << total.answers << " requests served on " << total.connections << " connections, " << total.errors
            << " errors, " << rate << " requests per second; python_server exited with " << status << std::endl;
  co_return status == 0 && total.complete();
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument("usage: demo PATH-OF-PYTHON-SERVER DIRECTORY-OF-COUNTING-ECHO");
  asio::io_context context;
  server_process process(
      context, {argv[1], "--app-dir", argv[2], "--app", "counting_echo:numbered", "--port", "0", "--threads", "2"});
  bool succeeded = false;
  std::exception_ptr failure = std::make_exception_ptr(std::runtime_error("no answer in time"));
  asio::co_spawn(context, demonstrate(process), [&](std::exception_ptr thrown, bool result) {
    failure = thrown;
    succeeded = result;
  });
  context.run_for(deadline);
  if (failure) std::rethrow_exception(failure);
  return succeeded ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "demo: " << error.what() << '\n';
  return 1;
}
