// When bytes reached this machine, whoever was busy then.
//
// A thread that waits for bytes learns of them when it gets a core: on a busy machine a time slice
// or two after they came. The system stamps each packet, and that is when a deadline begins.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>

namespace athanor::http {

using Clock = std::chrono::steady_clock;

// From now on the bytes of this socket are stamped; without effect where the system cannot.
void StampArrivals(int socket);

struct Received {
  ssize_t count = 0;  // as recv gives it
  Clock::time_point when;
};

// As recv; `when` is the stamp of the last byte, or now when there is none.
Received ReceiveStamped(int socket, std::span<char> into, int flags);

}  // namespace athanor::http
