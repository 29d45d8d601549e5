# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

# Finds the Python that comes first in PATH, unless the user said otherwise, with what embedding and extending need.

if(NOT DEFINED Python3_FIND_STRATEGY)
  set(Python3_FIND_STRATEGY LOCATION)
endif()
find_package(Python3 ${ASYNC_RESOURCE_PYTHON_VERSION} QUIET
  COMPONENTS Interpreter Development.Module Development.Embed)

if(Python3_FOUND)
  # A version manager's shim would choose again at each run.
  execute_process(COMMAND "${Python3_EXECUTABLE}" -c "import sys; print(sys.executable, end='')"
    OUTPUT_VARIABLE Python3_EXECUTABLE)
  set_target_properties(Python3::Interpreter PROPERTIES IMPORTED_LOCATION "${Python3_EXECUTABLE}")
  message(STATUS "Python ${Python3_VERSION}: ${Python3_EXECUTABLE}, ${Python3_LIBRARIES}")
else()
  set(missing "")
  foreach(component IN ITEMS Interpreter Development.Module Development.Embed)
    if(NOT Python3_${component}_FOUND)
      list(APPEND missing ${component})
    endif()
  endforeach()
  list(JOIN missing ", " missing)
  set(reason "no Python ${ASYNC_RESOURCE_PYTHON_VERSION} or later with headers and library (missing: ${missing})")
  if(ASYNC_RESOURCE_PYTHON STREQUAL "AUTO")
    message(STATUS "Python parts left out: ${reason}")
  else()
    message(FATAL_ERROR "There is ${reason}.\nInstall them (Debian and Ubuntu: python3-dev), "
      "or choose another one with -DPython3_EXECUTABLE=<path>.")
  endif()
endif()
