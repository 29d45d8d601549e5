# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

# Finds standalone Asio, which comes without a CMake package of its own.
#
#   Asio_INCLUDE_DIR   the folder of asio.hpp; set Asio_ROOT to have <Asio_ROOT>/include looked at first
#   Asio_VERSION       read from asio/version.hpp
#   Asio::Asio         imported target

find_path(Asio_INCLUDE_DIR NAMES asio/version.hpp DOC "The folder of asio.hpp (standalone Asio)")
mark_as_advanced(Asio_INCLUDE_DIR)

unset(Asio_VERSION)
if(Asio_INCLUDE_DIR)
  set(_asio_pattern "#define ASIO_VERSION ([0-9]+)")
  file(STRINGS "${Asio_INCLUDE_DIR}/asio/version.hpp" _asio_line REGEX "${_asio_pattern}")
  if(_asio_line MATCHES "${_asio_pattern}")
    math(EXPR _asio_major "${CMAKE_MATCH_1} / 100000")
    math(EXPR _asio_minor "${CMAKE_MATCH_1} / 100 % 1000")
    math(EXPR _asio_patch "${CMAKE_MATCH_1} % 100")
    set(Asio_VERSION "${_asio_major}.${_asio_minor}.${_asio_patch}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Asio REQUIRED_VARS Asio_INCLUDE_DIR VERSION_VAR Asio_VERSION
  REASON_FAILURE_MESSAGE "Install standalone Asio, or pass -DAsio_ROOT=<prefix of its include folder>.")

if(Asio_FOUND AND NOT TARGET Asio::Asio)
  add_library(Asio::Asio INTERFACE IMPORTED)
  target_include_directories(Asio::Asio INTERFACE "${Asio_INCLUDE_DIR}")
endif()
