// What the server and its models say about themselves, as the protocol's JSON documents.
#pragma once

#include "serve/service.h"

namespace athanor::serve {

// Names of the protocol's extensions that are offered.
std::span<const std::string_view> Extensions();

std::string ServerJson();
std::string ModelJson(const RepositoryEntry& entry);
std::string ConfigJson(const RepositoryEntry& entry);
std::string StatisticsJson(std::span<const RepositoryEntry> entries);
std::string IndexJson(std::span<const RepositoryEntry> entries);

// The shape a configuration shows: without the batch dimension when rows are stacked.
Dims ConfigDims(const Port& port, const ServedModel& model);
// What clients are told runs: "athanor" a model, "athanor_package" a package, which reads files.
std::string_view Platform(const ServedModel& model);
// 0 when rows are not stacked, as Triton writes it.
std::int64_t ConfigMaxBatch(const ServedModel& model);

}  // namespace athanor::serve
