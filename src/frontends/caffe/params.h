// The parameters of one layer as its row reads them, and which ones were read: a field that a file
// sets and no row looks at is refused, not passed over.
#pragma once

#include <initializer_list>
#include <list>
#include <set>

#include "frontends/caffe/message.h"

namespace athanor::caffe {

class Params {
 public:
  // Both outlive this; `message` may be nullptr: every field is at its default.
  Params(const Message* message, Status& problem) : message_(message), problem_(&problem) {}

  bool Has(std::string_view name) const {
    return message_ != nullptr && message_->Find(name) != nullptr;
  }
  // A value of the wrong kind is remembered in `problem`.
  std::int64_t Int(std::string_view name, std::int64_t otherwise);
  float Float(std::string_view name, float otherwise);
  bool Bool(std::string_view name, bool otherwise);
  std::string String(std::string_view name);
  std::vector<std::int64_t> Ints(std::string_view name);
  std::vector<float> Floats(std::string_view name);
  // Which of `names` the field says; files also give its number, which is `first` for names[0].
  std::size_t Choice(std::string_view name, std::initializer_list<std::string_view> names,
                     std::size_t otherwise, std::int64_t first = 0);
  // Fields in brackets; they live as long as this, and are checked with it.
  Params& Child(std::string_view name);
  std::vector<Params*> Children(std::string_view name);
  // Fields that change nothing when a network runs.
  void Ignore(std::initializer_list<std::string_view> names) {
    read_.insert(names.begin(), names.end());
  }

  // Names the first field that nobody read.
  Status CheckAllRead(std::string_view what) const;

 private:
  const std::vector<FieldValue>* Find(std::string_view name);
  void Wrong(std::string_view name, std::string_view expected);

  const Message* message_;
  Status* problem_;
  std::set<std::string, std::less<>> read_;
  std::list<Params> children_;
};

}  // namespace athanor::caffe
