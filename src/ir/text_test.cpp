#include "ir/text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace athanor {
namespace {

Status SameAsFirst(InferCtx& ctx) {
  for (Type& type : ctx.out) type = ctx.In(0);
  return {};
}

Status Anything(InferCtx& ctx) {
  for (Type& type : ctx.out) type = Type::TensorOfUnknownRank(DType::kF32);
  return {};
}

Status BodyType(InferCtx& ctx) {
  const Graph& body = *ctx.bodies()[0];
  ctx.out[0] = body.value(body.outputs()[0].value).type;
  return {};
}

struct AllKinds {
  std::int64_t number = 0;
  float factor = 1;
  std::string text;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> numbers;
  std::vector<float> factors;
  std::vector<std::string> texts;
  std::optional<Tensor> tensor;
  std::optional<Type> type;
  template <class V>
  void Visit(V& v) {
    v("number", number, ""), v("factor", factor, ""), v("text", text, ""), v("dtype", dtype, "");
    v("numbers", numbers, ""), v("factors", factors, ""), v("texts", texts, "");
    v("tensor", tensor, ""), v("type", type, "");
  }
};

const Catalog& TestCatalog() {
  static const Catalog catalog({
      {.name = "Copy", .inputs = {{"x", ""}}, .outputs = {{"y", ""}}, .infer = SameAsFirst},
      {.name = "Mystery",
       .inputs = {{"x", "", kOptionalPort},
                  {"y", "", kOptionalPort},
                  {"z", "", kOptionalPort},
                  {"more", "", kVariadicPort, 0}},
       .outputs = {{"a", ""}, {"b", "", kOptionalPort}, {"c", "", kOptionalPort}},
       .attributes = Describe<AllKinds>(),
       .traits = kPure | kAnyKind,
       .infer = Anything},
      {.name = "Choose",
       .inputs = {{"condition", ""}},
       .outputs = {{"y", ""}},
       .bodies = {"then_branch", "else_branch"},
       .infer = BodyType},
  });
  return catalog;
}

std::string RoundTrip(std::string_view text, const TextOptions& options = {}) {
  const Result<Graph> graph = ParseText(text, TestCatalog());
  return graph.ok() ? PrintText(*graph, options) : graph.status().ToString();
}

void ExpectUnchanged(std::string_view text) { EXPECT_EQ(RoundTrip(text), text); }

std::string ErrorOf(std::string_view text) {
  const Result<Graph> graph = ParseText(text, TestCatalog());
  return graph.ok() ? "no error" : graph.status().ToString();
}

TEST(Text, ASmallGraphReadsAsItPrints) {
  ExpectUnchanged(R"(graph main(x: f32[N, 2*H + 1, ?], k: i64[]) -> (y: f32[N, 2*H + 1, ?]) {
  %a: f32[N, 2*H + 1, ?] = Copy(%x) @first
  %y: f32[N, 2*H + 1, ?] = Copy(%a)
}
)");
}

TEST(Text, NodeTypesMayBeLeftOut) {
  EXPECT_EQ(RoundTrip("graph g(x: f32[2]) -> (y) { %y = Copy(%x) }"),
            "graph g(x: f32[2]) -> (y: f32[2]) {\n  %y: f32[2] = Copy(%x)\n}\n");
}

TEST(Text, AWrittenTypeRefinesWhatInferenceLeavesOpen) {
  ExpectUnchanged(R"(graph g(x: f32[2]) -> (y: f32[2, N]) {
  %y: f32[2, N] = Mystery(%x)
}
)");
}

TEST(Text, AWrittenTypeThatContradictsInferenceIsRefused) {
  EXPECT_EQ(ErrorOf("graph g(x: f32[2]) -> (y) {\n  %y: f32[3] = Copy(%x)\n}"),
            "error ATH-2001 [import] line 2, column 3: the type is written f32[3] but is f32[2]");
}

TEST(Text, EveryKindOfAttributeRoundTrips) {
  ExpectUnchanged(
      R"(graph g(x: f32[2]) -> (y: f32[...]) {
  %y: f32[...] = Mystery(%x) {dtype = i4, factor = 0.1, factors = [1, -0, 1e-45, inf, nan], number = -9223372036854775808, numbers = [1, 2], tensor = i8[2] [-128, 127], text = "a\"\\\x0a", texts = ["", "b"], type = seq(optional(f16[N]))}
}
)");
}

TEST(Text, ConstantsOfEveryElementTypeRoundTrip) {
  ExpectUnchanged(R"(graph g() -> (y: f32[...]) {
  const %a: f32[2, 2] = [1, -0.5, 3.4028235e+38, nan]
  const %b: f64[] = 0.1
  const %c: f16[3] = [65504, 5.9604645e-08, -inf]
  const %d: bf16[1] = [0.100097656]
  const %e: f8e4m3[2] = [448, 0.001953125]
  const %f: i64[2] = [-9223372036854775808, 9223372036854775807]
  const %g: u64[1] = [18446744073709551615]
  const %h: i4[3] = [-8, 0, 7]
  const %i: u2[2] = [0, 3]
  const %j: bool[2] = [true, false]
  const %k: string[2] = ["a b", "\xff"]
  const %l: i32[0, 3] = []
  const %m: f32[100] = fill(0.25)
  const %n: c64[1] = base64"AACAPwAAAEA="
  const %o: u4[17] = base64"EBAQEBAQEBAB"
  %y: f32[...] = Mystery(%a, %b, %c, %d, %e, %f, %g, %h, %i, %j, %k, %l, %m, %n, %o)
}
)");
}

TEST(Text, NaNsKeepTheirBits) {
  Graph graph(TestCatalog());
  const Tensor odd = Tensor::FromVector<float>({1}, {std::bit_cast<float>(0xFFC12345U)});
  graph.AddOutput("y", graph.AddConstant(odd, "y"));
  const Result<Graph> again = ParseText(PrintText(graph), TestCatalog());
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_TRUE(again->Constant(again->outputs()[0].value)->SameAs(odd));
}

TEST(Text, RandomConstantsFollowTheDocumentedFormula) {
  const Result<Graph> graph =
      ParseText("graph g() -> (x) { const %x: f32[2] = random(0) }", TestCatalog());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto values = graph->Constant(graph->outputs()[0].value)->Data<float>();
  // splitmix64(0) starts e220a8397b1dcdaf, 6e789e6aa1b965f4 (the published test vector).
  EXPECT_EQ(values[0], static_cast<float>(0xe220a8) / 8388608.0F - 1.0F);
  EXPECT_EQ(values[1], static_cast<float>(0x6e789e) / 8388608.0F - 1.0F);
}

TEST(Text, NamesOfAnyKindRoundTrip) {
  Graph graph(TestCatalog(), "a graph");
  const ValueId x = graph.AddInput("in:0", Type::Tensor(DType::kF32, {Dim::Symbol("batch-size")}));
  const ValueId same = *graph.Add("Copy", {x});
  const ValueId twin = *graph.Add("Copy", {same}, {}, "_");
  graph.SetName(twin, "in:0");
  const ValueId unnamed = *graph.Add("Copy", {twin});
  graph.AddOutput("_", unnamed);
  graph.AddOutput("in:0", twin);
  const std::string text = PrintText(graph);
  EXPECT_EQ(
      text,
      R"(graph "a graph"("in:0": f32["batch-size"]) -> ("_" = %#2: f32["batch-size"], "in:0" = %"in:0"#2: f32["batch-size"]) {
  %#1: f32["batch-size"] = Copy(%"in:0")
  %"in:0"#2: f32["batch-size"] = Copy(%#1) @"_"
  %#2: f32["batch-size"] = Copy(%"in:0"#2)
}
)");
  ExpectUnchanged(text);
}

TEST(Text, SubGraphsAndTheirCapturesRoundTrip) {
  ExpectUnchanged(R"(graph main(c: bool[], x: f32[2]) -> (y: f32[2]) {
  %y: f32[2] = Choose(%c; %x) @if
    then_branch = graph then_branch(x: f32[2]) -> (r: f32[2]) {
      const %z: f32[2] = [1, 2]
      %q: f32[2] = Copy(%z)
      %r: f32[2] = Copy(%q)
    }
    else_branch = graph other(x: f32[2]) -> (x: f32[2]) {
    }
}
)");
}

TEST(Text, OmittedInputsAndOutputsRoundTrip) {
  ExpectUnchanged(
      R"(graph g(x: f32[2], s: seq(i64[...]), o: optional(f32[2])) -> (a: f32[...], c: f32[...]) {
  %a: f32[...], _, %c: f32[...] = Mystery(%x, _, %s, %o)
}
)");
}

TEST(Text, LargeConstantsAreElidedForPeopleAndSaySoWhenRead) {
  const std::string text = RoundTrip("graph g() -> (x) { const %x: f32[64] = random(1) }",
                                     {.constants = ConstantText::kElide});
  EXPECT_NE(text.find("const %x: f32[64] = elided(\""), std::string::npos) << text;
  EXPECT_NE(ErrorOf(text).find("print the graph with all constants"), std::string::npos);
}

TEST(Text, MistakesNameTheirPlaceAndWhatIsExpected) {
  EXPECT_EQ(ErrorOf("graph g(x: f32[2]) -> (y) {\n  %y = Copi(%x)\n}"),
            "error ATH-2003 [import] line 2, column 8: there is no operator \"Copi\" (did you mean "
            "\"Copy\"?)");
  EXPECT_EQ(ErrorOf("graph g(xx: f32[2]) -> (y) {\n  %y = Copy(%xy)\n}"),
            "error ATH-2001 [import] line 2, column 16: %xy is not defined above (did you mean "
            "\"xx\"?)");
  EXPECT_EQ(ErrorOf("graph g(x: f23[2]) -> (y) {}"),
            "error ATH-2001 [import] line 1, column 12: \"f23\" is not an element type; f32, i64, "
            "bool, string, ... are");
  EXPECT_EQ(ErrorOf("graph g() -> (y) { const %y: f32[2] = [1] }"),
            "error ATH-2001 [import] line 1, column 42: 1 elements are written for a shape of [2]");
  EXPECT_EQ(ErrorOf("graph g() -> (y) {"),
            "error ATH-2001 [import] line 1, column 19: \"%\" is expected; the text ends");
}

// The body's input had no type to take over, and inference followed a handle to nowhere.
TEST(Text, ACapturedValueCannotBeOmitted) {
  const std::string body = "graph b(x: f32[2]) -> (x: f32[2]) {}";
  EXPECT_NE(ErrorOf("graph g(c: bool[], x: f32[2]) -> (y) {\n  %y = Choose(%c; _)\n" +
                    ("then_branch = " + body) + " else_branch = " + body + "}")
                .find("line 2, column 8: Choose: captured value 0 is omitted"),
            std::string::npos);
}

TEST(Text, AFewCharactersDoNotClaimAllMemory) {
  EXPECT_NE(ErrorOf("graph g() -> (y) { const %y: f32[9000000000] = fill(0) }").find("generated"),
            std::string::npos);
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "graph g() -> () { %y = Choose() then_branch = ";
  EXPECT_NE(ErrorOf(deep).find("nested more than"), std::string::npos);
}

}  // namespace
}  // namespace athanor
