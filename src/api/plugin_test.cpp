#include "api/plugin.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "api/open_model.h"
#include "frontends/ath/ath.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/text.h"
#include "ops/catalog.h"
#include "runtime/session.h"

namespace athanor {
namespace {

using Floats = std::vector<float>;

const ath_port kX = {sizeof(ath_port), "x", nullptr, ATH_ONE};
const ath_port kY = {sizeof(ath_port), "y", nullptr, ATH_ONE};

ath_tensor In(const ath_host* host, ath_node* node, std::int32_t index) {
  ath_tensor tensor = {sizeof(ath_tensor), ATH_UNDEFINED, 0, nullptr, nullptr};
  host->input(node, index, &tensor);
  return tensor;
}

std::int64_t CountOf(const ath_tensor& tensor) {
  std::int64_t count = 1;
  for (std::int32_t i = 0; i < tensor.rank; ++i) count *= tensor.dims[i];
  return count;
}

ath_status InferAsInput(const ath_host* host, ath_node* node, void*) {
  const ath_tensor x = In(host, node, 0);
  return host->set_output(node, 0, x.dtype, x.rank, x.dims);
}

// y = x + add
ath_status RunAdd(const ath_host* host, ath_node* node, void*) {
  const ath_tensor x = In(host, node, 0);
  auto* y = static_cast<float*>(host->output(node, 0, nullptr));
  float add = 1;
  host->get_float(node, "add", &add);
  for (std::int64_t i = 0; i < CountOf(x); ++i) y[i] = static_cast<const float*>(x.data)[i] + add;
  return 0;
}

using Callback = ath_status (*)(const ath_host*, ath_node*, void*);

// One operator from x to y.
ath_op Op(const char* name, Callback infer, Callback run, std::uint32_t flags = 0) {
  return {.struct_size = sizeof(ath_op),
          .name = name,
          .doc = nullptr,
          .inputs = &kX,
          .num_inputs = 1,
          .outputs = &kY,
          .num_outputs = 1,
          .attributes = nullptr,
          .num_attributes = 0,
          .flags = flags,
          .infer = infer,
          .run = run,
          .user = nullptr};
}

ath_plugin Table(const ath_op* op, const ath_converter* converter = nullptr) {
  return {.struct_size = sizeof(ath_plugin),
          .abi = ATH_PLUGIN_ABI,
          .name = "test",
          .ops = op,
          .num_ops = op == nullptr ? 0 : 1,
          .converters = converter,
          .num_converters = converter == nullptr ? 0 : 1,
          .flags = 0};
}

Status Add(const ath_op& op) { return AddPlugin(Table(&op)); }

Status AddConverter(const char* format, const char* op, Callback convert) {
  const ath_converter converter = {sizeof(ath_converter), format, op, convert, nullptr};
  return AddPlugin(Table(nullptr, &converter));
}

std::string Problem(const Status& status) { return status.ok() ? "" : status.ToString(); }

void ExpectMentions(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "in: " << text << "\nmissing: " << part;
}

// A graph of one node over f32[N, 2].
Result<Graph> OneNode(const std::string& op) {
  return ParseText("graph g(x: f32[N, 2]) -> (y) { %y = " + op + "(%x) @node }", ops::Standard());
}

Result<Floats> RunOn(Graph graph, const std::string& device, const Floats& x) {
  ATH_TRY(const auto session, Session::Create(std::move(graph), {.device = device}));
  const Dims dims = {static_cast<std::int64_t>(x.size()) / 2, 2};
  ATH_TRY(const std::vector<Datum> outputs, session->Run({Tensor::FromVector<float>(dims, x)}));
  const auto y = outputs[0].tensor().Data<float>();
  return Floats(y.begin(), y.end());
}

// Of a run on both devices, which agree.
std::string RunProblem(const std::string& op) {
  std::string problem;
  for (const char* device : {"reference", "cpu"}) {
    Result<Graph> graph = OneNode(op);
    if (!graph.ok()) return Problem(graph.status());
    problem = Problem(RunOn(*std::move(graph), device, {1, 2, 3, 4}).status());
    ExpectMentions(problem, "node \"node\" (" + op + ")");
  }
  return problem;
}

TEST(Plugin, AnOperatorRunsOnBothDevicesBetweenOthers) {
  const ath_attr add = {sizeof(ath_attr), "add", "what is added", ATH_ATTR_FLOAT, 0};
  ath_op op = Op("t.run::Add", InferAsInput, RunAdd);
  op.attributes = &add;
  op.num_attributes = 1;
  ASSERT_EQ(Problem(Add(op)), "");
  const char* text = R"(graph g(x: f32[N, 2]) -> (z) {
      %a = Relu(%x)
      %y = t.run::Add(%a) {add = 2.5} @between
      %z = Neg(%y)
    })";
  for (const char* device : {"reference", "cpu", "HETERO:cpu,reference"}) {
    Result<Graph> graph = ParseText(text, ops::Standard());
    ASSERT_TRUE(graph.ok()) << graph.status().ToString();
    EXPECT_EQ(graph->value(graph->outputs()[0].value).type.ToString(), "f32[N, 2]");
    EXPECT_TRUE(Verify(*graph).ok());
    EXPECT_EQ(*RunOn(graph->Clone(), device, {-1, 2, 3, 4}), (Floats{-2.5, -4.5, -5.5, -6.5}))
        << device;
  }
}

TEST(Plugin, AnOperatorIsPrintedSavedAndReadBack) {
  const ath_attr add = {sizeof(ath_attr), "add", nullptr, ATH_ATTR_FLOAT, 1};
  ath_op op = Op("t.save.sub::Add", nullptr, RunAdd);
  op.attributes = &add;
  op.num_attributes = 1;
  ASSERT_EQ(Problem(Add(op)), "");
  const Graph graph = *ParseText(
      "graph g(x: f32[N, 2]) -> (y) { %y = t.save.sub::Add(%x) {add = 3} @a }", ops::Standard());
  const std::string text = PrintText(graph);
  ExpectMentions(text, "t.save.sub::Add(%x) {add = 3} @a");
  EXPECT_EQ(PrintText(*ParseText(text, ops::Standard())), text);

  const auto onnx = std::make_shared<const std::vector<std::uint8_t>>(*onnx::ExportOnnx(graph));
  const std::string bytes(onnx->begin(), onnx->end());
  ExpectMentions(bytes, "t.save.sub");
  EXPECT_EQ(bytes.find("::"), std::string::npos);
  const Result<Graph> from_onnx = onnx::Import(*onnx, onnx, {});
  ASSERT_TRUE(from_onnx.ok()) << from_onnx.status().ToString();
  EXPECT_EQ(*RunOn(from_onnx->Clone(), "cpu", {1, 2}), (Floats{4, 5}));

  const auto path = std::filesystem::temp_directory_path() / "athanor_plugin_test.ath";
  ASSERT_TRUE(ath::Save(graph, path.string()).ok());
  const Result<Graph> from_ath = OpenModel(path.string());
  std::filesystem::remove(path);
  ASSERT_TRUE(from_ath.ok()) << from_ath.status().ToString();
  EXPECT_EQ(PrintText(*from_ath), text);
}

TEST(Plugin, ConstantsAreComputedOnceUnlessTheOperatorIsNotPure) {
  static int runs = 0;
  const Callback count = [](const ath_host* host, ath_node* node, void* user) {
    ++runs;
    return RunAdd(host, node, user);
  };
  ASSERT_EQ(Problem(Add(Op("t.fold::Pure", nullptr, count))), "");
  ASSERT_EQ(Problem(Add(Op("t.fold::Not", nullptr, count, ATH_NOT_PURE))), "");
  for (const auto& [op, expected] : {std::pair("t.fold::Pure", 1), std::pair("t.fold::Not", 2)}) {
    runs = 0;
    const std::string text =
        "graph g(x: f32[1, 2]) -> (z) {\n  const %c: f32[2] = [1, 2]\n  %y = " + std::string(op) +
        "(%c)\n  %z = Add(%x, %y)\n}";
    const auto session = *Session::Create(*ParseText(text, ops::Standard()), {});
    for (int i = 0; i < 2; ++i) {
      const auto outputs = session->Run({Tensor::FromVector<float>({1, 2}, {10, 20})});
      EXPECT_EQ((*outputs)[0].tensor().Data<float>()[1], 23);
    }
    EXPECT_EQ(runs, expected) << op;
  }
}

TEST(Plugin, SizesThatAreNoNumbersYetKeepTheirNames) {
  // [N, M] -> [M, N]
  const Callback infer = [](const ath_host* host, ath_node* node, void*) {
    const ath_tensor x = In(host, node, 0);
    const std::int64_t dims[] = {x.dims[1], x.dims[0]};
    return host->set_output(node, 0, x.dtype, 2, dims);
  };
  ASSERT_EQ(Problem(Add(Op("t.sizes::Flip", infer, RunAdd))), "");
  const Result<Graph> graph =
      ParseText("graph g(x: f32[N, M]) -> (y) { %y = t.sizes::Flip(%x) }", ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(graph->value(graph->outputs()[0].value).type.ToString(), "f32[M, N]");
}

TEST(Plugin, AnOperatorMayMakeOutputsWhoseSizeDependsOnData) {
  // The positive numbers of x.
  const Callback infer = [](const ath_host* host, ath_node* node, void*) {
    const std::int64_t unknown[] = {-1};
    return host->set_output(node, 0, In(host, node, 0).dtype, 1, unknown);
  };
  const Callback run = [](const ath_host* host, ath_node* node, void*) -> ath_status {
    const ath_tensor x = In(host, node, 0);
    const auto* from = static_cast<const float*>(x.data);
    const auto positive = [](float v) { return v > 0; };
    const std::int64_t dims[] = {std::count_if(from, from + CountOf(x), positive)};
    if (const ath_status status = host->set_output(node, 0, ATH_F32, 1, dims)) return status;
    std::copy_if(from, from + CountOf(x), static_cast<float*>(host->output(node, 0, nullptr)),
                 positive);
    return 0;
  };
  ASSERT_EQ(Problem(Add(Op("t.data::Positive", infer, run, ATH_DATA_DEPENDENT))), "");
  for (const char* device : {"reference", "cpu"})
    EXPECT_EQ(*RunOn(*OneNode("t.data::Positive"), device, {1, -2, 3, 0, 5, 6}),
              (Floats{1, 3, 5, 6}));
}

TEST(Plugin, TextsGoInAndOut) {
  const Callback infer = [](const ath_host* host, ath_node* node, void*) {
    const ath_tensor x = In(host, node, 0);
    return host->set_output(node, 0, ATH_STRING, x.rank, x.dims);
  };
  const Callback run = [](const ath_host* host, ath_node* node, void*) -> ath_status {
    const ath_tensor x = In(host, node, 0);
    for (std::int64_t i = 0; i < CountOf(x); ++i) {
      const std::string text = std::string("<") + static_cast<const char* const*>(x.data)[i] + ">";
      host->set_string(node, 0, i, text.c_str());
    }
    return 0;
  };
  ASSERT_EQ(Problem(Add(Op("t.text::Quote", infer, run))), "");
  const auto session = *Session::Create(
      *ParseText("graph g(x: string[2]) -> (y) { %y = t.text::Quote(%x) }", ops::Standard()), {});
  const auto outputs = session->Run({Tensor::FromVector<std::string>({2}, {"a", ""})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ((*outputs)[0].tensor().Data<std::string>()[0], "<a>");
  EXPECT_EQ((*outputs)[0].tensor().Data<std::string>()[1], "<>");
}

TEST(Plugin, WhatACallbackSaysBecomesAnErrorOfItsNode) {
  const Callback refuse = [](const ath_host* host, ath_node* node, void*) {
    return host->fail(node, ATH_NOT_SUPPORTED, "only on Sundays");
  };
  ASSERT_EQ(Problem(Add(Op("t.fail::Infer", refuse, RunAdd))), "");
  ASSERT_EQ(Problem(Add(Op("t.fail::Run", nullptr, refuse))), "");
  const std::string inferred = Problem(OneNode("t.fail::Infer").status());
  ExpectMentions(inferred, "ATH-2101");
  ExpectMentions(inferred, "node \"node\" (t.fail::Infer): only on Sundays");
  ExpectMentions(RunProblem("t.fail::Run"), "ATH-2101");

  const Callback silent = [](const ath_host*, ath_node*, void*) -> ath_status { return 77; };
  ASSERT_EQ(Problem(Add(Op("t.fail::Silent", nullptr, silent))), "");
  ExpectMentions(RunProblem("t.fail::Silent"), "ATH-2301");
  ExpectMentions(RunProblem("t.fail::Silent"), "its run failed with status 77");

  const Callback throws = [](const ath_host*, ath_node*, void*) -> ath_status {
    throw std::runtime_error("thrown");
  };
  ASSERT_EQ(Problem(Add(Op("t.fail::Throws", nullptr, throws))), "");
  ExpectMentions(RunProblem("t.fail::Throws"), "its run threw an exception: thrown");

  // A status that is not looked at is not lost.
  const Callback careless = [](const ath_host* host, ath_node* node, void*) -> ath_status {
    host->fail(node, ATH_DATA_ERROR, "first");
    host->fail(node, ATH_DATA_ERROR, "second");
    return 0;
  };
  ASSERT_EQ(Problem(Add(Op("t.fail::Careless", nullptr, careless))), "");
  ExpectMentions(RunProblem("t.fail::Careless"), "first");
}

struct Lie {
  const char* name;
  const char* problem;
  Callback infer;
};

TEST(Plugin, AnInferThatMakesNoSenseIsRefused) {
  const Lie lies[] = {
      {"t.lie::Nothing", "its infer says nothing of output 0",
       [](const ath_host*, ath_node*, void*) -> ath_status { return 0; }},
      {"t.lie::Index", "output 1, of which there are 1",
       [](const ath_host* host, ath_node* node, void*) {
         return host->set_output(node, 1, ATH_F32, 0, nullptr);
       }},
      {"t.lie::Type", "element type 99",
       [](const ath_host* host, ath_node* node, void*) {
         return host->set_output(node, 0, 99, 0, nullptr);
       }},
      {"t.lie::Rank", "rank 1000",
       [](const ath_host* host, ath_node* node, void*) {
         const std::int64_t dims[1] = {1};
         return host->set_output(node, 0, ATH_F32, 1000, dims);
       }},
      {"t.lie::Dims", "no dims",
       [](const ath_host* host, ath_node* node, void*) {
         return host->set_output(node, 0, ATH_F32, 2, nullptr);
       }},
      {"t.lie::Large", "too large",
       [](const ath_host* host, ath_node* node, void*) {
         const std::int64_t dims[] = {INT64_MAX / 2, 16};
         return host->set_output(node, 0, ATH_F32, 2, dims);
       }},
      {"t.lie::Size", "size -7 along axis 0, which no input has",
       [](const ath_host* host, ath_node* node, void*) {
         const std::int64_t dims[] = {-7};
         return host->set_output(node, 0, ATH_F32, 1, dims);
       }},
      {"t.lie::Wrong", "which is not for this callback",
       [](const ath_host* host, ath_node* node, void*) -> ath_status {
         host->output(node, 0, nullptr);
         return 0;
       }},
      {"t.lie::Struct", "struct_size is 4",
       [](const ath_host* host, ath_node* node, void*) {
         ath_tensor x = {4, 0, 0, nullptr, nullptr};
         return host->input(node, 0, &x);
       }},
  };
  for (const Lie& lie : lies) {
    ASSERT_EQ(Problem(Add(Op(lie.name, lie.infer, RunAdd))), "");
    ExpectMentions(Problem(OneNode(lie.name).status()), lie.problem);
  }
}

TEST(Plugin, ARunThatWritesTooFarIsFoundOut) {
  const Callback overrun = [](const ath_host* host, ath_node* node, void*) -> ath_status {
    auto* y = static_cast<float*>(host->output(node, 0, nullptr));
    for (std::int64_t i = 0; i <= CountOf(In(host, node, 0)); ++i) y[i] = 0;
    return 0;
  };
  ASSERT_EQ(Problem(Add(Op("t.over::Run", nullptr, overrun))), "");
  const std::string problem = RunProblem("t.over::Run");
  ExpectMentions(problem, "ATH-2301");
  ExpectMentions(problem, "its run wrote beyond the end of output 0, which has 16 bytes");
}

TEST(Plugin, OutputsThatRunMakesAreThoseThatInferPromised) {
  const Callback infer = [](const ath_host* host, ath_node* node, void*) {
    const std::int64_t unknown[] = {-1};
    return host->set_output(node, 0, ATH_F32, 1, unknown);
  };
  const Callback none = [](const ath_host*, ath_node*, void*) -> ath_status { return 0; };
  const Callback other = [](const ath_host* host, ath_node* node, void*) {
    const std::int64_t dims[] = {3};
    return host->set_output(node, 0, ATH_F64, 1, dims);
  };
  const Callback early = [](const ath_host* host, ath_node* node, void*) -> ath_status {
    host->output(node, 0, nullptr);
    return 0;
  };
  const Callback negative = [](const ath_host* host, ath_node* node, void*) {
    const std::int64_t dims[] = {-2};
    return host->set_output(node, 0, ATH_F32, 1, dims);
  };
  const std::tuple<const char*, Callback, const char*> cases[] = {
      {"t.made::None", none, "its run makes no output 0"},
      {"t.made::Other", other, "output 0 is f64[3]; before, its infer said f32[?]"},
      {"t.made::Early", early, "writes output 0 before set_output makes it"},
      {"t.made::Negative", negative, "negative or too large"}};
  for (const auto& [name, run, problem] : cases) {
    ASSERT_EQ(Problem(Add(Op(name, infer, run, ATH_DATA_DEPENDENT))), "");
    ExpectMentions(RunProblem(name), problem);
  }
}

TEST(Plugin, AnInferThatChangesItsMindIsFoundOut) {
  static std::int32_t dtype = ATH_F32;
  const Callback infer = [](const ath_host* host, ath_node* node, void*) {
    const ath_tensor x = In(host, node, 0);
    return host->set_output(node, 0, dtype, x.rank, x.dims);
  };
  const Callback run = [](const ath_host*, ath_node*, void*) -> ath_status { return 0; };
  ASSERT_EQ(Problem(Add(Op("t.mind::Op", infer, run))), "");
  const auto session = *Session::Create(*OneNode("t.mind::Op"), {.device = "reference"});
  dtype = ATH_F64;
  ExpectMentions(Problem(session->Run({Tensor::FromVector<float>({1, 2}, {1, 2})}).status()),
                 "output 0 is f64[1, 2]; before, its infer said f32[N, 2]");
}

TEST(Plugin, TablesThatMakeNoSenseAreRefused) {
  const ath_op good = Op("t.table::Good", nullptr, RunAdd);
  const auto with = [&](auto change) {
    ath_op op = good;
    change(op);
    return Problem(Add(op));
  };
  ExpectMentions(with([](ath_op& op) { op.name = "Roll"; }), "DOMAIN::NAME is expected");
  ExpectMentions(with([](ath_op& op) { op.name = "my::"; }), "DOMAIN::NAME is expected");
  ExpectMentions(with([](ath_op& op) { op.name = "my::Ro ll"; }), "DOMAIN::NAME is expected");
  ExpectMentions(with([](ath_op& op) { op.name = nullptr; }), "DOMAIN::NAME is expected");
  ExpectMentions(with([](ath_op& op) { op.name = "ai.onnx::Relu"; }), "this domain is taken");
  ExpectMentions(with([](ath_op& op) { op.name = "com.microsoft::FusedConv"; }),
                 "there is such an operator already, a built-in one");
  ExpectMentions(with([](ath_op& op) { op.run = nullptr; }),
                 "operator t.table::Good: it has no run");
  ExpectMentions(with([](ath_op& op) { op.num_outputs = 0; }), "it has no outputs");
  ExpectMentions(with([](ath_op& op) { op.num_inputs = 0; }), "it has no infer, and no input 0");
  ExpectMentions(with([](ath_op& op) { op.num_inputs = -1; }), "a list has -1 entries");
  ExpectMentions(with([](ath_op& op) { op.attributes = nullptr, op.num_attributes = 2; }),
                 "and is NULL");
  ExpectMentions(with([](ath_op& op) { op.flags = 1U << 20; }), "its flags are");
  ExpectMentions(with([](ath_op& op) { op.struct_size = 8; }), "struct_size is 8");

  ath_plugin table = Table(&good);
  table.abi = ATH_PLUGIN_ABI + 1;
  ExpectMentions(Problem(AddPlugin(table)), "it was made for version 2");
  table = Table(&good);
  table.flags = 16;
  ExpectMentions(Problem(AddPlugin(table)), "its flags are 0x10");
  table = Table(&good);
  table.struct_size = 12;
  ExpectMentions(Problem(AddPlugin(table)), "struct_size is 12");
}

TEST(Plugin, ATableIsTakenWholeOrNotAtAll) {
  const ath_op ops[] = {Op("t.whole::First", nullptr, RunAdd),
                        Op("t.whole::Second", nullptr, nullptr)};
  ath_plugin table = Table(ops);
  table.num_ops = 2;
  ExpectMentions(Problem(AddPlugin(table)), "operator t.whole::Second");
  EXPECT_EQ(ops::Standard().Find("t.whole::First"), nullptr);
  const ath_op twice[] = {ops[0], ops[0]};
  table.ops = twice;
  ExpectMentions(Problem(AddPlugin(table)), "it stands twice in the table");
}

TEST(Plugin, ANameIsTakenOnceUnlessItIsReplaced) {
  const ath_op op = Op("t.once::Op", nullptr, RunAdd);
  ASSERT_EQ(Problem(Add(op)), "");
  Graph before = *OneNode("t.once::Op");
  ExpectMentions(Problem(Add(op)), "another plug-in has brought such an operator already");
  const ath_op other = Op("t.once::Op", nullptr, [](const ath_host* host, ath_node* node, void*) {
    return host->fail(node, ATH_DATA_ERROR, "the other one");
  });
  ath_plugin table = Table(&other);
  table.flags = ATH_REPLACE;
  ASSERT_EQ(Problem(AddPlugin(table)), "");
  // What was loaded before stays as it was.
  EXPECT_EQ(*RunOn(std::move(before), "cpu", {1, 2}), (Floats{2, 3}));
  ExpectMentions(RunProblem("t.once::Op"), "the other one");
}

TEST(Plugin, WhoeverLacksAnOperatorIsToldOfPlugins) {
  const std::string problem = Problem(OneNode("acme::Warp").status());
  ExpectMentions(problem, "ATH-2003");
  ExpectMentions(problem, "there is no operator \"acme::Warp\"");
  ExpectMentions(problem, "--plugin FILE.so");
}

// x * 2 + 1, from nodes of the graph.
ath_status ConvertTwicePlusOne(const ath_host* host, ath_node* node, void*) {
  const float numbers[] = {2, 1};
  ath_value value = host->value(node, 0);
  for (const auto& [op, number] : {std::pair("Mul", &numbers[0]), std::pair("Add", &numbers[1])}) {
    const ath_tensor scalar = {sizeof(ath_tensor), ATH_F32, 0, nullptr, number};
    host->begin(node, op);
    host->add_input(node, value);
    host->add_input(node, host->constant(node, &scalar));
    host->end(node, &value, 1);
  }
  return host->give(node, 0, value);
}

// An ONNX file with a node of `op`, made while an operator of that name is known.
std::vector<std::uint8_t> ForeignOnnx(const char* op) {
  EXPECT_EQ(Problem(Add(Op(op, nullptr, RunAdd))), "");
  return *onnx::ExportOnnx(*OneNode(op));
}

TEST(Plugin, AConverterRewritesANodeOfAnOnnxFile) {
  std::vector<std::uint8_t> bytes = ForeignOnnx("t.conv::Made");
  // The domain in the file becomes one that no operator has.
  for (std::size_t i = 0; i + 6 <= bytes.size(); ++i) {
    if (std::memcmp(&bytes[i], "t.conv", 6) == 0) std::memcpy(&bytes[i], "t.file", 6);
  }
  const auto file = std::make_shared<const std::vector<std::uint8_t>>(bytes);
  const std::string unknown = Problem(onnx::Import(*file, file, {}).status());
  ExpectMentions(unknown, "there is no operator t.file.Made");
  ExpectMentions(unknown,
                 "--plugin FILE.so, of a plug-in with the operator t.file::Made or a "
                 "converter of onnx t.file::Made");
  ASSERT_EQ(Problem(AddConverter("onnx", "t.file::Made", ConvertTwicePlusOne)), "");
  const Result<Graph> graph = onnx::Import(*file, file, {});
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(*RunOn(graph->Clone(), "cpu", {1, 2}), (Floats{3, 5}));
  ExpectMentions(PrintText(*graph), "Mul(");
}

TEST(Plugin, AConverterThatMakesNoSenseIsRefused) {
  const std::pair<Callback, const char*> cases[] = {
      {[](const ath_host*, ath_node*, void*) -> ath_status { return 0; }, "gives no output 0"},
      {[](const ath_host* host, ath_node* node, void*) { return host->give(node, 0, 12345); },
       "value 12345, which is no input"},
      {[](const ath_host* host, ath_node* node, void*) {
         return host->give(node, 3, host->value(node, 0));
       },
       "output 3, of which there are 1"},
      {[](const ath_host* host, ath_node* node, void*) {
         host->begin(node, "Relu");
         return host->give(node, 0, host->value(node, 0));
       },
       "begins a node Relu and does not end it"},
      {[](const ath_host* host, ath_node* node, void*) {
         ath_value y = ATH_NO_VALUE;
         host->begin(node, "Rellu");
         host->add_input(node, host->value(node, 0));
         host->end(node, &y, 1);
         return host->give(node, 0, y);
       },
       "did you mean \"Relu\""},
      {[](const ath_host* host, ath_node* node, void*) {
         return host->add_input(node, host->value(node, 0));
       },
       "add_input, which is not for this callback"},
  };
  int number = 0;
  for (const auto& [convert, problem] : cases) {
    const std::string op = "Bad" + std::to_string(number++);
    ASSERT_EQ(Problem(AddConverter("caffe", op.c_str(), convert)), "");
    const auto path = std::filesystem::temp_directory_path() / "athanor_plugin_test.prototxt";
    std::ofstream(path) << "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { "
                           "dim: 1 dim: 2 } } }\nlayer { name: \"bad\" type: \""
                        << op << "\" bottom: \"x\" top: \"y\" }\n";
    const std::string text = Problem(OpenModel(path.string(), {.weights = "random"}).status());
    std::filesystem::remove(path);
    ExpectMentions(text, problem);
    ExpectMentions(text, "line 2, layer \"bad\" (" + op + ")");
  }
}

TEST(Plugin, ConvertersAreForWhatIsNotRead) {
  ExpectMentions(Problem(AddConverter("onnx", "ai.onnx::Relu", ConvertTwicePlusOne)),
                 "is read already");
  ExpectMentions(Problem(AddConverter("caffe", "ReLU", ConvertTwicePlusOne)), "is read already");
  ExpectMentions(Problem(AddConverter("tflite", "ADD", ConvertTwicePlusOne)), "is read already");
  ExpectMentions(Problem(AddConverter("cafe", "Roll", ConvertTwicePlusOne)),
                 "did you mean \"caffe\"");
  ExpectMentions(Problem(AddConverter("caffe", "", ConvertTwicePlusOne)), "names no operator");
  ExpectMentions(Problem(AddConverter("caffe", "NoCode", nullptr)), "it has no convert");
}

TEST(Plugin, ALibraryIsLoadedOnceAndThenRuns) {
  ASSERT_EQ(Problem(LoadPlugin(ATHANOR_EXAMPLE_PLUGIN)), "");
  ASSERT_EQ(Problem(LoadPlugin(ATHANOR_EXAMPLE_PLUGIN)), "");
  const Result<Graph> graph = OpenModel("examples/plugin/roll.txt");
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto session = *Session::Create(graph->Clone(), {});
  const auto outputs = session->Run({Tensor::FromVector<float>({1, 4}, {2, 4, 6, 8})});
  const auto y = (*outputs)[0].tensor().Data<float>();
  EXPECT_EQ(Floats(y.begin(), y.end()), (Floats{4, 1, 2, 3}));

  const Result<Graph> caffe = OpenModel("examples/plugin/roll.prototxt", {.weights = "random"});
  ASSERT_TRUE(caffe.ok()) << caffe.status().ToString();
  ExpectMentions(PrintText(*caffe), "my::Roll(%x) {shift = 2}");
}

TEST(Plugin, WhatIsNoPluginIsRefused) {
  ExpectMentions(Problem(LoadPlugin("no-such-plugin.so")), "ATH-1004");
  ExpectMentions(Problem(LoadPlugin("CMakeLists.txt")), "cannot be loaded as a shared library");
  ExpectMentions(Problem(LoadPlugin(ATHANOR_NO_PLUGIN)), "it exports no ath_plugin_entry");
  ExpectMentions(Problem(LoadPlugin(ATHANOR_OLD_PLUGIN)),
                 "it cannot serve version 1 of the interface");
}

}  // namespace
}  // namespace athanor
