// The corpus of broken files: every family makes its files from good ones, the same on every
// machine, and says how such a file is read. A new kind of file adds one Family to AllFamilies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"
#include "ir/graph.h"

namespace athanor::broken {

struct File {
  std::string name;
  std::vector<std::uint8_t> bytes;
  bool must_fail = false;  // else it may also be read: not every damage is one
};

struct Family {
  std::string name;        // also the ending of its files
  std::vector<File> good;  // must be read
  std::vector<File> bad;
  Status (*read)(const std::string& path) = nullptr;
  std::string fuzz = "";  // the fuzz target that reads them too; "" when it has the family's name
};

Family OnnxFamily();
Family AthFamily();
Family CaffeFamily();
Family CatboostFamily();
Family CoremlFamily();
Family DarknetFamily();
Family ForeignFamily();
Family KerasFamily();
Family MindirFamily();
Family MnnFamily();
Family MxnetFamily();
Family NcnnFamily();
Family OpenvinoFamily();
Family PackageFamily();
Family PaddleFamily();
Family SavedModelFamily();
Family TensorflowFamily();
Family TextFamily();
Family TfliteFamily();
Family NpyFamily();
Family NpzFamily();
Family JpegFamily();
Family PngFamily();
Family BmpFamily();
Family WebpFamily();
Family PickledFamily();
Family PnmFamily();
Family CsvFamily();
Family WavFamily();
Family XgboostFamily();
Family LightgbmFamily();
Family PmmlFamily();
Family PytorchFamily();
// Of every kind of model, each with one thing wrong.
std::vector<std::string> BrokenPmmlModels();

struct FamilyEntry {
  const char* name = "";
  Family (*make)() = nullptr;
};
// Making a family takes a while (some files are large), so each is made when it is wanted.
std::vector<FamilyEntry> AllFamilies();

// Small graphs that between them use every feature of the formats.
std::vector<Graph> GoodGraphs();

// Truncations, flipped bits, bytes at their extremes, parts cut out, repeated and moved.
std::vector<File> Damage(const File& good);

}  // namespace athanor::broken
