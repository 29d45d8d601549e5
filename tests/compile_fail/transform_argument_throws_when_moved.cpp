// expect: no exception can leave a C callback

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

struct throws_when_moved {
  throws_when_moved() = default;
  throws_when_moved(throws_when_moved&&) noexcept(false) {}
};

int main() {
  asyncres::completion_token_transform<void(throws_when_moved)>(asio::detached, [](void*, auto) {});
}
