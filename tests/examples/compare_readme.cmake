# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

# Fails unless README quotes, as a C++ block, what is between the markers [MARKER] of EXAMPLE.

set(marker "//! [${MARKER}]\n")
file(READ "${README}" readme)
file(READ "${EXAMPLE}" source)
string(FIND "${source}" "${marker}" begin)
string(FIND "${source}" "${marker}" end REVERSE)
if(begin EQUAL end)
  message(FATAL_ERROR "there is no pair of '${marker}' in ${EXAMPLE}")
endif()
string(LENGTH "${marker}" length)
math(EXPR begin "${begin} + ${length}")
math(EXPR length "${end} - ${begin}")
string(SUBSTRING "${source}" ${begin} ${length} source)
string(REGEX REPLACE " *//! [^\n]*\n" "" source "${source}")
string(FIND "${readme}" "```cpp\n${source}```" position)
if(position EQUAL -1)
  message(FATAL_ERROR "README.md does not quote what the example says:\n${source}")
endif()
