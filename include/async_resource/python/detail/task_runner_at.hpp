// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_TASK_RUNNER_AT_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_TASK_RUNNER_AT_HPP

#include <async_resource/python/detail/python.hpp>

#include <memory>
#include <optional>
#include <utility>

#include <async_resource/detail/executor.hpp>
#include <async_resource/python/detail/buffer.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>
#include <async_resource/python/detail/task_runner.hpp>
#include <async_resource/python/reply.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// What of a task_runner depends on the type of home.
template <class Home>
class task_runner_at final : public task_runner {
 public:
  // At home with the GIL held.
  static std::shared_ptr<task_runner> make(Home& home, interpreter_pointer python) {
    auto made = std::make_shared<task_runner_at>(home, std::move(python));
    made->open();
    return made;
  }

  task_runner_at(Home& home, interpreter_pointer python) : task_runner(home, std::move(python)) {}

 private:
  using executor_type = typename Home::inner_executor_type;

  struct here {
    const home_ref& home;
    const home_ref& home_here() const noexcept { return home; }
  };

  void begin_work(home_base& home) override {
    work_.emplace(asyncres::detail::work_of<executor_type>::start(static_cast<Home&>(home).inner_executor()));
  }
  void end_work() noexcept override { work_.reset(); }
  reply make_reply(object result, const home_ref& home) override {
    return Home::resource_type::make_reply(python(), buffer(std::move(result)), here{home});
  }

  std::optional<asyncres::detail::work_t<executor_type>> work_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_TASK_RUNNER_AT_HPP
