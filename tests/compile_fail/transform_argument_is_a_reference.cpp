// expect: a reference is a pointer in C

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

int main() {
  asyncres::completion_token_transform<void(const int&)>(asio::detached, [](void*, auto) {});
}
