// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_PYTHON_SUPPORT_HPP
#define ASYNC_RESOURCE_TESTS_PYTHON_SUPPORT_HPP

#include <async_resource/python.hpp>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <async_resource/detail/asio.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace python_test {

namespace python = asyncres::python;

// A folder of modules, removed at the end.
class module_folder {
 public:
  module_folder() {
    auto name = (std::filesystem::temp_directory_path() / "async_resource.XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    path_ = name;
  }
  module_folder(const module_folder&) = delete;
  module_folder& operator=(const module_folder&) = delete;
  ~module_folder() { std::filesystem::remove_all(path_); }

  module_folder& add(const std::string& module, std::string_view source) {
    std::ofstream(path_ / (module + ".py")) << source;
    return *this;
  }

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// An interpreter that finds the modules of a folder of its own.
class environment {
 public:
  explicit environment(std::string_view app_source) { folder_.add("app", app_source), start(); }

  python::interpreter& python() { return *python_; }
  module_folder& folder() { return folder_; }
  void stop() { python_.reset(); }
  void start() { python_.emplace(python::interpreter_options{.path = {folder_.path()}}); }

 private:
  module_folder folder_;
  std::optional<python::interpreter> python_;
};

// An execution context and the threads that run it.
template <class Context>
class running;

template <>
class running<asio::io_context> {
 public:
  explicit running(std::size_t threads = 1) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { context_.run(); });
  }
  running(const running&) = delete;
  running& operator=(const running&) = delete;
  ~running() { join(); }

  asio::io_context& context() { return context_; }
  void join() {
    work_.reset();
    for (auto& thread : std::exchange(threads_, {})) thread.join();
  }

 private:
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(context_);
  std::vector<std::thread> threads_;
};

template <>
class running<asio::thread_pool> {
 public:
  explicit running(std::size_t threads = 1) : context_(threads) {}

  asio::thread_pool& context() { return context_; }
  void join() { context_.join(); }

 private:
  asio::thread_pool context_;
};

// What came of a call or a load. The exception itself stays on the thread of the handler: ThreadSanitizer does not see
// how libstdc++ counts the references to it.
class outcome {
 public:
  explicit outcome(std::exception_ptr e, python::reply reply = {}) : reply_(std::move(reply)) {
    if (!e) return;
    try {
      std::rethrow_exception(std::move(e));
    } catch (const python::error& error) {
      error_ = {error.type(), error.what(), error.traceback()};
    } catch (const std::exception& other) {
      error_ = {"not a python::error", other.what(), {}};
    }
  }

  python::reply get() && {
    if (error_) throw python::error(error_->type, error_->message, error_->traceback);
    return std::move(reply_);
  }

 private:
  struct error_text {
    std::string type, message, traceback;
  };

  python::reply reply_;
  std::optional<error_text> error_;
};

// The handler that keeps a promise.
class settle {
 public:
  explicit settle(std::promise<outcome> promise) : promise_(std::move(promise)) {}

  void operator()(std::exception_ptr e, python::reply reply = {}) {
    outcome result(std::exchange(e, nullptr), std::move(reply));
    promise_.set_value(std::move(result));
  }

 private:
  std::promise<outcome> promise_;
};

template <class App>
std::future<outcome> call(const App& app, std::string_view request = {}) {
  std::promise<outcome> promise;
  auto future = promise.get_future();
  app.async_call(asio::buffer(request), settle(std::move(promise)));
  return future;
}

template <class App>
std::future<outcome> load(const App& app) {
  std::promise<outcome> promise;
  auto future = promise.get_future();
  app.async_load(settle(std::move(promise)));
  return future;
}

// Waits, with a watchdog.
template <class T>
T wait(std::future<T> future) {
  if (future.wait_for(std::chrono::minutes(1)) != std::future_status::ready) throw std::runtime_error("timed out");
  return future.get();
}

inline python::reply get(std::future<outcome> future) {
  return wait(std::move(future)).get();
}

inline std::string to_string(const python::reply& reply) {
  return {reply.data(), reply.size()};
}

// Call and wait. The caller's thread does not run the app's context.
template <class App>
std::string ask(const App& app, std::string_view request = {}) {
  return to_string(get(call(app, request)));
}

// The error that a call or a load ended with.
inline python::error error_of(std::future<outcome> future) {
  try {
    get(std::move(future));
  } catch (const python::error& e) {
    return e;
  }
  throw std::runtime_error("no error");
}

template <class App>
python::error error_of(const App& app, std::string_view request = {}) {
  return error_of(call(app, request));
}

// Between a Python callable that reads or writes one byte, which lets go of the GIL, and a test that does the other.
class event {
 public:
  event() {
    if (pipe(ends_.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event() { close(ends_[0]), close(ends_[1]); }

  void set() {
    if (write(ends_[1], "", 1) != 1) throw std::system_error(errno, std::generic_category(), "write");
  }
  void wait() {
    char byte;
    if (read(ends_[0], &byte, 1) != 1) throw std::system_error(errno, std::generic_category(), "read");
  }

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{};
};

// For a callable that reads from `paused` and writes to `signalled`.
inline std::string descriptors(const event& paused, const event& signalled) {
  return std::to_string(paused.read_end()) + ' ' + std::to_string(signalled.write_end());
}

// Sets an environment variable for as long as it lives.
class environment_variable {
 public:
  environment_variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value.c_str(), 1);
  }
  environment_variable(const environment_variable&) = delete;
  environment_variable& operator=(const environment_variable&) = delete;
  ~environment_variable() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

// The exit status of a child process, which runs function: 0 if that returns.
template <class Function>
int status_of_child(Function function) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    function();
    std::_Exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::system_error(errno, std::generic_category(), "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// run(b'R W') tells that it runs by writing to the file W, and ends when there is something to read from R.
inline constexpr auto blocking = R"(
import os
def run(request):
    if request:
        pause, running = map(int, request.split())
        os.write(running, b'.')
        os.read(pause, 1)
    return b'done'
)";

// run(b'R W') leaves a thread behind that waits for something to read from R, and then writes to W.
inline constexpr auto leaves_a_thread = R"(
import os, threading
def run(request):
    pause, done = map(int, request.split())
    threading.Thread(target=lambda: (os.read(pause, 1), os.write(done, b'.'))).start()
    return b''
)";

// Those that this CPython has.
inline std::vector<python::gil_policy> policies() {
  std::vector<python::gil_policy> result{python::gil_policy::per_batch, python::gil_policy::held};
#if PY_VERSION_HEX >= 0x030C0000
  result.push_back(python::gil_policy::own_gil);
#endif
#ifdef Py_GIL_DISABLED
  result.push_back(python::gil_policy::free_threaded);
#endif
  return result;
}

}  // namespace python_test

#endif  // ASYNC_RESOURCE_TESTS_PYTHON_SUPPORT_HPP
