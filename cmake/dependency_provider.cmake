# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

# A dependency provider for Asio, Catch2, CLI11 and nlohmann_json, used by the presets. It makes a package findable and
# leaves the finding to find_package(). It takes, in this order:
#
#   1. what is installed, if new enough;
#   2. what an earlier run left in ASYNC_RESOURCE_DEPENDENCIES_DIR;
#   3. on Debian, the package of another suite, from the mirror apt is set up with, unpacked there without root;
#   4. the release's archive, by FetchContent, kept there.

set(ASYNC_RESOURCE_DEPENDENCIES_DIR "${CMAKE_SOURCE_DIR}/build/dependencies" CACHE PATH
  "Where the dependencies provided for this build are kept")

# Headers may come from any suite; a static library of a later release need not link on this one.
set(async_resource_Asio_package libasio-dev)
set(async_resource_Asio_suites trixie sid)
set(async_resource_Asio_url https://github.com/chriskohlhoff/asio/archive/refs/tags/asio-1-30-2.tar.gz)
set(async_resource_Asio_sha256 755bd7f85a4b269c67ae0ea254907c078d408cce8e1a352ad2ed664d233780e8)

set(async_resource_Catch2_package libcatch2-dev)
set(async_resource_Catch2_suites @codename@-backports @codename@)
set(async_resource_Catch2_url https://github.com/catchorg/Catch2/archive/refs/tags/v3.7.1.tar.gz)
set(async_resource_Catch2_sha256 c991b247a1a0d7bb9c39aa35faf0fe9e19764213f28ffba3109388e62ee0269c)

set(async_resource_CLI11_package libcli11-dev)
set(async_resource_CLI11_suites @codename@ trixie sid)
set(async_resource_CLI11_url https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.3.2.tar.gz)
set(async_resource_CLI11_sha256 aac0ab42108131ac5d3344a9db0fdf25c4db652296641955720a4fbe52334e22)

set(async_resource_nlohmann_json_package nlohmann-json3-dev)
set(async_resource_nlohmann_json_suites @codename@ trixie sid)
set(async_resource_nlohmann_json_url https://github.com/nlohmann/json/archive/refs/tags/v3.11.3.tar.gz)
set(async_resource_nlohmann_json_sha256 0d8ef5af7f9794e3263480193c491549b2ba6cc74bb018906202ada498a79406)

# For the report of a failure.
function(async_resource_tried what why)
  string(STRIP "${why}" why)
  set_property(GLOBAL APPEND_STRING PROPERTY async_resource_tried "\n  - ${what}: ${why}")
endfunction()

# The running Debian release, or nothing elsewhere.
function(async_resource_debian_codename out)
  set(${out} "" PARENT_SCOPE)
  if(EXISTS /etc/os-release)
    file(STRINGS /etc/os-release lines REGEX "^(ID|VERSION_CODENAME)=")
    if("ID=debian" IN_LIST lines AND lines MATCHES "VERSION_CODENAME=([a-z]+)")
      set(${out} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    endif()
  endif()
endfunction()

# The mirrors apt is set up with. Reads no index, so that it is right where `apt-get update` has never run.
function(async_resource_apt_mirrors out)
  execute_process(COMMAND apt-get update --print-uris OUTPUT_VARIABLE uris ERROR_QUIET)
  string(REGEX MATCHALL "'[^'\n]+/dists/" mirrors "${uris}")
  list(TRANSFORM mirrors REPLACE "^'(.+)/dists/$" "\\1")
  list(REMOVE_DUPLICATES mirrors)
  list(FILTER mirrors EXCLUDE REGEX "security")
  set(${out} "${mirrors}" PARENT_SCOPE)
endfunction()

# Downloads a package into `directory`, with an apt state of its own there. Signatures are checked as always.
function(async_resource_apt_download package suite mirror directory out_deb out_error)
  file(MAKE_DIRECTORY "${directory}/lists/partial" "${directory}/archives/partial")
  file(TOUCH "${directory}/status")
  set(signed_by "")
  if(EXISTS /usr/share/keyrings/debian-archive-keyring.gpg)
    set(signed_by "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]")
  endif()
  file(WRITE "${directory}/sources.list" "deb ${signed_by} ${mirror} ${suite} main\n")
  file(CONFIGURE OUTPUT "${directory}/apt.conf" @ONLY CONTENT [[
Dir::Etc::sourcelist "@directory@/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "@directory@/lists";
Dir::State::status "@directory@/status";
Dir::Cache "@directory@";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
]])
  set(apt ${CMAKE_COMMAND} -E env LC_ALL=C apt-get -q -c "${directory}/apt.conf")
  execute_process(COMMAND ${apt} update OUTPUT_QUIET ERROR_VARIABLE update_error)
  execute_process(COMMAND ${apt} download ${package} WORKING_DIRECTORY "${directory}" OUTPUT_QUIET
    ERROR_VARIABLE download_error)
  file(GLOB deb "${directory}/*.deb")
  string(REGEX MATCHALL "[EW]: [^\n]+" errors "${update_error}${download_error}")
  list(FILTER errors EXCLUDE REGEX "Some index files failed")
  list(JOIN errors "\n      " error)
  set(${out_deb} "${deb}" PARENT_SCOPE)
  set(${out_error} "${error}" PARENT_SCOPE)
endfunction()

# Unpacks a package as <dependencies>/<name>-<version>.
function(async_resource_unpack name minimum suite mirror)
  set(package ${async_resource_${name}_package})
  set(state "${ASYNC_RESOURCE_DEPENDENCIES_DIR}/apt")
  message(STATUS "${name}: trying the Debian package ${package} of ${suite}")
  async_resource_apt_download(${package} ${suite} ${mirror} "${state}" deb error)
  if(deb)
    execute_process(COMMAND dpkg-deb -f "${deb}" Version OUTPUT_VARIABLE version)
    execute_process(COMMAND dpkg-deb -x "${deb}" "${state}/root" ERROR_VARIABLE error)
    string(REGEX REPLACE "^([0-9]+:)?([0-9.]+).*" "\\2" version "${version}")
    if(version VERSION_LESS minimum)
      set(error "${version} is too old")
    endif()
    if(NOT error)
      file(RENAME "${state}/root" "${ASYNC_RESOURCE_DEPENDENCIES_DIR}/${name}-${version}")
    endif()
  endif()
  file(REMOVE_RECURSE "${state}")
  async_resource_tried("package ${package} of ${suite}, ${mirror}" "${error}")
endfunction()

# Downloads the pinned archive, unless it is there.
function(async_resource_download name archive)
  set(url ${async_resource_${name}_url})
  message(STATUS "${name}: trying ${url}")
  file(DOWNLOAD "${url}" "${archive}.part" STATUS status INACTIVITY_TIMEOUT 60)
  list(POP_FRONT status code)
  if(code EQUAL 0)
    file(SHA256 "${archive}.part" actual)
    if(actual STREQUAL async_resource_${name}_sha256)
      file(RENAME "${archive}.part" "${archive}")
    else()
      set(status "its SHA-256 is ${actual}")
    endif()
  endif()
  file(REMOVE "${archive}.part")
  async_resource_tried("${url}" "${status}")
endfunction()

# The three steps: each says in `out` whether find_package() succeeds now.

function(async_resource_from_earlier_run name minimum out)
  file(GLOB roots "${ASYNC_RESOURCE_DEPENDENCIES_DIR}/${name}-*/usr")
  foreach(root IN LISTS roots)
    if(root MATCHES "-([0-9.]+)/usr$" AND CMAKE_MATCH_1 VERSION_GREATER_EQUAL minimum)
      set(${name}_ROOT "${root}" CACHE PATH "Provided for this build" FORCE)
      set(${out} TRUE PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

function(async_resource_from_debian name minimum out)
  async_resource_debian_codename(codename)
  if(NOT codename)
    async_resource_tried("a Debian package" "this is not Debian")
    return()
  endif()
  async_resource_apt_mirrors(mirrors)
  foreach(suite IN LISTS async_resource_${name}_suites)
    string(CONFIGURE "${suite}" suite @ONLY)
    foreach(mirror IN LISTS mirrors)
      async_resource_unpack(${name} ${minimum} ${suite} ${mirror})
      async_resource_from_earlier_run(${name} ${minimum} done)
      if(done)
        set(${out} TRUE PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
endfunction()

function(async_resource_from_archive name minimum out)
  string(SUBSTRING "${async_resource_${name}_sha256}" 0 8 tag)
  set(archive "${ASYNC_RESOURCE_DEPENDENCIES_DIR}/${name}-${tag}.tar.gz")
  if(NOT EXISTS "${archive}")
    async_resource_download(${name} "${archive}")
  endif()
  if(NOT EXISTS "${archive}")
    return()
  endif()
  include(FetchContent)
  set(content URL "${archive}" URL_HASH SHA256=${async_resource_${name}_sha256})
  cmake_language(CALL async_resource_fetch_${name} ${content})
  set(${out} TRUE PARENT_SCOPE)
endfunction()

# Headers only: FindAsio.cmake does the rest.
function(async_resource_fetch_Asio)
  FetchContent_Declare(Asio ${ARGV})
  FetchContent_MakeAvailable(Asio)
  set(Asio_ROOT "${asio_SOURCE_DIR}/asio" CACHE PATH "Provided for this build" FORCE)
endfunction()

# Built here, as what find_package(Catch2) finds.
function(async_resource_fetch_Catch2)
  FetchContent_Declare(Catch2 ${ARGV} OVERRIDE_FIND_PACKAGE)
  FetchContent_MakeAvailable(Catch2)
  set_target_properties(Catch2 PROPERTIES SYSTEM TRUE)
  target_compile_options(Catch2 PRIVATE -w)
  file(WRITE "${CMAKE_FIND_PACKAGE_REDIRECTS_DIR}/catch2-extra.cmake"
    "list(APPEND CMAKE_MODULE_PATH \"${catch2_SOURCE_DIR}/extras\")\n")
endfunction()

# Headers only, with the targets that find_package() gives.
function(async_resource_fetch_CLI11)
  FetchContent_Declare(CLI11 ${ARGV} OVERRIDE_FIND_PACKAGE)
  FetchContent_MakeAvailable(CLI11)
endfunction()
function(async_resource_fetch_nlohmann_json)
  FetchContent_Declare(nlohmann_json ${ARGV} OVERRIDE_FIND_PACKAGE)
  FetchContent_MakeAvailable(nlohmann_json)
endfunction()

function(async_resource_make_findable name minimum installed_version)
  file(MAKE_DIRECTORY "${ASYNC_RESOURCE_DEPENDENCIES_DIR}")
  file(LOCK "${ASYNC_RESOURCE_DEPENDENCIES_DIR}/lock" GUARD FUNCTION)
  set(why "none found")
  if(installed_version)
    set(why "${installed_version} is too old")
  endif()
  set_property(GLOBAL PROPERTY async_resource_tried "")
  async_resource_tried("an installed one" "${why}")
  foreach(step IN ITEMS earlier_run debian archive)
    cmake_language(CALL async_resource_from_${step} ${name} ${minimum} done)
    if(done)
      return()
    endif()
  endforeach()
  get_property(tried GLOBAL PROPERTY async_resource_tried)
  message(FATAL_ERROR "${name} ${minimum} or later is needed. Tried:${tried}\n"
    "Install it by hand (Debian and Ubuntu: ${async_resource_${name}_package}, where new enough), or unpack it anywhere "
    "and pass -D${name}_ROOT=<its prefix> to cmake.\n")
endfunction()

macro(async_resource_provide method name)
  if("${name}" MATCHES "^(Asio|Catch2|CLI11|nlohmann_json)$")
    find_package(${name} ${ARGV2} QUIET BYPASS_PROVIDER)
    if(NOT ${name}_FOUND)
      async_resource_make_findable(${name} ${ARGV2} "${${name}_VERSION}${${name}_CONSIDERED_VERSIONS}")
      unset(${name}_INCLUDE_DIR CACHE)
    endif()
  endif()
endmacro()

cmake_language(SET_DEPENDENCY_PROVIDER async_resource_provide SUPPORTED_METHODS FIND_PACKAGE)
