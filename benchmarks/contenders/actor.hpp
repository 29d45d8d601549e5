// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ACTOR_HPP
#define ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ACTOR_HPP

#ifdef ASYNC_RESOURCE_BENCHMARKS_CAF

#include <caf/all.hpp>
#include <cstdint>
#include <span>

#include "meter.hpp"
#include "topology.hpp"

namespace benchmarks {

// An actor of libcaf owns the resource; the callers are actors, too, on the framework's own scheduler, with as many
// threads as the topology has. A resource with a thread of its own is a detached actor.
class actor {
  using use_atom = caf::atom_constant<caf::atom("use")>;

 public:
  explicit actor(const topology& where) : where_(where) {}

  void run(meter& the_meter, std::span<caller> callers) {
    caf::actor_system_config config;
    config.set("scheduler.max-threads", std::size_t(where_.threads));
    caf::actor_system system(config);

    auto server = where_.own_thread ? system.spawn<caf::detached>(serve, &resource_, &the_meter)
                                    : system.spawn(serve, &resource_, &the_meter);
    the_meter.on_last_caller = [&] { caf::anon_send_exit(server, caf::exit_reason::user_shutdown); };
    for (auto& each : callers) system.spawn(ask, server, &each);
    system.await_all_actors_done();
  }

 private:
  static caf::behavior serve(caf::event_based_actor*, tally* resource, meter* the_meter) {
    return {[resource, function = the_meter->function()](use_atom) { return function(*resource); }};
  }

  static void ask(caf::event_based_actor* self, const caf::actor& server, caller* me) {
    if (!me->next()) return;
    self->request(server, caf::infinite, use_atom::value).then([=](std::uint64_t result) {
      me->got(result);
      ask(self, server, me);
    });
  }

  const topology where_;
  tally resource_;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_CAF

#endif  // ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ACTOR_HPP
