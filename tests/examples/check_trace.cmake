# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

# Runs PROGRAM, which writes a Chrome trace to FILE, and counts its events.

execute_process(COMMAND "${PROGRAM}" "${FILE}" COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
file(READ "${FILE}" trace)
string(JSON events ERROR_VARIABLE error LENGTH "${trace}" traceEvents)
if(error)
  message(FATAL_ERROR "${FILE} is no JSON with traceEvents: ${error}")
endif()

# 100 visits, and the operation that names home's thread.
foreach(expected IN ITEMS "101 \"ph\":\"s\"" "101 \"ph\":\"f\"" "202 \"ph\":\"B\"" "202 \"ph\":\"E\"" "100 \"name\":\"back\"")
  string(REGEX MATCH "^([0-9]+) (.*)$" matched "${expected}")
  set(count "${CMAKE_MATCH_1}")
  set(pattern "${CMAKE_MATCH_2}")
  string(REGEX MATCHALL "${pattern}" found "${trace}")
  list(LENGTH found actual)
  if(NOT actual EQUAL count)
    message(FATAL_ERROR "${actual} events with ${pattern}, not ${count}, among ${events}")
  endif()
endforeach()
