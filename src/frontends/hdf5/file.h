// Groups, attributes and data sets of HDF5 files, as h5py writes them for Keras: a small part of
// the format, read from mapped memory without copying what lies there as it is.
//
// Source: "HDF5 File Format Specification Version 3.0" (support.hdfgroup.org). Read are superblocks
// 0 to 3, object headers 1 and 2, groups as symbol tables or as links in the header; data sets that
// are compact, contiguous, or in chunks (B-tree of version 1, deflate and shuffle); numbers, fixed
// strings and strings of any length. Other forms are refused with their name. Hostile input: every
// place is checked against the file, and visits are counted, so that rings of nodes end.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace athanor::hdf5 {

using Bytes = std::span<const std::uint8_t>;

// "\211HDF\r\n\032\n" at the start.
bool IsHdf5(Bytes file);

class File {
 public:
  // `owner` keeps `bytes` alive, for as long as tensors of the file live too.
  static Result<File> Open(Bytes bytes, std::shared_ptr<const void> owner);

  // "/" separates groups; "" is the root.
  bool Has(std::string_view path) const { return Find(path).ok(); }
  // Names in a group, sorted.
  Result<std::vector<std::string>> Children(std::string_view group) const;
  // A data set of numbers.
  Result<Tensor> Read(std::string_view path) const;
  bool HasAttribute(std::string_view path, std::string_view name) const;
  // An attribute of one string, or of a list of strings.
  Result<std::vector<std::string>> Strings(std::string_view path, std::string_view name) const;

 private:
  File(Bytes bytes, std::shared_ptr<const void> owner) : bytes_(bytes), owner_(std::move(owner)) {}
  Result<std::uint64_t> Find(std::string_view path) const;  // address of an object header

  Bytes bytes_;
  std::shared_ptr<const void> owner_;
  std::uint64_t root_ = 0;
};

}  // namespace athanor::hdf5
