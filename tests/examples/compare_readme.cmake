# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

# Fails unless README quotes, as its first C++ block, what is between the markers [readme] of EXAMPLE.

function(between text start end result)
  string(FIND "${text}" "${start}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "there is no '${start}'")
  endif()
  string(LENGTH "${start}" length)
  math(EXPR position "${position} + ${length}")
  string(SUBSTRING "${text}" ${position} -1 text)
  string(FIND "${text}" "${end}" length)
  string(SUBSTRING "${text}" 0 ${length} text)
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

file(READ "${README}" readme)
file(READ "${EXAMPLE}" example)
between("${readme}" "```cpp\n" "```" quoted)
between("${example}" "//! [readme]\n" "//! [readme]" source)
string(REGEX REPLACE " *//! [^\n]*\n" "" source "${source}")
if(NOT quoted STREQUAL source)
  message(FATAL_ERROR "README.md quotes:\n${quoted}\nthe example says:\n${source}")
endif()
