# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

# cmake -DCOMMAND=... -DINCLUDES=... -DSYSTEM_INCLUDES=... -DSOURCE=... -P run.cmake

file(STRINGS "${SOURCE}" first_line LIMIT_COUNT 1)
execute_process(
  COMMAND ${COMMAND} -I${INCLUDES} -isystem ${SYSTEM_INCLUDES} "${SOURCE}"
  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)

if(first_line STREQUAL "// expect-success")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "Does not compile:\n${output}")
  endif()
elseif(NOT first_line MATCHES "^// expect: (.+)$")
  message(FATAL_ERROR "The first line of ${SOURCE} is neither `// expect: <regex>` nor `// expect-success`.")
else()
  set(expected "${CMAKE_MATCH_1}")
  if(result EQUAL 0)
    message(FATAL_ERROR "Compiles.")
  elseif(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "Does not say `${expected}`:\n${output}")
  endif()
endif()
