// Documents of every kind of model, small enough to be computed by hand: for unit tests, for the
// corpus of broken files and as seeds of the fuzz target.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

namespace athanor::pmml {

inline std::string DataField(const std::string& name, const std::string& type,
                             const std::string& values = "") {
  const bool number = type == "double" || type == "integer" || type == "float";
  return fmt::format(R"(<DataField name="{}" optype="{}" dataType="{}">{}</DataField>)", name,
                     number ? "continuous" : "categorical", type, values);
}

// The fields x and y are numbers, s and t text, `out` is the target.
inline std::string Document(const std::string& model, const std::string& transformations = "",
                            const std::string& target_type = "string") {
  return R"(<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><DataDictionary>)" +
         DataField("x", "double") + DataField("y", "double") + DataField("s", "string") +
         DataField("t", "string") + DataField("day", "date") + DataField("clock", "time") +
         DataField("out", target_type) + "</DataDictionary><TransformationDictionary>" +
         transformations + "</TransformationDictionary>" + model + "</PMML>";
}
inline const std::string kSchema =
    R"(<MiningSchema><MiningField name="x"/><MiningField name="y"/><MiningField name="s"/>
<MiningField name="t"/><MiningField name="day"/><MiningField name="clock"/>
<MiningField name="out" usageType="target"/></MiningSchema>)";

inline std::string GeneralRegressionFile() {
  const std::string model =
      R"(<GeneralRegressionModel functionName="classification" modelType="ordinalMultinomial" cumulativeLink="logit">)" +
      kSchema +
      R"(<Targets><Target field="out"><TargetValue value="a"/><TargetValue value="b"/><TargetValue value="c"/></Target></Targets>
<ParameterList><Parameter name="p0"/><Parameter name="p1"/></ParameterList><FactorList/>
<CovariateList><Predictor name="x"/></CovariateList><PPMatrix><PPCell value="1" predictorName="x" parameterName="p1"/></PPMatrix>
<ParamMatrix><PCell targetCategory="a" parameterName="p0" beta="0"/><PCell targetCategory="b" parameterName="p0" beta="1"/>
<PCell targetCategory="a" parameterName="p1" beta="1"/><PCell targetCategory="b" parameterName="p1" beta="1"/></ParamMatrix></GeneralRegressionModel>)";
  return Document(model);
}

inline std::string ScorecardFile() {
  const std::string model =
      R"(<Scorecard functionName="regression" initialScore="10" reasonCodeAlgorithm="pointsBelow">)" +
      kSchema +
      R"(<Output><OutputField name="r1" feature="reasonCode" rank="1"/><OutputField name="r2" feature="reasonCode" rank="2"/></Output>
<Characteristics><Characteristic reasonCode="X" baselineScore="20"><Attribute partialScore="5"><SimplePredicate field="x" operator="lessThan" value="3"/></Attribute>
<Attribute><True/><ComplexPartialScore>)" +
      std::string(R"(<Apply function="*"><FieldRef field="x"/><Constant>2</Constant></Apply>)") +
      R"(</ComplexPartialScore></Attribute></Characteristic>
<Characteristic reasonCode="Y" baselineScore="10"><Attribute partialScore="8"><True/></Attribute></Characteristic></Characteristics></Scorecard>)";
  return Document(model, "", "double");
}

inline std::string NeuralNetworkFile() {
  const std::string model =
      R"(<NeuralNetwork functionName="regression" activationFunction="rectifier">)" + kSchema +
      R"(<NeuralInputs><NeuralInput id="1"><DerivedField optype="continuous" dataType="double"><FieldRef field="x"/></DerivedField></NeuralInput>
<NeuralInput id="2"><DerivedField optype="continuous" dataType="double"><FieldRef field="y"/></DerivedField></NeuralInput></NeuralInputs>
<NeuralLayer><Neuron id="3" bias="1"><Con from="1" weight="2"/><Con from="2" weight="-1"/></Neuron><Neuron id="4"><Con from="2" weight="-3"/></Neuron></NeuralLayer>
<NeuralLayer activationFunction="identity"><Neuron id="5" bias="0.5"><Con from="3" weight="1"/><Con from="4" weight="1"/><Con from="1" weight="10"/></Neuron></NeuralLayer>
<NeuralOutputs><NeuralOutput outputNeuron="5"><DerivedField optype="continuous" dataType="double"><NormContinuous field="out">
<LinearNorm orig="0" norm="0.5"/><LinearNorm orig="2" norm="1.5"/></NormContinuous></DerivedField></NeuralOutput></NeuralOutputs></NeuralNetwork>)";
  return Document(model, "", "double");
}

inline std::string SupportVectorFile() {
  const std::string model =
      R"(<SupportVectorMachineModel functionName="classification" svmRepresentation="SupportVectors">)" +
      kSchema +
      R"(<LinearKernelType/><VectorDictionary><VectorFields><FieldRef field="x"/><FieldRef field="y"/></VectorFields>
<VectorInstance id="v"><Array n="2" type="real">1 0</Array></VectorInstance><VectorInstance id="w"><REAL-SparseArray n="2"><Indices>2</Indices><REAL-Entries>2</REAL-Entries></REAL-SparseArray></VectorInstance></VectorDictionary>
<SupportVectorMachine targetCategory="no" alternateTargetCategory="yes"><SupportVectors><SupportVector vectorId="w"/><SupportVector vectorId="v"/></SupportVectors>
<Coefficients absoluteValue="-5"><Coefficient value="1"/><Coefficient value="3"/></Coefficients></SupportVectorMachine></SupportVectorMachineModel>)";
  return Document(model);
}

inline std::string NaiveBayesFile() {
  const std::string model =
      R"(<NaiveBayesModel functionName="classification" threshold="0.001">)" + kSchema +
      R"(<BayesInputs><BayesInput fieldName="s"><PairCounts value="m"><TargetValueCounts><TargetValueCount value="a" count="3"/><TargetValueCount value="b" count="1"/></TargetValueCounts></PairCounts>
<PairCounts value="f"><TargetValueCounts><TargetValueCount value="a" count="1"/><TargetValueCount value="b" count="3"/></TargetValueCounts></PairCounts></BayesInput>
<BayesInput fieldName="x"><TargetValueStats><TargetValueStat value="a"><GaussianDistribution mean="0" variance="1"/></TargetValueStat><TargetValueStat value="b"><GaussianDistribution mean="1" variance="1"/></TargetValueStat></TargetValueStats></BayesInput></BayesInputs>
<BayesOutput fieldName="out"><TargetValueCounts><TargetValueCount value="a" count="4"/><TargetValueCount value="b" count="4"/></TargetValueCounts></BayesOutput></NaiveBayesModel>)";
  return Document(model);
}

inline std::string ClusteringFile() {
  const std::string model =
      R"(<ClusteringModel functionName="clustering" modelClass="centerBased" numberOfClusters="2">)" +
      kSchema +
      R"(<Output><OutputField name="name" feature="predictedDisplayValue"/><OutputField name="d" feature="affinity"/><OutputField name="far" feature="clusterAffinity" value="2"/></Output>
<ComparisonMeasure kind="distance"><squaredEuclidean/></ComparisonMeasure><ClusteringField field="x"/><ClusteringField field="y" fieldWeight="2"/>
<Cluster name="near"><Array n="2" type="real">0 0</Array></Cluster><Cluster name="far"><Array n="2" type="real">10 10</Array></Cluster></ClusteringModel>)";
  return Document(model);
}

inline std::string NeighborsFile() {
  const std::string model =
      R"(<NearestNeighborModel functionName="regression" numberOfNeighbors="2" continuousScoringMethod="weightedAverage" threshold="1">)" +
      kSchema +
      R"(<TrainingInstances><InstanceFields><InstanceField field="x" column="x"/><InstanceField field="out" column="o"/></InstanceFields>
<InlineTable><row><x>0</x><o>10</o></row><row><x>1</x><o>20</o></row><row><x>9</x><o>90</o></row></InlineTable></TrainingInstances>
<ComparisonMeasure kind="distance"><euclidean/></ComparisonMeasure><KNNInputs><KNNInput field="x"/></KNNInputs></NearestNeighborModel>)";
  return Document(model, "", "double");
}

inline std::string AssociationFile() {
  const std::string model =
      R"(<AssociationModel functionName="associationRules"><MiningSchema><MiningField name="t" usageType="group"/><MiningField name="s"/></MiningSchema>
<Output><OutputField name="all" feature="ruleValue" ruleFeature="rule" algorithm="recommendation" rank="0" rankBasis="confidence" isMultiValued="1"/>
<OutputField name="new" feature="consequent" algorithm="exclusiveRecommendation" rank="1" rankBasis="confidence"/></Output>
<Item id="1" value="tea"/><Item id="2" value="milk"/><Item id="3" value="cake"/><Itemset id="a"><ItemRef itemRef="1"/></Itemset>
<Itemset id="b"><ItemRef itemRef="2"/></Itemset><Itemset id="c"><ItemRef itemRef="3"/></Itemset>
<AssociationRule antecedent="a" consequent="b" support="0.2" confidence="0.5"/><AssociationRule antecedent="a" consequent="c" support="0.1" confidence="0.9"/></AssociationModel>)";
  return Document(model);
}

inline std::string AnomalyFile() {
  const std::string model =
      R"(<AnomalyDetectionModel functionName="regression" algorithmType="iforest" sampleDataSize="2"><MiningSchema><MiningField name="x"/></MiningSchema>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><RegressionTable><NumericPredictor name="x" coefficient="1"/></RegressionTable></RegressionModel></AnomalyDetectionModel>)";
  return Document(model);
}

inline std::string VerifiedFile(const std::string& promised) {
  return Document(
      R"(<RegressionModel functionName="regression">)" + kSchema +
          R"(<RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable>
<ModelVerification><VerificationFields><VerificationField field="x"/><VerificationField field="out" precision="0.01"/></VerificationFields>
<InlineTable><row><x>1</x><out>3</out></row><row><x>2</x><out>)" +
          promised + "</out></row></InlineTable></ModelVerification></RegressionModel>",
      "", "double");
}

inline std::string SchemaOf(const std::string& fields) {
  return "<MiningSchema>" + fields +
         R"(<MiningField name="out" usageType="target"/></MiningSchema>)";
}

inline std::string GaussianProcessFile(
    const std::string& kernel =
        R"(<RadialBasisKernel gamma="1.5" noiseVariance="0.1" lambda="0.8"/>)") {
  const std::string model =
      R"(<GaussianProcessModel functionName="regression">)" +
      SchemaOf(R"(<MiningField name="x"/><MiningField name="y"/>)") +
      R"(<Output><OutputField name="mean" feature="predictedValue"/><OutputField name="deviation" feature="standardDeviation"/></Output>)" +
      kernel +
      R"(<TrainingInstances><InstanceFields><InstanceField field="x" column="a"/><InstanceField field="y" column="b"/><InstanceField field="out" column="c"/></InstanceFields>
<InlineTable><row><a>0</a><b>0</b><c>1</c></row><row><a>1</a><b>0.5</b><c>3</c></row><row><a>2</a><b>-1</b><c>-2</c></row></InlineTable></TrainingInstances></GaussianProcessModel>)";
  return Document(model, "", "double");
}

// Rain (out), a sprinkler (s), wet grass (t), and a gauge (x) that rain lifts from 4 to 10.
inline std::string BayesianNetworkFile(const std::string& target = "out") {
  const auto given = [](const std::string& parents, const std::string& shares) {
    return "<DiscreteConditionalProbability>" + parents + shares +
           "</DiscreteConditionalProbability>";
  };
  const auto parent = [](const std::string& name, const std::string& value) {
    return fmt::format(R"(<ParentValue parent="{}" value="{}"/>)", name, value);
  };
  const auto shares = [](const std::string& yes, const std::string& no, const std::string& p,
                         const std::string& q) {
    return fmt::format(
        R"(<ValueProbability value="{}" probability="{}"/><ValueProbability value="{}" probability="{}"/>)",
        yes, p, no, q);
  };
  const auto gauge = [&](const std::string& rain, const std::string& mean) {
    return "<ContinuousConditionalProbability>" + parent("out", rain) +
           "<ContinuousDistribution><NormalDistributionForBN><Mean><Constant>" + mean +
           "</Constant></Mean><Variance><Constant>4</Constant></Variance></NormalDistributionForBN>"
           "</ContinuousDistribution></ContinuousConditionalProbability>";
  };
  const auto field = [&](const std::string& name) {
    return fmt::format(R"(<MiningField name="{}"{}/>)", name,
                       name == target ? " usageType=\"target\"" : "");
  };
  const std::string model =
      R"(<BayesianNetworkModel functionName="classification"><MiningSchema>)" + field("out") +
      field("s") + field("t") + field("x") + R"(</MiningSchema><BayesianNetworkNodes>)" +
      R"(<DiscreteNode name="out">)" + shares("y", "n", "0.2", "0.8") +
      R"(</DiscreteNode><DiscreteNode name="s">)" +
      given(parent("out", "y"), shares("on", "off", "0.01", "0.99")) +
      given(parent("out", "n"), shares("on", "off", "0.4", "0.6")) +
      R"(</DiscreteNode><DiscreteNode name="t">)" +
      given(parent("s", "on") + parent("out", "y"), shares("wet", "dry", "0.99", "0.01")) +
      given(parent("s", "on") + parent("out", "n"), shares("wet", "dry", "0.9", "0.1")) +
      given(parent("s", "off") + parent("out", "y"), shares("wet", "dry", "0.8", "0.2")) +
      given(parent("s", "off") + parent("out", "n"), shares("wet", "dry", "0", "1")) +
      R"(</DiscreteNode><ContinuousNode name="x">)" + gauge("y", "10") + gauge("n", "4") +
      "</ContinuousNode></BayesianNetworkNodes></BayesianNetworkModel>";
  return Document(model);
}

inline std::string TextModelFile(const std::string& normalization = "",
                                 const std::string& similarity = "cosine") {
  const std::string model =
      R"(<TextModel functionName="classification" numberOfTerms="3" numberOfDocuments="3"><MiningSchema><MiningField name="s"/></MiningSchema>
<Output><OutputField name="best" feature="predictedValue"/><OutputField name="a" feature="affinity" value="A"/><OutputField name="b" feature="affinity" value="B"/><OutputField name="c" feature="affinity" value="C"/><OutputField name="second" feature="entityId" rank="2"/></Output>
<TextDictionary><Array n="3" type="string">cat dog fish</Array></TextDictionary>
<TextCorpus><TextDocument id="A"/><TextDocument id="B"/><TextDocument id="C"/></TextCorpus>
<DocumentTermMatrix><Matrix nbRows="3" nbCols="3"><Array n="3" type="int">2 0 1</Array><Array n="3" type="int">0 3 0</Array><Array n="3" type="int">1 1 1</Array></Matrix></DocumentTermMatrix>
<TextModelNormalization )" +
      normalization + R"(/><TextModelSimiliarity similarityType=")" + similarity +
      R"("/></TextModel>)";
  return Document(model);
}

inline std::string TimeSeriesFile(
    const std::string& smoothing =
        R"(<Level alpha="0.3" smoothedValue="100"/><Trend_ExpoSmooth trend="damped_additive" phi="0.9" smoothedValue="2"/>)",
    const std::string& attributes = "") {
  const std::string model =
      R"(<TimeSeriesModel functionName="timeSeries" bestFit="ExponentialSmoothing">)" +
      SchemaOf(R"(<MiningField name="x" usageType="order"/>)") +
      R"(<TimeSeries usage="original" startTime="1" endTime="24"><TimeAnchor stepsize="2"/></TimeSeries><ExponentialSmoothing )" +
      attributes + ">" + smoothing + "</ExponentialSmoothing></TimeSeriesModel>";
  return Document(model, "", "double");
}

inline std::string SequenceFile() {
  const std::string model =
      R"(<SequenceModel functionName="sequences"><MiningSchema><MiningField name="s"/></MiningSchema>
<Output><OutputField name="all" feature="ruleValue" ruleFeature="rule" algorithm="recommendation" rank="0" rankBasis="confidence" isMultiValued="1"/>
<OutputField name="next" feature="consequent" algorithm="exclusiveRecommendation" rank="1" rankBasis="confidence"/></Output>
<Item id="1" value="tea"/><Item id="2" value="milk"/><Item id="3" value="cake"/>
<Itemset id="t"><ItemRef itemRef="1"/></Itemset><Itemset id="tm"><ItemRef itemRef="1"/><ItemRef itemRef="2"/></Itemset><Itemset id="c"><ItemRef itemRef="3"/></Itemset>
<Sequence id="t>c"><SetReference setId="t"/><Delimiter delimiter="acrossTimeWindows" gap="unknown"/><SetReference setId="c"/></Sequence>
<Sequence id="tm"><SetReference setId="tm"/></Sequence><Sequence id="c"><SetReference setId="c"/></Sequence>
<SequenceRule id="r1" confidence="0.5" support="0.1"><AntecedentSequence><SequenceReference seqId="t>c"/></AntecedentSequence><Delimiter delimiter="acrossTimeWindows" gap="unknown"/><ConsequentSequence><SequenceReference seqId="tm"/></ConsequentSequence></SequenceRule>
<SequenceRule id="r2" confidence="0.8" support="0.2"><AntecedentSequence><SequenceReference seqId="tm"/></AntecedentSequence><Delimiter delimiter="acrossTimeWindows" gap="unknown"/><ConsequentSequence><SequenceReference seqId="c"/></ConsequentSequence></SequenceRule></SequenceModel>)";
  return Document(model);
}

inline std::vector<std::string> SmallDocuments() {
  return {GeneralRegressionFile(), ScorecardFile(),       NeuralNetworkFile(),
          SupportVectorFile(),     NaiveBayesFile(),      ClusteringFile(),
          NeighborsFile(),         AssociationFile(),     AnomalyFile(),
          VerifiedFile("5.02"),    GaussianProcessFile(), BayesianNetworkFile(),
          TextModelFile(),         TimeSeriesFile(),      SequenceFile()};
}

}  // namespace athanor::pmml
