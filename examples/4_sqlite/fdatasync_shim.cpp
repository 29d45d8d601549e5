// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A library for LD_PRELOAD that logs, in order, what a process writes to a database's files, each time they are synced, and
// what it sends to its peers. sync_test.py uses it, since a process that is killed does not lose what is not on the disk
// yet. Linux only.
//
//   SHIM_LOG=log.txt SHIM_DATABASE=/somewhere/kv.db LD_PRELOAD=./libfdatasync_shim.so kv_server --database /somewhere/kv.db
//
// A line is one of these:
//
//   write FILE SIZE HEXADECIMAL [MARKER]...   after it: the first 24 bytes, and each "marker-12345678" in what was written
//   sync FILE                                 after it
//   send PORT                                 before it: the peer's port

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

template <class Function>
Function* next(Function*, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Lines of several threads do not mix: each is one write to a file that is appended to.
void log(std::string line) {
  static const int file = [] {
    const char* const name = std::getenv("SHIM_LOG");
    return name ? ::open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
  }();
  line += '\n';
  if (::syscall(SYS_write, file, line.data(), line.size()) != static_cast<long>(line.size())) std::abort();
}

// The name, without directory, if it is one of the database's files.
std::string database_file(int descriptor) {
  static const char* const database = std::getenv("SHIM_DATABASE");
  char target[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const auto size = ::readlink(link.c_str(), target, sizeof(target));
  const std::string_view name(target, size > 0 ? static_cast<std::size_t>(size) : 0);
  return std::string(database && name.starts_with(database) ? name.substr(name.rfind('/') + 1) : "");
}

void log_write(int descriptor, std::string_view written) {
  const auto file = database_file(descriptor);
  if (file.empty()) return;
  std::string line = "write " + file + ' ' + std::to_string(written.size()) + ' ';
  for (const char each : written.substr(0, 24)) {
    const auto byte = static_cast<unsigned char>(each);
    for (const int digit : {byte / 16, byte % 16}) line += "0123456789abcdef"[digit];
  }
  constexpr std::string_view marker = "marker-";
  constexpr std::size_t size = marker.size() + 8;
  for (auto at = written.find(marker); at != written.npos; at = written.find(marker, at + 1)) {
    line.append(" ").append(written.substr(at, size));
  }
  log(std::move(line));
}

void log_sync(int descriptor) {
  if (const auto file = database_file(descriptor); !file.empty()) log("sync " + file);
}

void log_send(int descriptor) {
  sockaddr_in peer{};
  socklen_t size = sizeof(peer);
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && peer.sin_family == AF_INET) {
    log("send " + std::to_string(ntohs(peer.sin_port)));
  }
}

}  // namespace

extern "C" {

ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  static const auto real = next(&::pwrite, "pwrite");
  const auto result = real(descriptor, data, size, offset);
  if (result > 0) log_write(descriptor, {static_cast<const char*>(data), static_cast<std::size_t>(result)});
  return result;
}

ssize_t pwrite64(int descriptor, const void* data, size_t size, off64_t offset) {
  static const auto real = next(&::pwrite64, "pwrite64");
  const auto result = real(descriptor, data, size, offset);
  if (result > 0) log_write(descriptor, {static_cast<const char*>(data), static_cast<std::size_t>(result)});
  return result;
}

ssize_t write(int descriptor, const void* data, size_t size) {
  static const auto real = next(&::write, "write");
  log_send(descriptor);
  const auto result = real(descriptor, data, size);
  if (result > 0) log_write(descriptor, {static_cast<const char*>(data), static_cast<std::size_t>(result)});
  return result;
}

int fdatasync(int descriptor) {
  static const auto real = next(&::fdatasync, "fdatasync");
  const int result = real(descriptor);
  if (result == 0) log_sync(descriptor);
  return result;
}

int fsync(int descriptor) {
  static const auto real = next(&::fsync, "fsync");
  const int result = real(descriptor);
  if (result == 0) log_sync(descriptor);
  return result;
}

ssize_t send(int descriptor, const void* data, size_t size, int flags) {
  static const auto real = next(&::send, "send");
  log_send(descriptor);
  return real(descriptor, data, size, flags);
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  static const auto real = next(&::sendmsg, "sendmsg");
  log_send(descriptor);
  return real(descriptor, message, flags);
}

ssize_t writev(int descriptor, const iovec* data, int count) {
  static const auto real = next(&::writev, "writev");
  log_send(descriptor);
  return real(descriptor, data, count);
}

}  // extern "C"
