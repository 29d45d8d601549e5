// expect: what the C callback takes, without its context

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

int main() {
  asyncres::completion_token_transform<int(int)>(asio::detached, [](void*, auto) {});
}
