# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/async_resource")

install(TARGETS async_resource EXPORT async_resource FILE_SET HEADERS)
install(EXPORT async_resource NAMESPACE async_resource:: DESTINATION "${package_dir}"
  FILE async_resource-targets.cmake)
if(TARGET async_resource_python)
  install(TARGETS async_resource_python EXPORT async_resource_python FILE_SET HEADERS)
  install(EXPORT async_resource_python NAMESPACE async_resource:: DESTINATION "${package_dir}"
    FILE async_resource-python-targets.cmake)
endif()

configure_package_config_file(cmake/async_resource-config.cmake.in async_resource-config.cmake
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(async_resource-config-version.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/async_resource-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/async_resource-config-version.cmake"
  cmake/FindAsio.cmake
  DESTINATION "${package_dir}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
