// The .ath file: one portable graph, loaded by mapping the file. Weights are never copied.
//
// Layout, little-endian: a header of 64 bytes, the structure (a flatbuffer, ath.fbs), zeros up to
// the next multiple of 64, the weights. Each weight starts at a multiple of 64 and has a digest.
// The same graph always gives the same bytes.
//
// When asked for, the file is as small as it can be made: the structure is deflated, weights of 8
// bits are entropy coded and all lie one behind the other, and what is between inputs and outputs
// loses its name. Loading such a file copies its weights and takes time for them.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::ath {

struct ReadOptions {
  bool check_weights = false;  // compare the digest of every weight: reads the whole file
};

// True when the bytes start as an .ath file does.
bool IsAth(std::span<const std::uint8_t> bytes);

// Whether it was written with WriteOptions::compress. False of anything else.
bool IsCompressed(std::span<const std::uint8_t> bytes);

// `owner` keeps `bytes` alive; weights point into them.
Result<Graph> Read(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner,
                   const ReadOptions& options = {});

// A digest of all that a file says, weights included; of bytes that were read, and of a graph (that
// of the file it would be written as).
std::uint64_t StoredDigest(std::span<const std::uint8_t> bytes);
Result<std::uint64_t> Digest(const Graph& graph);

struct WriteOptions {
  bool compress = false;
};

// The whole file in memory, for small models and tests.
Result<std::vector<std::uint8_t>> Write(const Graph& graph, const WriteOptions& options = {});
Status Save(const Graph& graph, const std::string& path, const WriteOptions& options = {});

}  // namespace athanor::ath
