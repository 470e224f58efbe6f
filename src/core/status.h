// What went wrong, where in the model, and what to do about it.
//
// Status is the only way an athanor library reports failure: no exceptions cross a library edge.
// A message says what happened and what would be accepted; `In` adds the place going outward;
// `Fix` adds one line a person can act on or paste. Thread safety: immutable once shared.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace athanor {

// The number is what a person sees ("ATH-2003"). Explanations live in error_codes.cpp.
enum class ErrorCode : std::uint16_t {
  kOk = 0,
  // 1xxx: the request is wrong (exit code 1)
  kUsage = 1001,         // arguments make no sense
  kUnknownName = 1002,   // a name that is not there; a near one is suggested
  kInvalidInput = 1003,  // an input tensor has the wrong name, shape or dtype
  kFileNotFound = 1004,  // no such file, or not readable
  kFileWrite = 1005,     // cannot write the result
  // 2xxx: the model is wrong or asks for something we do not have (exit code 2)
  kInvalidModel = 2001,     // breaks the rules of its own format
  kCorruptFile = 2002,      // truncated or damaged bytes
  kUnknownOperator = 2003,  // no such operator in this domain and version
  kUnknownFormat = 2004,    // not a model format we read
  kUnsupported = 2101,      // valid, but this form is not implemented
  kUnsupportedType = 2102,  // valid, but not for this dtype
  kUnsafeFile = 2201,       // asks for something a file must not ask for
  kDataError = 2301,        // a value met while running is out of range
  kNotWritten = 2401,       // the model is right, what is to be written has no form for it
  // 3xxx: a gate was not met (exit code 3)
  kAccuracy = 3001,
  // 4xxx: limits (exit code 4)
  kResource = 4001,
  kDeadline = 4002,
  kCancelled = 4003,
  // 5xxx: our mistake (exit code 5)
  kInternal = 5001,
};

struct ErrorCodeInfo {
  ErrorCode code = ErrorCode::kOk;
  std::string_view stage;        // shown in brackets: "import", "run", ...
  std::string_view title;        // one line
  std::string_view explanation;  // several lines, for `athanor explain ATH-nnnn`
  int exit_code = 0;
};

// Every code with its explanation, in numeric order.
const std::vector<ErrorCodeInfo>& AllErrorCodes();
// Never fails: an unlisted number is described as an internal error.
const ErrorCodeInfo& Describe(ErrorCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(ErrorCode code, std::string message);
  Status(const Status& other) : shared_(other.shared_) {
    if (shared_ != nullptr) Hold();
  }
  Status(Status&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  Status& operator=(Status other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~Status() {
    if (shared_ != nullptr) Release();
  }

  bool ok() const { return shared_ == nullptr; }
  ErrorCode code() const;
  // What happened, without the place. Empty when ok.
  const std::string& message() const;
  // The place, outermost first: "face.onnx: node \"Conv_59\" (ConvInteger)".
  const std::string& where() const;
  const std::string& fix() const;
  // Problems found together with this one; the importer lists all it finds.
  const std::vector<Status>& others() const;

  // Adds an outer place. No effect on an ok status.
  Status In(std::string_view place) &&;
  Status Fix(std::string_view fix) &&;

  // The first problem carrying the rest; ok when the list is empty.
  static Status All(std::vector<Status> problems);

  // "error ATH-2103 [import] face.onnx: node ...: what. \n  fix: ..." plus the other problems.
  std::string ToString() const;

 private:
  struct Info;
  struct Shared;
  explicit Status(Info info);
  void Hold() const;
  void Release() const;

  Shared* shared_ = nullptr;  // nullptr when ok: callers test one pointer; the rest is not inlined
};

// A value or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  Status status() const& { return status_; }
  Status status() && { return std::move(status_); }

  // Only after ok().
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

Status FormatError(ErrorCode code, fmt::string_view format, fmt::format_args args);
template <class... Args>
Status Error(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return FormatError(code, format, fmt::make_format_args(args...));
}
template <class... Args>
Status InvalidModel(fmt::format_string<Args...> format, Args&&... args) {
  return FormatError(ErrorCode::kInvalidModel, format, fmt::make_format_args(args...));
}
template <class... Args>
Status Unsupported(fmt::format_string<Args...> format, Args&&... args) {
  return FormatError(ErrorCode::kUnsupported, format, fmt::make_format_args(args...));
}
template <class... Args>
Status DataError(fmt::format_string<Args...> format, Args&&... args) {
  return FormatError(ErrorCode::kDataError, format, fmt::make_format_args(args...));
}

// Prints the broken promise and aborts. Only for our own mistakes, never for bad input.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* why);

}  // namespace athanor

#define ATH_INTERNAL_JOIN2(a, b) a##b
#define ATH_INTERNAL_JOIN(a, b) ATH_INTERNAL_JOIN2(a, b)

// Unwraps a Result, or returns its error from the enclosing function.
#define ATH_TRY(declaration, expression)                              \
  auto ATH_INTERNAL_JOIN(ath_try_, __LINE__) = (expression);          \
  if (!ATH_INTERNAL_JOIN(ath_try_, __LINE__).ok())                    \
    return std::move(ATH_INTERNAL_JOIN(ath_try_, __LINE__)).status(); \
  declaration = *std::move(ATH_INTERNAL_JOIN(ath_try_, __LINE__))

#define ATH_RETURN_IF_ERROR(expression)          \
  do {                                           \
    ::athanor::Status ath_status = (expression); \
    if (!ath_status.ok()) return ath_status;     \
  } while (false)

// A promise that always holds; when it does not, it is a bug of ours.
#define ATH_CHECK(condition, why)                                                  \
  do {                                                                             \
    if (!(condition)) ::athanor::CheckFailed(__FILE__, __LINE__, #condition, why); \
  } while (false)
