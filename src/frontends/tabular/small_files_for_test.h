// Files of tabular models small enough to be computed by hand. For tests only.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace athanor::tabular {

// Root: amount < 10, missing goes right; right child: colour in {red, green} goes right.
inline std::string XgboostFile(std::string_view objective, std::string_view right_children) {
  return fmt::format(
      R"({{"learner":{{"attributes":{{}},"feature_names":["amount","colour"],"feature_types":["float","c"],)"
      R"("gradient_booster":{{"model":{{"cats":{{"enc":[{{"offsets":[],"values":[]}},)"
      R"({{"offsets":[0,3,7,12],"values":[114,101,100,98,108,117,101,103,114,101,101,110]}}]}},)"
      R"("gbtree_model_param":{{"num_parallel_tree":"1","num_trees":"1"}},"tree_info":[0],"trees":[)"
      R"({{"tree_param":{{"size_leaf_vector":"1"}},"left_children":[1,-1,3,-1,-1],"right_children":{},)"
      R"("split_indices":[0,0,1,0,0],"split_conditions":[10,1.5,0,-2,4],"default_left":[0,0,1,0,0],)"
      R"("split_type":[0,0,1,0,0],"categories":[0,2],"categories_nodes":[2],"categories_segments":[0],)"
      R"("categories_sizes":[2]}}]}},"name":"gbtree"}},"learner_model_param":{{"base_score":"5E-1",)"
      R"("num_class":"0","num_feature":"2","num_target":"1"}},"objective":{{"name":"{}"}}}},"version":[3,0,0]}})",
      right_children, objective);
}

// The binary form of old versions: one tree, x0 < 10, missing goes right, leaves 1.5 and -2.
inline std::string XgboostLegacyFile(std::string_view objective = "reg:squarederror",
                                     std::string_view booster = "gbtree", int nodes = 3) {
  std::string file = "binf";
  const auto bits = [&](auto value) {
    file.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  const auto words = [&](std::initializer_list<std::int32_t> first, std::size_t bytes) {
    for (const std::int32_t word : first) bits(word);
    file.append(bytes - 4 * first.size(), '\0');
  };
  const auto text = [&](std::string_view value) {
    bits(static_cast<std::uint64_t>(value.size()));
    file += value;
  };
  bits(0.5F);                         // base_score
  words({2, 0, 1, 0, 2, 1, 1}, 132);  // features, classes, attributes, metrics, version, targets
  text(objective);
  text(booster);
  if (booster == "gblinear") {
    words({}, 136);
    bits(std::uint64_t{3});
    for (const float weight : {2.0F, -1.0F, 0.25F}) bits(weight);
  } else {
    words({1, 1}, 160);                  // trees, trees side by side
    words({1, nodes, 0, 0, 2, 0}, 148);  // of the tree: nodes, features, values of a leaf
    words({-1, 1, 2, 0}, 16);
    bits(10.0F);
    for (const float leaf : {1.5F, -2.0F}) {
      words({0, -1, -1, 0}, 16);
      bits(leaf);
    }
    words({}, 3 * 16);  // statistics
    words({0}, 4);      // the tree's output
    if (booster == "dart") {
      bits(std::uint64_t{1});
      bits(0.5F);
    }
  }
  bits(std::uint64_t{1});
  text("best_iteration");
  text("0");
  return file;
}

inline std::string LightgbmFile(std::string_view more = "") {
  return fmt::format(
      "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\n"
      "objective=binary sigmoid:2\nfeature_names=size kind\nfeature_infos=[0:9] -1:0:1:2\n"
      "tree_sizes=1\n\nTree=0\nnum_leaves=3\nnum_cat=1\nsplit_feature=0 1\nthreshold=2.5 0\n"
      "decision_type=10 1\nleft_child=-1 -2\nright_child=1 -3\nleaf_value=0.5 -1 2\n"
      "cat_boundaries=0 1\ncat_threshold=5\nis_linear=0\nshrinkage=1\n{}\n\nend of trees\n\n"
      "pandas_categorical:[[\"a\", \"b\", \"c\"]]\n",
      more);
}

inline std::string PmmlFile(std::string_view strategy, std::string_view doctype = "") {
  return fmt::format(
      R"(<?xml version="1.0"?>{}<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><DataDictionary>
<DataField name="age" optype="continuous" dataType="double"><Interval closure="closedClosed" leftMargin="0" rightMargin="150"/></DataField>
<DataField name="town" optype="categorical" dataType="string"><Value value="Rome"/><Value value="Oslo"/></DataField>
<DataField name="buys" optype="categorical" dataType="string"><Value value="no"/><Value value="yes"/></DataField>
</DataDictionary><TreeModel functionName="classification" missingValueStrategy="{}"><MiningSchema>
<MiningField name="age"/><MiningField name="town"/><MiningField name="buys" usageType="target"/></MiningSchema>
<Node id="1" score="no" defaultChild="3"><True/><ScoreDistribution value="no" recordCount="6"/><ScoreDistribution value="yes" recordCount="4"/>
<Node id="2" score="no"><SimplePredicate field="age" operator="lessThan" value="30"/><ScoreDistribution value="no" recordCount="3"/><ScoreDistribution value="yes" recordCount="1"/></Node>
<Node id="3" score="yes"><SimplePredicate field="age" operator="greaterOrEqual" value="30"/><ScoreDistribution value="no" recordCount="1"/><ScoreDistribution value="yes" recordCount="1"/>
<Node id="4" score="yes"><SimpleSetPredicate field="town" booleanOperator="isIn"><Array n="1" type="string">"Oslo"</Array></SimpleSetPredicate><ScoreDistribution value="yes" recordCount="2"/></Node>
</Node></Node></TreeModel></PMML>)",
      doctype, strategy);
}

}  // namespace athanor::tabular
