#include "frontends/caffe/schema.h"

#include <algorithm>
#include <charconv>

#include "core/status.h"

namespace athanor::caffe {
namespace {

// One message per line: MESSAGE: NUMBER NAME TYPE, ... A type with bars lists the enumerators of an
// enumeration from 0 on, or from the number before a colon. Parameters of the layers of forks have
// the numbers that their own files give them (SSD, SegNet, DeepLab, caffe-rfcn, MobileNet-YOLO);
// where two forks use one number for two things, the field is left out.
constexpr std::string_view kSchema = R"(
Net: 1 name string, 2 layers V1Layer, 3 input string, 4 input_dim int, 5 force_backward bool, 6 state State, 7 debug_info bool, 8 input_shape Shape, 100 layer Layer
State: 1 phase TRAIN|TEST, 2 level int, 3 stage string
Rule: 1 phase TRAIN|TEST, 2 min_level int, 3 max_level int, 4 stage string, 5 not_stage string
Shape: 1 dim int
Blob: 1 num int, 2 channels int, 3 height int, 4 width int, 5 data floats, 6 diff floats, 7 shape Shape, 8 double_data doubles, 9 double_diff doubles
Param: 1 name string, 2 share_mode STRICT|PERMISSIVE, 3 lr_mult float, 4 decay_mult float
Layer: 1 name string, 2 type string, 3 bottom string, 4 top string, 5 loss_weight float, 6 param Param, 7 blobs Blob, 8 include Rule, 9 exclude Rule, 10 phase TRAIN|TEST, 11 propagate_down bool, 100 transform_param Transform, 101 loss_param Loss, 102 accuracy_param Accuracy, 103 argmax_param ArgMax, 104 concat_param Concat, 106 convolution_param Convolution, 107 data_param Data, 108 dropout_param Dropout, 109 dummy_data_param DummyData, 110 eltwise_param Eltwise, 111 exp_param Exp, 112 hdf5_data_param Data, 115 image_data_param ImageData, 117 inner_product_param InnerProduct, 118 lrn_param Lrn, 119 memory_data_param MemoryData, 120 mvn_param Mvn, 121 pooling_param Pooling, 122 power_param Power, 123 relu_param Relu, 124 sigmoid_param Engine, 125 softmax_param Softmax, 126 slice_param Slice, 127 tanh_param Engine, 128 threshold_param Threshold, 129 window_data_param Data, 130 python_param Python, 131 prelu_param Prelu, 133 reshape_param Reshape, 134 log_param Exp, 135 flatten_param Flatten, 136 reduction_param Reduction, 137 embed_param Embed, 138 tile_param Tile, 139 batch_norm_param BatchNorm, 140 elu_param Elu, 141 bias_param Bias, 142 scale_param Scale, 143 input_param Input, 144 crop_param Crop, 145 parameter_param Input, 146 recurrent_param Recurrent, 148 clip_param Clip, 149 swish_param Swish, 153 psroi_pooling_param PsRoiPooling, 159 reorg_param Reorg, 164 shuffle_channel_param ShuffleChannel, 202 permute_param Permute, 203 prior_box_param PriorBox, 204 detection_output_param DetectionOutput, 206 norm_param Normalize, 601 yolo_detection_output_param YoloDetectionOutput, 602 yolov3_detection_output_param YoloDetectionOutput, 1137 bn_param Bn, 2143 interp_param Interp, 5137 upsample_param Upsample, 8266711 roi_pooling_param RoiPooling
Filler: 1 type string, 2 value float, 3 min float, 4 max float, 5 mean float, 6 std float, 7 sparse int, 8 variance_norm FAN_IN|FAN_OUT|AVERAGE
Transform: 1 scale float, 2 mirror bool, 3 crop_size int, 4 mean_file string, 5 mean_value float, 6 force_color bool, 7 force_gray bool, 11 crop_h int, 12 crop_w int
Loss: 1 ignore_label int, 2 normalize bool, 3 normalization FULL|VALID|BATCH_SIZE|NONE
Accuracy: 1 top_k int, 2 axis int, 3 ignore_label int
ArgMax: 1 out_max_val bool, 2 top_k int, 3 axis int
Concat: 1 concat_dim int, 2 axis int
Convolution: 1 num_output int, 2 bias_term bool, 3 pad int, 4 kernel_size int, 5 group int, 6 stride int, 7 weight_filler Filler, 8 bias_filler Filler, 9 pad_h int, 10 pad_w int, 11 kernel_h int, 12 kernel_w int, 13 stride_h int, 14 stride_w int, 15 engine DEFAULT|CAFFE|CUDNN, 16 axis int, 17 force_nd_im2col bool, 18 dilation int
Data: 1 source string, 2 scale float, 3 mean_file string, 4 batch_size int, 5 crop_size int, 6 mirror bool, 7 rand_skip int, 8 backend LEVELDB|LMDB, 9 force_encoded_color bool, 10 prefetch int
ImageData: 1 source string, 2 scale float, 3 mean_file string, 4 batch_size int, 5 crop_size int, 6 mirror bool, 7 rand_skip int, 8 shuffle bool, 9 new_height int, 10 new_width int, 11 is_color bool, 12 root_folder string
DummyData: 1 data_filler Filler, 2 num int, 3 channels int, 4 height int, 5 width int, 6 shape Shape
Dropout: 1 dropout_ratio float, 2 scale_train bool
Eltwise: 1 operation PROD|SUM|MAX, 2 coeff float, 3 stable_prod_grad bool
Exp: 1 base float, 2 scale float, 3 shift float
InnerProduct: 1 num_output int, 2 bias_term bool, 3 weight_filler Filler, 4 bias_filler Filler, 5 axis int, 6 transpose bool
Lrn: 1 local_size int, 2 alpha float, 3 beta float, 4 norm_region ACROSS_CHANNELS|WITHIN_CHANNEL, 5 k float, 6 engine DEFAULT|CAFFE|CUDNN
MemoryData: 1 batch_size int, 2 channels int, 3 height int, 4 width int
Mvn: 1 normalize_variance bool, 2 across_channels bool, 3 eps float
Pooling: 1 pool MAX|AVE|STOCHASTIC, 2 kernel_size int, 3 stride int, 4 pad int, 5 kernel_h int, 6 kernel_w int, 7 stride_h int, 8 stride_w int, 9 pad_h int, 10 pad_w int, 11 engine DEFAULT|CAFFE|CUDNN, 12 global_pooling bool, 13 round_mode CEIL|FLOOR, 1013 ceil_mode bool
Power: 1 power float, 2 scale float, 3 shift float
Relu: 1 negative_slope float, 2 engine DEFAULT|CAFFE|CUDNN
Engine: 1 engine DEFAULT|CAFFE|CUDNN
Softmax: 1 engine DEFAULT|CAFFE|CUDNN, 2 axis int
Slice: 1 slice_dim int, 2 slice_point int, 3 axis int
Threshold: 1 threshold float
Python: 1 module string, 2 layer string, 3 param_str string, 4 share_in_parallel bool
Prelu: 1 filler Filler, 2 channel_shared bool
Reshape: 1 shape Shape, 2 axis int, 3 num_axes int
Flatten: 1 axis int, 2 end_axis int
Reduction: 1 operation 1:SUM|ASUM|SUMSQ|MEAN, 2 axis int, 3 coeff float
Embed: 1 num_output int, 2 input_dim int, 3 bias_term bool, 4 weight_filler Filler, 5 bias_filler Filler
Tile: 1 axis int, 2 tiles int
BatchNorm: 1 use_global_stats bool, 2 moving_average_fraction float, 3 eps float
Elu: 1 alpha float
Bias: 1 axis int, 2 num_axes int, 3 filler Filler
Scale: 1 axis int, 2 num_axes int, 3 filler Filler, 4 bias_term bool, 5 bias_filler Filler
Input: 1 shape Shape
Crop: 1 axis int, 2 offset int
Recurrent: 1 num_output int, 2 weight_filler Filler, 3 bias_filler Filler, 4 debug_info bool, 5 expose_hidden bool
Clip: 1 min float, 2 max float
Swish: 1 beta float
PsRoiPooling: 1 spatial_scale float, 2 output_dim int, 3 group_size int
Reorg: 1 stride int, 2 reverse bool
ShuffleChannel: 1 group int
Permute: 1 order int
PriorBox: 1 min_size float, 2 max_size float, 3 aspect_ratio float, 4 flip bool, 5 clip bool, 6 variance float, 7 img_size int, 8 img_h int, 9 img_w int, 10 step float, 11 step_h float, 12 step_w float, 13 offset float
Nms: 1 nms_threshold float, 2 top_k int, 3 eta float
SaveOutput: 1 output_directory string, 2 output_name_prefix string, 3 output_format string, 4 label_map_file string, 5 name_size_file string, 6 num_test_image int
DetectionOutput: 1 num_classes int, 2 share_location bool, 3 background_label_id int, 4 nms_param Nms, 5 save_output_param SaveOutput, 6 code_type 1:CORNER|CENTER_SIZE|CORNER_SIZE, 7 keep_top_k int, 8 variance_encoded_in_target bool, 9 confidence_threshold float, 10 visualize bool, 11 visualize_threshold float
Normalize: 1 across_spatial bool, 2 scale_filler Filler, 3 channel_shared bool, 4 eps float
YoloDetectionOutput: 2 num_classes int, 3 num_box int, 5 confidence_threshold float, 6 nms_threshold float, 7 biases float, 9 mask int, 10 anchors_scale int
Bn: 1 slope_filler Filler, 2 bias_filler Filler, 3 momentum float, 4 eps float, 5 frozen bool, 6 engine DEFAULT|CAFFE|CUDNN, 103 bn_mode LEARN|INFERENCE
Interp: 1 height int, 2 width int, 3 zoom_factor int, 4 shrink_factor int, 5 pad_beg int, 6 pad_end int
Upsample: 1 scale int, 2 scale_h int, 3 scale_w int, 4 pad_out_h bool, 5 pad_out_w bool, 6 upsample_h int, 7 upsample_w int
RoiPooling: 1 pooled_h int, 2 pooled_w int, 3 spatial_scale float
V1Layer: 1 layer V0Layer, 2 bottom string, 3 top string, 4 name string, 5 type NONE|ACCURACY|BNLL|CONCAT|CONVOLUTION|DATA|DROPOUT|EUCLIDEAN_LOSS|FLATTEN|HDF5_DATA|HDF5_OUTPUT|IM2COL|IMAGE_DATA|INFOGAIN_LOSS|INNER_PRODUCT|LRN|MULTINOMIAL_LOGISTIC_LOSS|POOLING|RELU|SIGMOID|SOFTMAX|SOFTMAX_LOSS|SPLIT|TANH|WINDOW_DATA|ELTWISE|POWER|SIGMOID_CROSS_ENTROPY_LOSS|HINGE_LOSS|MEMORY_DATA|ARGMAX|THRESHOLD|DUMMY_DATA|SLICE|MVN|ABSVAL|SILENCE|CONTRASTIVE_LOSS|EXP|DECONVOLUTION|CROP, 6 blobs Blob, 7 blobs_lr float, 8 weight_decay float, 9 concat_param Concat, 10 convolution_param Convolution, 11 data_param Data, 12 dropout_param Dropout, 13 hdf5_data_param Data, 15 image_data_param ImageData, 17 inner_product_param InnerProduct, 18 lrn_param Lrn, 19 pooling_param Pooling, 20 window_data_param Data, 21 power_param Power, 22 memory_data_param MemoryData, 23 argmax_param ArgMax, 24 eltwise_param Eltwise, 25 threshold_param Threshold, 26 dummy_data_param DummyData, 27 accuracy_param Accuracy, 30 relu_param Relu, 31 slice_param Slice, 32 include Rule, 33 exclude Rule, 34 mvn_param Mvn, 35 loss_weight float, 36 transform_param Transform, 37 tanh_param Engine, 38 sigmoid_param Engine, 39 softmax_param Softmax, 41 exp_param Exp, 42 loss_param Loss, 1001 param string, 1002 blob_share_mode STRICT|PERMISSIVE
V0Layer: 1 name string, 2 type string, 3 num_output int, 4 biasterm bool, 5 weight_filler Filler, 6 bias_filler Filler, 7 pad int, 8 kernelsize int, 9 group int, 10 stride int, 11 pool MAX|AVE|STOCHASTIC, 12 dropout_ratio float, 13 local_size int, 14 alpha float, 15 beta float, 16 source string, 17 scale float, 18 meanfile string, 19 batchsize int, 20 cropsize int, 21 mirror bool, 22 k float, 50 blobs Blob, 51 blobs_lr float, 52 weight_decay float, 53 rand_skip int, 60 new_num int, 61 new_channels int, 62 new_height int, 63 new_width int, 65 concat_dim int
)";

// Cuts the part before `mark` off; all of it when there is none.
std::string_view Cut(std::string_view& text, std::string_view mark) {
  const std::size_t at = std::min(text.find(mark), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + mark.size(), text.size()));
  return part;
}

int ToNumber(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  ATH_CHECK(error == std::errc() && end == text.data() + text.size(), "the schema is our own");
  return value;
}

void SetType(std::string_view type, FieldSpec& field) {
  constexpr std::pair<std::string_view, FieldKind> kKinds[] = {
      {"int", FieldKind::kInt},       {"float", FieldKind::kFloat},
      {"bool", FieldKind::kBool},     {"string", FieldKind::kString},
      {"floats", FieldKind::kFloats}, {"doubles", FieldKind::kDoubles}};
  for (const auto& [name, kind] : kKinds) {
    if (name == type) field.kind = kind;
    if (name == type) return;
  }
  if (type.find('|') == std::string_view::npos) {
    field.kind = FieldKind::kMessage;
    field.message = type;
    return;
  }
  field.kind = FieldKind::kEnum;
  if (type.find(':') != std::string_view::npos) field.first = ToNumber(Cut(type, ":"));
  while (!type.empty()) field.enumerators.push_back(Cut(type, "|"));
}

std::vector<MessageSpec> ReadSchema() {
  std::vector<MessageSpec> messages;
  std::string_view text = kSchema.substr(1);
  while (!text.empty()) {
    std::string_view line = Cut(text, "\n");
    MessageSpec& message = messages.emplace_back();
    message.name = Cut(line, ": ");
    while (!line.empty()) {
      std::string_view part = Cut(line, ", ");
      FieldSpec& field = message.fields.emplace_back();
      field.number = ToNumber(Cut(part, " "));
      field.name = Cut(part, " ");
      SetType(part, field);
    }
  }
  return messages;
}

}  // namespace

const FieldSpec* MessageSpec::Find(int number) const {
  const auto found = std::lower_bound(fields.begin(), fields.end(), number,
                                      [](const FieldSpec& f, int n) { return f.number < n; });
  return found != fields.end() && found->number == number ? &*found : nullptr;
}

const FieldSpec* MessageSpec::Find(std::string_view field) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const FieldSpec& f) { return f.name == field; });
  return found != fields.end() ? &*found : nullptr;
}

const MessageSpec* FindMessage(std::string_view name) {
  static const std::vector<MessageSpec> messages = ReadSchema();
  const auto found = std::find_if(messages.begin(), messages.end(),
                                  [&](const MessageSpec& m) { return m.name == name; });
  return found != messages.end() ? &*found : nullptr;
}

}  // namespace athanor::caffe
