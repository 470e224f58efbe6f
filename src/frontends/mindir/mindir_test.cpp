#include <algorithm>
#include <fstream>
#include <sstream>

#include "frontends/answer_for_test.h"
#include "frontends/mindir/files_for_test.h"
#include "frontends/mindir/import.h"
#include "frontends/mindir/op_import.h"

namespace athanor::mindir {
namespace {

Result<Graph> Read(const ModelProto& m) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(BytesOf(m));
  return Import(*bytes, bytes);
}

// x = (1, 2, 3): x w' + b = (7.5, 0)
TEST(MindirImport, ASmallNetworkGivesWhatItsFormulaGives) {
  EXPECT_EQ(Answer(Read(SmallModel()), {1, 3}, {1, 2, 3}), (std::vector<float>{7.5F, 0}));
  EXPECT_TRUE(IsMindir(BytesOf(SmallModel())));
}

struct Mistake {
  const char* expected;
  void (*make)(ModelProto& m);
};

TEST(MindirImport, SaysWhatIsWrong) {
  const Mistake mistakes[] = {
      {"operator \"ReLUU\" is not read (1 use) (did you mean \"ReLU\"?)",
       [](ModelProto& m) { m.graph.node[1].op_type = "ReLUU"; }},
      {"node \"net:y\" (ReLU): it reads \"q\", which nothing before it makes",
       [](ModelProto& m) { m.graph.node[1].input = {"net:q"}; }},
      {"parameter \"w\": f32 of shape [2, 4] has 24 bytes of data",
       [](ModelProto& m) {
         m.graph.parameter[0].dims = {2, 4};
       }},
      {"networks with functions (control flow) are not read",
       [](ModelProto& m) { m.functions.emplace_back(); }},
  };
  for (const Mistake& mistake : mistakes) {
    ModelProto m = SmallModel();
    mistake.make(m);
    const auto graph = Read(m);
    ASSERT_FALSE(graph.ok()) << mistake.expected;
    EXPECT_NE(graph.status().ToString().find(mistake.expected), std::string::npos)
        << graph.status().ToString();
  }
}

TEST(Mindir, TheDocumentListsEveryName) {
  std::stringstream file;
  file << std::ifstream("docs/formats/mindir.md").rdbuf();
  const std::string text = file.str();
  const std::size_t begin = text.find("## Operators");
  ASSERT_NE(begin, std::string::npos);
  const std::string list = text.substr(begin);
  const std::vector<std::string> names = Names();
  EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * std::ssize(names));
  for (const std::string& name : names)
    EXPECT_NE(list.find("`" + name + "`"), std::string::npos) << name;
}

}  // namespace
}  // namespace athanor::mindir
