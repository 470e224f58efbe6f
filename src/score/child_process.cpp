#include "score/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

extern char** environ;

namespace athanor::score {

Result<ChildProcess> ChildProcess::Start(const std::vector<std::string>& command, End end) {
  ChildProcess child;
  int pair[2];
  // A socket, because a write to one that nobody reads can be told not to raise a signal.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return Error(ErrorCode::kResource, "no pipe: {}", std::strerror(errno));
  child.file_ = pair[0];
  child.words_ = ::memfd_create("words", MFD_CLOEXEC);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const bool reads = end == End::kItsOutput;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pair[1], reads ? STDOUT_FILENO : STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, reads ? STDIN_FILENO : STDOUT_FILENO, "/dev/null",
                                   reads ? O_RDONLY : O_WRONLY, 0);
  if (child.words_ >= 0) posix_spawn_file_actions_adddup2(&actions, child.words_, STDERR_FILENO);
  const int code =
      ::posix_spawnp(&child.process_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pair[1]);
  if (code == 0) return child;
  child.process_ = -1;
  return Error(ErrorCode::kFileNotFound, "{}: {}", command[0], std::strerror(code));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      file_(std::exchange(other.file_, -1)),
      words_(std::exchange(other.words_, -1)) {}

ChildProcess::~ChildProcess() {
  if (file_ >= 0) ::close(file_);
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    Wait();
  }
  if (words_ >= 0) ::close(words_);
}

Status ChildProcess::Write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(file_, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      ATH_RETURN_IF_ERROR(Finish());  // what it says is the better reason
      return Error(ErrorCode::kFileWrite, "the program that writes the table has ended");
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

int ChildProcess::Wait() {
  const pid_t process = std::exchange(process_, -1);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Status ChildProcess::Finish() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
  if (process_ <= 0) return {};
  const int code = Wait();
  if (code == 0) return {};
  std::array<char, 4096> words = {};
  const off_t size = words_ < 0 ? 0 : ::lseek(words_, 0, SEEK_END);
  const off_t begin = std::max<off_t>(0, size - static_cast<off_t>(words.size()));
  const ssize_t n = size <= 0 ? 0 : ::pread(words_, words.data(), words.size(), begin);
  std::string_view last(words.data(), static_cast<std::size_t>(std::max<ssize_t>(0, n)));
  while (!last.empty() && last.back() == '\n') last.remove_suffix(1);
  last.remove_prefix(last.find_last_of('\n') == last.npos ? 0 : last.find_last_of('\n') + 1);
  return Error(ErrorCode::kInvalidInput, "{}",
               last.empty() ? fmt::format("exit code {}", code) : std::string(last));
}

}  // namespace athanor::score
