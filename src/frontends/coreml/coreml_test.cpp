#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "frontends/answer_for_test.h"
#include "frontends/coreml/files_for_test.h"
#include "frontends/coreml/import.h"
#include "frontends/coreml/layer_import.h"
#include "frontends/coreml/program.h"

namespace athanor::coreml {
namespace {

using Floats = std::vector<float>;

Result<Graph> Read(const std::string& bytes) {
  const auto owned = std::make_shared<std::string>(bytes);
  return Import({reinterpret_cast<const std::uint8_t*>(owned->data()), owned->size()}, owned);
}
Result<Graph> Read(const ModelMaker& m) { return Read(m.Bytes()); }

// x = (1, 2, 3): x w' + b = (7.5, 0)
TEST(CoremlImport, ASmallNetworkGivesWhatItsFormulaGives) {
  EXPECT_EQ(Answer(Read(SmallModel()), {1, 3}, {1, 2, 3}), (Floats{7.5F, 0}));
}

TEST(CoremlImport, RecognisesItsFiles) {
  const auto is_coreml = [](const std::string& text) {
    return IsCoreml({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  EXPECT_TRUE(is_coreml(SmallModel().Bytes()));
  // An ONNX file: version, who made it, a graph.
  EXPECT_FALSE(is_coreml(Number(1, 8) + Part(2, "maker") + Part(7, "")));
}

// Arrays of old networks have five axes, the first two of which the file does not mention.
TEST(CoremlImport, OldNetworksHaveABatchInFront) {
  ModelMaker m = SmallModel();
  m.array_mapping = 0;
  m.version = 1;
  m.inputs = {FeatureOf("x", {3})};
  m.outputs = {FeatureOf("y", {2})};
  const auto graph = Read(m);
  EXPECT_EQ(Answer(graph, {2, 3}, {1, 2, 3, 0, 0, 0}), (Floats{7.5F, 0, 0.5F, 0}));
  EXPECT_EQ(graph->value(graph->inputs()[0]).type.ToString(), "f32[N, 3]");
}

// Numbers of 3 bits, the highest bit first.
TEST(CoremlImport, WidensWeightsOfFewBits) {
  ModelMaker m = SmallModel();
  const std::string raw = {'\xA7', '\x85', '\x00'};
  m.layers[0] =
      LayerOf("product", {"x"}, {"t"}, 140,
              Number(1, 3) + Number(2, 2) + LinearWeights(20, raw, 3, {0.5F, 2}, {-1, 1}));
  // Bits 101 001 111 000 010 100: rows (5, 1, 7) / 2 - 1 and (0, 2, 4) * 2 + 1.
  EXPECT_EQ(Answer(Read(m), {1, 3}, {1, 2, 4}), (Floats{1.5F - 1 + 10, 1 + 10 + 36}));
}

TEST(CoremlImport, APipelineFeedsOneModelWithTheOther) {
  ModelMaker first = SmallModel(), second = SmallModel();
  second.inputs = {FeatureOf("y", {1, 2})};
  second.outputs = {FeatureOf("z", {1, 2})};
  second.layers = {LayerOf("twice", {"y"}, {"z"}, 231, Real(1, 2))};
  const std::string description =
      Part(1, FeatureOf("x", {1, 3})) + Part(10, FeatureOf("z", {1, 2}));
  const std::string pipeline = Part(1, first.Bytes()) + Part(1, second.Bytes());
  const auto graph = Read(Number(1, 4) + Part(2, description) + Part(202, pipeline));
  EXPECT_EQ(Answer(graph, {1, 3}, {1, 2, 3}), (Floats{15, 0}));
}

TEST(CoremlImport, AClassifierGivesProbabilitiesAndALabel) {
  ModelMaker m = SmallModel();
  m.kind = 403;
  m.more = Part(101, Numbers(1, {70, 80})) + Part(200, "y");
  m.outputs = {Part(1, "scores"), Part(1, "class")};
  m.names = Part(11, "class") + Part(12, "scores");
  const auto graph = Read(m);
  EXPECT_EQ(Answer(graph, {1, 3}, {1, 2, 3}), (Floats{7.5F, 0}));
  ASSERT_EQ(graph->outputs().size(), 2U);
  const auto out = Evaluate(*graph, {Datum(Tensor::FromVector<float>({1, 3}, {-1, -2, 3}))});
  ASSERT_TRUE(out.ok());
  EXPECT_EQ((*out)[1].tensor().Data<std::int64_t>()[0], 70);
}

struct Mistake {
  const char* expected;
  void (*make)(ModelMaker& m);
};

TEST(CoremlImport, SaysWhatIsWrong) {
  const Mistake mistakes[] = {
      {"layer \"custom\" is not read (1 use)",
       [](ModelMaker& m) { m.layers[1] = LayerOf("act", {"t"}, {"y"}, 500, ""); }},
      {"layer \"number 499\" is not read (1 use)",
       [](ModelMaker& m) { m.layers[1] = LayerOf("act", {"t"}, {"y"}, 499, ""); }},
      {"layer \"act\" (activation): it reads \"q\", which nothing before it makes",
       [](ModelMaker& m) { m.layers[1] = LayerOf("act", {"q"}, {"y"}, 130, Part(10, "")); }},
      {"layer \"act\" (activation): the kind of activation is not read",
       [](ModelMaker& m) { m.layers[1] = LayerOf("act", {"t"}, {"y"}, 130, ""); }},
      {"layer \"product\" (innerProduct): weights: f32 of shape [2, 4] has 24 bytes of data",
       [](ModelMaker& m) {
         m.layers[0] = LayerOf("product", {"x"}, {"t"}, 140,
                               Number(1, 4) + Number(2, 2) + Weights(20, {1, 0, 2, 0, -1, 1}));
       }},
      {"output \"z\": no layer makes it",
       [](ModelMaker& m) {
         m.outputs = {FeatureOf("z", {1, 2})};
       }},
      {"input \"x\": its size along axis 1 is -3",
       [](ModelMaker& m) {
         m.inputs = {FeatureOf("x", {1, -3})};
       }},
      {"input \"x\": an array of 2 axes; 1, 3 or 5 are wanted",
       [](ModelMaker& m) { m.array_mapping = 0; }},
      {"a tree ensemble classifier is not read; neural networks and pipelines of them are",
       [](ModelMaker& m) { m.kind = 402; }},
  };
  for (const Mistake& mistake : mistakes) {
    ModelMaker m = SmallModel();
    mistake.make(m);
    const auto graph = Read(m);
    ASSERT_FALSE(graph.ok()) << mistake.expected;
    EXPECT_NE(graph.status().ToString().find(mistake.expected), std::string::npos)
        << graph.status().ToString();
  }
}

TEST(CoremlProgram, GivesWhatItsFormulaGives) {
  EXPECT_EQ(Answer(Read(SmallProgram().Bytes()), {1, 3}, {1, 2, 3}), (Floats{7.5F, 0}));
}

struct ProgramMistake {
  std::string expected;
  void (*make)(ProgramMaker& m);
};

void ExpectRefused(const ProgramMistake& mistake) {
  ProgramMaker m = SmallProgram();
  mistake.make(m);
  const auto graph = Read(m.Bytes());
  ASSERT_FALSE(graph.ok()) << mistake.expected;
  EXPECT_NE(graph.status().ToString().find(mistake.expected), std::string::npos)
      << graph.status().ToString();
}

TEST(CoremlProgram, SaysWhatIsWrong) {
  const ProgramMistake mistakes[] = {
      {"operation \"y\" (crop_resize): operation \"crop_resize\" is not read (1 use)",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("crop_resize", {{"x", "t"}}, "y");
       }},
      {"operation \"rilu\" is not read (1 use) (did you mean \"relu\"?)",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("rilu", {{"x", "t"}}, "y");
       }},
      {"operation \"y\" (relu): nothing before makes \"z\"",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("relu", {{"x", "z"}}, "y");
       }},
      {"operation \"y\" (relu): it lacks x",
       [](ProgramMaker& m) { m.operations[3] = MilOperation("relu", {}, "y"); }},
      {"\"t\" is made twice",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("relu", {{"x", "t"}}, "t");
       }},
      {"output \"z\": nothing makes it", [](ProgramMaker& m) { m.output = "z"; }},
      {"operation \"w\" (const): f32 of [2, 3] are not what the file holds",
       [](ProgramMaker& m) {
         m.operations[0] = MilConstant("w", MilFloats({2, 3}, {1}));
       }},
      {"there are no operations for \"CoreML9\"", [](ProgramMaker& m) { m.opset = "CoreML9"; }},
      {"perm is computed; constants are read",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("transpose", {{"x", "t"}, {"perm", "t"}}, "y");
       }},
      {"weights in \"/etc/passwd\"; files beside the model are read",
       [](ProgramMaker& m) {
         m.operations[1] = MilConstant("b", MilBlob({2}, "/etc/passwd", 64));
       }},
      {"needs a model that lies in a folder",
       [](ProgramMaker& m) {
         m.operations[1] = MilConstant("b", MilBlob({2}, "@model_path/weights/weight.bin", 64));
       }},
  };
  for (const ProgramMistake& mistake : mistakes) ExpectRefused(mistake);
}

TEST(CoremlProgram, SaysWhatOperationsLackAndWhatTheyDoNotMake) {
  const ProgramMistake mistakes[] = {
      {"operation \"y\" (relu): \"y\" is f32[1, 2], where the file says f16[1, 2]",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("relu", {{"x", "t"}}, "y", MilType(kMilFloat16, {1, 2}));
       }},
      {"\"y\" is f32[1, 2], where the file says f32[1, 3]",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("relu", {{"x", "t"}}, "y", MilType(kMilFloat32, {1, 3}));
       }},
      {"\"y\" is f32[1, 2], where the file says f32[2]",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("relu", {{"x", "t"}}, "y", MilType(kMilFloat32, {2}));
       }},
      {"operation \"y\" (elu): it lacks alpha",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("elu", {{"x", "t"}}, "y");
       }},
      {"operation \"y\" (sigmoid_hard): it lacks alpha",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("sigmoid_hard", {{"x", "t"}}, "y");
       }},
      {"operation \"y\" (clip): it lacks alpha",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("clip", {{"x", "t"}}, "y");
       }},
      {"operation \"y\" (transpose): it lacks perm",
       [](ProgramMaker& m) {
         m.operations[3] = MilOperation("transpose", {{"x", "t"}}, "y");
       }},
      {"operation \"y\" (slice_by_index): it lacks end",
       [](ProgramMaker& m) {
         m.operations[3] = MilConstant("from", MilInts({0, 0}));
         m.operations.push_back(
             MilOperation("slice_by_index", {{"x", "t"}, {"begin", "from"}}, "y"));
       }},
      {"operation \"b\" (const): 70000 is no i16",
       [](ProgramMaker& m) {
         constexpr std::int64_t kInt16 = 22;
         m.operations[1] = MilConstant(
             "b", Part(2, MilType(kInt16, {1})) + Part(3, Part(1, Part(2, Numbers(1, {70000})))));
       }},
  };
  for (const ProgramMistake& mistake : mistakes) ExpectRefused(mistake);
}

TEST(CoremlProgram, TakesWhatTheFileSaysOfResultsThatItMakes) {
  ProgramMaker m = SmallProgram();
  m.operations[3] = MilOperation("relu", {{"x", "t"}}, "y", MilType(kMilFloat32, {1, 2}));
  EXPECT_EQ(Answer(Read(m.Bytes()), {1, 3}, {1, 2, 3}), (Floats{7.5F, 0}));
}

// Every byte but 0 is true, also to operations that read the bits.
TEST(CoremlProgram, BytesOfTruthAreZeroOrOne) {
  ProgramMaker m;
  m.input = {4};
  m.operations = {MilConstant("c", MilBytes(kMilBool, {4}, std::string("\x00\x01\x02\xFF", 4))),
                  MilConstant("z", MilFloats({4}, {9, 9, 9, 9})),
                  MilOperation("logical_not", {{"x", "c"}}, "n"),
                  MilOperation("select", {{"cond", "c"}, {"a", "x"}, {"b", "z"}}, "s"),
                  MilOperation("select", {{"cond", "n"}, {"a", "s"}, {"b", "x"}}, "y")};
  EXPECT_EQ(Answer(Read(m.Bytes()), {4}, {1, 2, 3, 4}), (Floats{9, 2, 3, 4}));
  m.output = "c";
  const auto graph = Read(m.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto out = Evaluate(*graph, {Datum(Tensor::FromVector<float>({4}, {1, 2, 3, 4}))});
  ASSERT_TRUE(out.ok()) << out.status().ToString();
  const auto* bytes = static_cast<const std::uint8_t*>((*out)[0].tensor().raw());
  EXPECT_EQ(std::vector<std::uint8_t>(bytes, bytes + 4), (std::vector<std::uint8_t>{0, 1, 1, 1}));
}

// Program over x [2, 2] in 16 bits, whose squares are infinite there.
Floats LayerNormInHalf(std::int64_t axis, const Floats& x) {
  ProgramMaker m;
  m.input = {2, 2};
  m.operations = {
      MilConstant("half", MilText("fp16")), MilConstant("single", MilText("fp32")),
      MilConstant("axes", MilInts({axis})),
      // 2, 3 and 0.5, -1
      MilConstant("g", MilBytes(kMilFloat16, {2}, std::string("\x00\x40\x00\x42", 4))),
      MilConstant("b", MilBytes(kMilFloat16, {2}, std::string("\x00\x38\x00\xBC", 4))),
      MilOperation("cast", {{"x", "x"}, {"dtype", "half"}}, "h"),
      MilOperation("layer_norm", {{"x", "h"}, {"axes", "axes"}, {"gamma", "g"}, {"beta", "b"}}, "n",
                   MilType(kMilFloat16, {2, 2})),
      MilOperation("cast", {{"x", "n"}, {"dtype", "single"}}, "y")};
  return Answer(Read(m.Bytes()), {2, 2}, x);
}

TEST(CoremlProgram, NormalisesLargeHalvesOverAnyAxes) {
  const Floats x = {-400, 390, 400, -410};
  // Rows less their mean -5 are (-395, 395) and (405, -405): -1 and 1 by their deviations.
  EXPECT_EQ(LayerNormInHalf(1, x), (Floats{-1.5F, 2, 2.5F, -4}));
  // Columns (-400, 400) around 0 and (390, -410) around -10; gamma and beta go by rows.
  EXPECT_EQ(LayerNormInHalf(0, x), (Floats{-1.5F, 2.5F, 2, -4}));
}

TEST(CoremlProgram, NormalisesWithoutGammaAndBeta) {
  ProgramMaker m;
  m.input = {2, 3};
  m.operations = {MilConstant("axes", MilInts({-1})),
                  MilOperation("layer_norm", {{"x", "x"}, {"axes", "axes"}}, "y")};
  const Floats y = Answer(Read(m.Bytes()), {2, 3}, {300, 600, 900, 1, 1, 1});
  // 300 / sqrt(2 * 300^2 / 3) = sqrt(1.5)
  const Floats expected = {-1.2247449F, 0, 1.2247449F, 0, 0, 0};
  ASSERT_EQ(y.size(), expected.size());
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-6) << i;
}

// One place of an axis is that place, whatever its stride is.
TEST(CoremlProgram, SlicesOnePlaceWithAStrideBackwards) {
  ProgramMaker m;
  m.input = {2, 3};
  const auto truth = [](const std::string& bytes) { return MilBytes(kMilBool, {2}, bytes); };
  m.operations = {MilConstant("begin", MilInts({1, 2})), MilConstant("stride", MilInts({-1, -2})),
                  MilConstant("one", truth(std::string("\x01\x00", 2))),
                  MilConstant("last", truth(std::string("\x00\x01", 2))),
                  MilOperation("slice_by_index",
                               {{"x", "x"},
                                {"begin", "begin"},
                                {"stride", "stride"},
                                {"end_mask", "last"},
                                {"squeeze_mask", "one"}},
                               "y", MilType(kMilFloat32, {2}))};
  EXPECT_EQ(Answer(Read(m.Bytes()), {2, 3}, {1, 2, 3, 4, 5, 6}), (Floats{6, 4}));
}

TEST(CoremlProgram, InputsComeInTheOrderOfTheDescription) {
  const auto typed = [](const std::string& name) {
    return Part(1, Part(1, name) + Part(2, MilType(kMilFloat32, {1})));
  };
  const std::string block = Part(2, "y") + Part(3, MilOperation("relu", {{"x", "a"}}, "y"));
  const std::string body = typed("unnamed") + typed("b") + typed("a") + Part(2, "CoreML5") +
                           Part(3, Part(1, "CoreML5") + Part(2, block));
  const std::string description =
      Part(1, FeatureOf("a", {1})) + Part(1, FeatureOf("b", {1})) + Part(10, FeatureOf("y", {1}));
  const auto graph = Read(Number(1, 6) + Part(2, description) +
                          Part(502, Number(1, 1) + Part(2, Part(1, "main") + Part(2, body))));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  std::vector<std::string> names;
  for (const ValueId input : graph->inputs()) names.push_back(graph->value(input).name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "unnamed"}));
}

// A file with weights as the package has it: 8 bytes of floats at 128, described at 64.
TEST(CoremlProgram, ReadsWeightsBesideTheModelAndNothingElse) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(testing::TempDir()) / "program" / "inside";
  fs::create_directories(folder);
  std::string blob(136, '\0');
  const std::uint32_t mark = 0xDEADBEEF;
  std::uint32_t type = 2;  // f32
  std::uint64_t place[] = {8, 128};
  const float numbers[] = {0.5F, -1};
  std::memcpy(blob.data() + 64, &mark, 4);
  std::memcpy(blob.data() + 68, &type, 4);
  std::memcpy(blob.data() + 72, place, 16);
  std::memcpy(blob.data() + 128, numbers, 8);
  const auto write = [&](const fs::path& path) { std::ofstream(path, std::ios::binary) << blob; };
  write(folder / "weight.bin");
  write(folder.parent_path() / "outside.bin");
  const auto read = [&](const std::string& name, std::int64_t offset) {
    ProgramMaker m = SmallProgram();
    m.operations[1] = MilConstant("b", MilBlob({2}, "@model_path/" + name, offset));
    const auto owned = std::make_shared<std::string>(m.Bytes());
    return Import({reinterpret_cast<const std::uint8_t*>(owned->data()), owned->size()}, owned,
                  folder.string());
  };
  EXPECT_EQ(Answer(read("weight.bin", 64), {1, 3}, {1, 2, 3}), (Floats{7.5F, 0}));
  EXPECT_EQ(read("../outside.bin", 64).status().code(), ErrorCode::kUnsafeFile);
  EXPECT_EQ(read("weight.bin", 0).status().code(), ErrorCode::kCorruptFile);
  EXPECT_EQ(read("weight.bin", 130).status().code(), ErrorCode::kCorruptFile);
  EXPECT_EQ(read("weight.bin", -1).status().code(), ErrorCode::kCorruptFile);
  place[0] = 12;
  std::memcpy(blob.data() + 72, place, 16);
  write(folder / "long.bin");
  EXPECT_EQ(read("long.bin", 64).status().code(), ErrorCode::kCorruptFile);
  place[0] = 4;
  std::memcpy(blob.data() + 72, place, 16);
  write(folder / "short.bin");
  EXPECT_EQ(read("short.bin", 64).status().code(), ErrorCode::kInvalidModel);
  // These files have no number for truth, whose bytes could be anything.
  ProgramMaker truth = SmallProgram();
  truth.operations[1] =
      MilConstant("b", Part(2, MilType(kMilBool, {4})) +
                           Part(5, Part(1, "@model_path/short.bin") + Number(2, 64)));
  const auto bytes = std::make_shared<std::string>(truth.Bytes());
  EXPECT_EQ(Import({reinterpret_cast<const std::uint8_t*>(bytes->data()), bytes->size()}, bytes,
                   folder.string())
                .status()
                .code(),
            ErrorCode::kInvalidModel);
  place[0] = 8;
  type = 14;  // i32, as many bytes
  std::memcpy(blob.data() + 68, &type, 4);
  std::memcpy(blob.data() + 72, place, 16);
  write(folder / "integers.bin");
  const Status status = read("integers.bin", 64).status();
  EXPECT_NE(status.ToString().find("which says that its numbers are of type 14"), std::string::npos)
      << status.ToString();
}

TEST(Coreml, TheDocumentListsEveryLayer) {
  std::stringstream file;
  file << std::ifstream("docs/formats/coreml.md").rdbuf();
  const std::string text = file.str();
  const std::size_t begin = text.find("## Layers"), programs = text.find("## Operations");
  ASSERT_NE(begin, std::string::npos);
  ASSERT_LT(programs, begin);
  const auto check = [](const std::string& list, const std::vector<std::string>& names) {
    EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * std::ssize(names));
    for (const std::string& name : names)
      EXPECT_NE(list.find("`" + name + "`"), std::string::npos) << name;
  };
  check(text.substr(begin), Names());
  std::vector<std::string> operations = {"cond", "const", "while_loop"};
  for (const auto& rows : {ProgramLayerRows(), ProgramMathRows(), ProgramWeightRows()}) {
    for (const ProgramRow& row : rows) operations.emplace_back(row.type);
  }
  check(text.substr(programs, begin - programs), operations);
}

}  // namespace
}  // namespace athanor::coreml
