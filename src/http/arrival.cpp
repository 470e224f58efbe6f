#include "http/arrival.h"

#include <sys/socket.h>
#include <time.h>

#include <cstring>

namespace athanor::http {
namespace {

// Stamps are of the wall clock, which may be set meanwhile: what lies further back is not believed.
constexpr std::chrono::seconds kMostDelay{1};

Clock::time_point FromWallClock(const timespec& stamp) {
  using std::chrono::nanoseconds;
  for (;;) {
    const Clock::time_point now = Clock::now();
    timespec wall{};
    clock_gettime(CLOCK_REALTIME, &wall);
    // Between the two clocks this thread may have lost its core.
    if (Clock::now() - now > std::chrono::microseconds(50)) continue;
    const nanoseconds delay = std::chrono::seconds(wall.tv_sec - stamp.tv_sec) +
                              nanoseconds(wall.tv_nsec - stamp.tv_nsec);
    return delay > nanoseconds(0) && delay < kMostDelay ? now - delay : now;
  }
}

}  // namespace

void StampArrivals(int socket) {
  const int on = 1;
  (void)setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
}

Received ReceiveStamped(int socket, std::span<char> into, int flags) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  iovec part = {into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  Received received = {recvmsg(socket, &message, flags), Clock::now()};
  if (received.count <= 0) return received;
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(one), sizeof(stamp));
    received.when = FromWallClock(stamp);
  }
  return received;
}

}  // namespace athanor::http
