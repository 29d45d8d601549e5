#!/usr/bin/env escript
%% Copyright (c) 2026 The async_resource authors
%% Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
%% https://www.boost.org/LICENSE_1_0.txt)

%% Erlang's gen_tcp with {packet, Prefix} against an echo. Each process has a connection, on which it sends without
%% waiting for replies; they must come back equal and in order.
%%
%%   gen_tcp.escript PORT PREFIX PROCESSES FRAMES GREATEST

-mode(compile).
-define(WATCHDOG, 30000).

main(Arguments) ->
    [Port, Prefix, Processes, Frames, Greatest] = [list_to_integer(Each) || Each <- Arguments],
    Run = fun(Seed) -> fun() -> exchange(Port, Prefix, payloads(Seed, Frames, Greatest)) end end,
    Monitors = [spawn_monitor(Run(Seed)) || Seed <- lists:seq(1, Processes)],
    [receive {'DOWN', Monitor, process, Process, Reason} -> check(Reason) end || {Process, Monitor} <- Monitors].

check(normal) -> ok;
check({shutdown, Text}) -> fail(Text);
check(Reason) -> fail(io_lib:format("~0p", [Reason])).

fail(Text) ->
    io:format(standard_error, "gen_tcp: ~ts~n", [Text]),
    halt(1).

payloads(Seed, Frames, Greatest) ->
    rand:seed(exsss, Seed),
    Small = [rand:uniform(1000) || _ <- lists:seq(1, Frames - 4)],
    [rand:bytes(Size) || Size <- [0, 1, Greatest | Small] ++ [0]].

exchange(Port, Prefix, Payloads) ->
    Options = [binary, {active, false}, {packet, Prefix}, {nodelay, true}],
    {ok, Socket} = gen_tcp:connect("127.0.0.1", Port, Options, ?WATCHDOG),
    spawn_link(fun() -> send(Socket, Payloads) end),
    lists:foldl(fun(Payload, Number) -> expect(Socket, Payload, Number) end, 1, Payloads),
    case gen_tcp:recv(Socket, 0, ?WATCHDOG) of
        {error, closed} -> ok;
        Other -> exit({shutdown, io_lib:format("after the last reply ~0P", [Other, 10])})
    end.

send(Socket, Payloads) ->
    [ok = gen_tcp:send(Socket, Payload) || Payload <- Payloads],
    ok = gen_tcp:shutdown(Socket, write).

expect(Socket, Payload, Number) ->
    case gen_tcp:recv(Socket, 0, ?WATCHDOG) of
        {ok, Payload} -> Number + 1;
        Other -> exit({shutdown, io_lib:format("reply ~b of ~b bytes: ~0P", [Number, byte_size(Payload), Other, 10])})
    end.
