// Broken files of the tabular formats.
#include "corpus.h"
#include "frontends/catboost/files_for_test.h"
#include "frontends/load.h"
#include "frontends/pmml/small_documents_for_test.h"
#include "frontends/tabular/small_files_for_test.h"

namespace athanor::broken {
namespace {

std::vector<std::uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

template <const char* kFormat>
Status Read(const std::string& path) {
  Result<Graph> graph = LoadModel(path, {.format = kFormat});
  return std::move(graph).status();
}

Family Make(std::string name, Status (*read)(const std::string&),
            const std::vector<std::string>& good, const std::vector<std::string>& mistakes) {
  Family family = {std::move(name), {}, {}, read};
  for (std::size_t i = 0; i < good.size(); ++i)
    family.good.push_back({fmt::format("good_{}", i), Bytes(good[i])});
  for (const File& file : family.good) {
    for (File& bad : Damage(file)) family.bad.push_back(std::move(bad));
  }
  for (std::size_t i = 0; i < mistakes.size(); ++i)
    family.bad.push_back({fmt::format("mistake_{}", i), Bytes(mistakes[i]), true});
  family.bad.push_back({"empty", {}, true});
  return family;
}

std::string With(std::string text, std::string_view from, std::string_view to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

std::string Repeated(std::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

// `part` `times` times, with commas between.
std::string Listed(std::string_view part, int times) {
  return std::string(part) + Repeated("," + std::string(part), times - 1);
}

// A tree that is one path of `nodes` splits, each with the same `categories`.
std::string SharedXgboostCategories(const std::string& good, int nodes, int categories) {
  std::string left, right, at;
  for (int i = 0; i < nodes; ++i) {
    left += fmt::format("{},", nodes + i);
    right += fmt::format("{},", i + 1 < nodes ? i + 1 : 2 * nodes);
    at += fmt::format("{}{}", i > 0 ? "," : "", i);
  }
  const std::string leaves = Listed("-1", nodes + 1), zeros = Listed("0", 2 * nodes + 1);
  std::string file = With(good, "\"left_children\":[1,-1,3,-1,-1]",
                          fmt::format("\"left_children\":[{}{}]", left, leaves));
  file = With(file, "\"right_children\":[2,-1,4,-1,-1]",
              fmt::format("\"right_children\":[{}{}]", right, leaves));
  file = With(file, "\"split_indices\":[0,0,1,0,0]", fmt::format("\"split_indices\":[{}]", zeros));
  file = With(file, "\"split_conditions\":[10,1.5,0,-2,4]",
              fmt::format("\"split_conditions\":[{}]", zeros));
  file = With(file, "\"default_left\":[0,0,1,0,0]", fmt::format("\"default_left\":[{}]", zeros));
  file = With(file, "\"split_type\":[0,0,1,0,0]",
              fmt::format("\"split_type\":[{},{}]", Listed("1", nodes), Listed("0", nodes + 1)));
  file = With(file, "\"categories\":[0,2]",
              fmt::format("\"categories\":[{}]", Listed("1", categories)));
  file = With(file, "\"categories_nodes\":[2]", fmt::format("\"categories_nodes\":[{}]", at));
  file = With(file, "\"categories_segments\":[0]",
              fmt::format("\"categories_segments\":[{}]", Listed("0", nodes)));
  return With(
      file, "\"categories_sizes\":[2]",
      fmt::format("\"categories_sizes\":[{}]", Listed(fmt::format("{}", categories), nodes)));
}

// The same for LightGBM: every split asks the same set of `words` words.
std::string SharedLightgbmCategories(const std::string& good, int nodes, int words) {
  std::string left, right;
  for (int i = 0; i < nodes; ++i) {
    left += fmt::format("{} ", -1 - i);
    right += fmt::format("{} ", i + 1 < nodes ? i + 1 : -1 - nodes);
  }
  std::string file = With(good, "num_leaves=3", fmt::format("num_leaves={}", nodes + 1));
  file = With(file, "split_feature=0 1", "split_feature=" + Repeated("1 ", nodes));
  file = With(file, "threshold=2.5 0", "threshold=" + Repeated("0 ", nodes));
  file = With(file, "decision_type=10 1", "decision_type=" + Repeated("1 ", nodes));
  file = With(file, "left_child=-1 -2", "left_child=" + left);
  file = With(file, "right_child=1 -3", "right_child=" + right);
  file = With(file, "leaf_value=0.5 -1 2", "leaf_value=" + Repeated("1 ", nodes + 1));
  file = With(file, "cat_boundaries=0 1", fmt::format("cat_boundaries=0 {}", words));
  return With(file, "cat_threshold=5", "cat_threshold=" + Repeated("4294967295 ", words));
}

// `count` classes, and as many leaves, each with a probability for every class.
std::string ManyClassesAndLeaves(const std::string& good, int count) {
  std::string classes = R"(<Value value="yes"/>)";
  for (int i = 0; i < count; ++i) classes += fmt::format(R"(<Value value="{}"/>)", i);
  return With(With(good, R"(<Value value="yes"/>)", classes), "</Node></TreeModel>",
              Repeated(R"(<Node score="no"><True/></Node>)", count) + "</Node></TreeModel>");
}

constexpr char kCatboost[] = "catboost";
constexpr char kXgboost[] = "xgboost";
constexpr char kLightgbm[] = "lightgbm";
constexpr char kPmml[] = "pmml";
constexpr std::string_view kRight = "[2,-1,4,-1,-1]";

}  // namespace

Family CatboostFamily() {
  using catboost::BinaryFile;
  using catboost::BinaryParts;
  using catboost::JsonFile;
  const std::string json = JsonFile(), binary = BinaryFile(),
                    nodes = JsonFile(catboost::kNodeTrees);
  std::vector<std::string> mistakes = {
      With(json, "\"split_index\":2", "\"split_index\":3"),
      With(json, "\"split_index\":2", "\"split_index\":-1"),
      With(json, "\"leaf_values\":[1,2,3,4]", "\"leaf_values\":[1,2,3]"),
      With(json, "\"leaf_values\":[1,2,3,4]", "\"leaf_values\":[1,2,3,4,5,6,7,8]"),
      With(json, "\"leaf_values\":[1,2,3,4]", "\"leaf_values\":[]"),
      With(json, "[2,[0.5]]", "[2,[0.5,1]]"),
      With(json, "[2,[0.5]]", "[2]"),
      With(json, "\"feature_id\":\"town\"", "\"feature_id\":\"colour\""),
      With(json, "\"feature_index\":1,\"flat", "\"feature_index\":0,\"flat"),
      With(json, "\"hash_stride\":3", "\"hash_stride\":0"),
      With(json, "\"hash_stride\":3", "\"hash_stride\":2"),
      With(json, "\"hash_stride\":3", "\"hash_stride\":99999999999"),
      With(json, std::to_string(catboost::kTownAAbove), "18446744073709551616"),
      With(json, "\"ctr_type\":\"Borders\"", "\"ctr_type\":\"Buckets\""),
      With(json, "\"ctr_type\":\"Borders\"", "\"ctr_type\":\"Unheard\""),
      With(json, "\"target_border_idx\":0", "\"target_border_idx\":1"),
      With(json, "\"target_border_idx\":0", "\"target_border_idx\":-1"),
      With(json, "\"ctr_data\":{\"{", "\"ctr_data\":{\"["),
      With(json, "\"ctr_data\"", "\"ctr_dada\""),
      With(json, "\"values\":[-1242798403]", "\"values\":[1e12]"),
      With(json, "\"features_info\"", "\"features_inf\""),
      With(json, "\"float_features\"", "\"text_features\""),
      With(nodes, "{\"value\":4}", "{}"),
      With(nodes, "{\"value\":4}", "{\"value\":[4,5]}"),
      JsonFile("\"trees\":[" + Repeated("{\"split\":{},\"right\":", 1000) + "1" +
               Repeated("}", 1000) + "]"),
      JsonFile(catboost::kLevelTrees, "Logloss", ",\"binclass_probability_threshold\":\"many\""),
      "{\"ctr_data\":" + Repeated("[", 1'000'000),
      "CBM1",
      binary.substr(0, 100),
      binary.substr(0, binary.size() - 30),
      "CBM1\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF" + binary.substr(8),
  };
  const auto add = [&](auto change, BinaryParts parts = {}) {
    change(parts);
    mistakes.push_back(BinaryFile(parts));
  };
  add([](BinaryParts& p) { p.sizes = {2, -1}; });
  add([](BinaryParts& p) { p.starts = {0, 1}; });
  add([](BinaryParts& p) { p.dimension = 0; });
  add([](BinaryParts& p) { p.dimension = 0x7FFFFFFF; });
  add([](BinaryParts& p) { p.splits = {0, 1, 99}; });
  add([](BinaryParts& p) { p.biases = {1, 2, 3}; });
  add([](BinaryParts& p) { p.format = "FlabuffersModel_v9"; });
  add([](BinaryParts& p) { p.part = "unheard"; });
  add([](BinaryParts& p) { p.target_border = 9; });
  add([](BinaryParts& p) { p.classes = 0; });
  add([](BinaryParts& p) { p.classes = -5; });
  add([](BinaryParts& p) { p.entry = 0x7FFFFFFF; });
  add([](BinaryParts& p) { p.category = 12; });
  add([](BinaryParts& p) { p.statistic = 17; });
  add([](BinaryParts& p) { p.params = "{\"loss_function\":"; });
  add([](BinaryParts& p) { p.leaf_of_node[5] = 6; }, catboost::NodeParts());
  add([](BinaryParts& p) { p.steps[1] = {2, 9}; }, catboost::NodeParts());
  add([](BinaryParts& p) { p.leaf_of_node.pop_back(); }, catboost::NodeParts());
  return Make(kCatboost, Read<kCatboost>, {json, nodes, binary, BinaryFile(catboost::NodeParts())},
              mistakes);
}

Family XgboostFamily() {
  using tabular::XgboostLegacyFile;
  const std::string good = tabular::XgboostFile("binary:logistic", kRight);
  const std::string legacy = XgboostLegacyFile();
  return Make(kXgboost, Read<kXgboost>,
              {good, legacy, XgboostLegacyFile("reg:linear", "dart"),
               XgboostLegacyFile("reg:linear", "gblinear")},
              {
                  tabular::XgboostFile("rank:unheard", kRight),
                  tabular::XgboostFile("binary:logistic", "[2,-1,0,-1,-1]"),
                  tabular::XgboostFile("binary:logistic", "[99,-1,4,-1,-1]"),
                  tabular::XgboostFile("binary:logistic", "[-7,-1,4,-1,-1]"),
                  tabular::XgboostFile("binary:logistic", "[1e300,-1,4,-1,-1]"),
                  tabular::XgboostFile("binary:logistic", "[2,-1,4]"),
                  With(good, "\"num_feature\":\"2\"", "\"num_feature\":\"99999999999\""),
                  With(good, "\"num_class\":\"0\"", "\"num_class\":\"1000000000\""),
                  With(good, "\"categories_segments\":[0]", "\"categories_segments\":[1e18]"),
                  With(good, "\"categories_sizes\":[2]", "\"categories_sizes\":[-1]"),
                  With(good, "\"offsets\":[0,3,7,12]", "\"offsets\":[0,3,7,1e12]"),
                  With(good, "\"split_indices\":[0,0,1,0,0]", "\"split_indices\":[2,0,1,0,0]"),
                  With(good, "\"tree_info\":[0]", "\"tree_info\":[5]"),
                  With(good, "\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"3\""),
                  With(good, "[\"amount\",\"colour\"]", "[\"amount\",\"amount\"]"),
                  "{\"learner\":" + Repeated("[", 1'000'000),
                  "{\"learner\":" + Repeated("{\"a\":", 1000) + "1" + Repeated("}", 1001),
                  std::string("{U\x07learner[$d#l\x7f\xff\xff\xff", 18),
                  std::string("{U\x07learner[$Z#l\x7f\xff\xff\xff", 18),
                  "{U\x07learner" + Repeated("[", 100'000),
                  "{U\x07learner[" + Repeated("Z", 10'000'000) + "]}",
                  SharedXgboostCategories(good, 20'000, 20'000),
                  With(good, "\"size_leaf_vector\":\"1\"}",
                       "\"size_leaf_vector\":\"2\"},\"leaf_weights\":[1]"),
                  With(good, "\"gbtree\"", "\"gblinear\""),
                  legacy.substr(0, 100),
                  legacy.substr(0, legacy.size() - 30),
                  XgboostLegacyFile("rank:unheard"),
                  XgboostLegacyFile("reg:squarederror", "gbforest"),
                  XgboostLegacyFile("reg:squarederror", "gbtree", -3),
                  XgboostLegacyFile("reg:squarederror", "gbtree", 0x7FFFFFFF),
                  legacy.substr(0, 140) + std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 8) +
                      legacy.substr(148),
                  With(XgboostLegacyFile("reg:squarederror", "gblinear"),
                       std::string_view("\x03\0\0\0\0\0\0\0", 8),
                       std::string_view("\x02\0\0\0\0\0\0\0", 8)),
                  With(XgboostLegacyFile("reg:squarederror", "gblinear"),
                       std::string_view("\x03\0\0\0\0\0\0\0", 8),
                       std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8)),
              });
}

Family LightgbmFamily() {
  const std::string good = tabular::LightgbmFile();
  const std::string linear = "is_linear=1\nleaf_const=1 2 3\n";
  return Make(
      kLightgbm, Read<kLightgbm>, {good},
      {
          With(good, "binary sigmoid:2", "unheard"),
          With(good, "left_child=-1 -2", "left_child=-1 -9"),
          With(good, "left_child=-1 -2", "left_child=-1 0"),
          With(good, "left_child=-1 -2", "left_child=-1"),
          With(good, "num_leaves=3", "num_leaves=300000000000"),
          With(good, "max_feature_idx=1", "max_feature_idx=4000000000"),
          With(good, "split_feature=0 1", "split_feature=0 7"),
          With(good, "threshold=2.5 0", "threshold=2.5 3"),
          With(good, "cat_boundaries=0 1", "cat_boundaries=0 9"),
          With(good, "num_tree_per_iteration=1", "num_tree_per_iteration=0"),
          With(good, "is_linear=0", "is_linear=1"),
          With(good, "is_linear=0", linear + "num_features=1 0 0\nleaf_features=9\nleaf_coeff=1"),
          With(good, "is_linear=0", linear + "num_features=-1 0 0\nleaf_features=0\nleaf_coeff=1"),
          With(good, "is_linear=0", linear + "num_features=9 0 0\nleaf_features=0\nleaf_coeff=1"),
          With(good, "is_linear=0", linear + "num_features=1 0 0\nleaf_features=0\nleaf_coeff="),
          With(good, "decision_type=10", "decision_type=14"),
          With(good, "[\"a\", \"b\", \"c\"]", "[\"a\", 1, null]"),
          With(good, "feature_names=size kind", "feature_names=size size"),
          "tree\nversion=v4\n",
          SharedLightgbmCategories(good, 10'000, 10'000),
      });
}

Family PmmlFamily() {
  const std::string good = tabular::PmmlFile("defaultChild");
  std::string laughs = "<!DOCTYPE PMML [<!ENTITY a0 \"ha\">";
  for (int i = 1; i < 30; ++i)
    laughs += fmt::format("<!ENTITY a{} \"&a{};&a{};\">", i, i - 1, i - 1);
  std::vector<std::string> all_good = pmml::SmallDocuments();
  all_good.push_back(good);
  std::vector<std::string> mistakes = {
      tabular::PmmlFile("someStrategy"),
      tabular::PmmlFile("none", laughs + "]>"),
      tabular::PmmlFile("none", "<!DOCTYPE PMML SYSTEM \"file:///etc/passwd\">"),
      tabular::PmmlFile("none", "<!DOCTYPE PMML [<!ENTITY x SYSTEM \"http://a/b\">]>"),
      With(good, "<TreeModel", "<UnheardModel"),
      With(good, "field=\"age\"", "field=\"agee\""),
      With(good, "value=\"30\"", "value=\"thirty\""),
      With(good, "lessThan", "lessish"),
      With(good, "defaultChild=\"3\"", "defaultChild=\"33\""),
      With(good, "recordCount=\"6\"", "recordCount=\"many\""),
      With(good, "<ScoreDistribution value=\"no\"", "<ScoreDistribution value=\"perhaps\""),
      With(good, "dataType=\"double\"", "dataType=\"dateTime\""),
      "<PMML>" + Repeated("<Node>", 200'000) + Repeated("</Node>", 200'000) + "</PMML>",
      "<PMML>" + Repeated("<Node>", 200'000),
      "<PMML/>",
      ManyClassesAndLeaves(good, 20'000),
  };
  for (std::string& model : BrokenPmmlModels()) mistakes.push_back(std::move(model));
  return Make(kPmml, Read<kPmml>, all_good, mistakes);
}

}  // namespace athanor::broken
