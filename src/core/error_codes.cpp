// The long text behind every error code, printed by `athanor explain ATH-nnnn`.
#include "core/status.h"

namespace athanor {

const std::vector<ErrorCodeInfo>& AllErrorCodes() {
  static const std::vector<ErrorCodeInfo> codes = {
      {ErrorCode::kUsage, "usage", "the command or call makes no sense as written",
       "An option is missing, contradicts another, or has a value of the wrong kind.\n"
       "`athanor VERB --help` lists every option with an example.",
       1},
      {ErrorCode::kUnknownName, "usage", "a name that does not exist",
       "A verb, option, input, output, node or topology was named that is not there.\n"
       "The message lists the names that exist and suggests the nearest one.",
       1},
      {ErrorCode::kInvalidInput, "input", "an input does not fit the model",
       "The tensor, image or row that was given has another name, shape or element type than\n"
       "the model's input, or its file is damaged or of a kind that is not read.\n"
       "`athanor inspect MODEL` lists what the model expects.",
       1},
      {ErrorCode::kFileNotFound, "file", "a file cannot be read",
       "The path does not exist, is a folder, or may not be read by this user.", 1},
      {ErrorCode::kFileWrite, "file", "a result cannot be written",
       "The folder does not exist, is not writable, or the disk is full. Results are written\n"
       "beside their final name and renamed when complete, so no half file was left.",
       1},
      {ErrorCode::kInvalidModel, "import", "the model breaks the rules of its own format",
       "A node has the wrong number of inputs, shapes that cannot be combined, an attribute of\n"
       "the wrong kind, a name that is never defined, or a cycle. The message names the node.\n"
       "The tool that wrote the file made a mistake, or the file was edited.",
       2},
      {ErrorCode::kCorruptFile, "import", "the file is truncated or damaged",
       "The bytes end early or contradict themselves. Copy or download the file again and\n"
       "compare its size or digest with the original.",
       2},
      {ErrorCode::kUnknownOperator, "import", "the model uses an operator we do not know",
       "No operator of this name exists in the model's operator set, or it belongs to a vendor\n"
       "domain that has no definition here. All unknown operators of a model are listed at once.",
       2},
      {ErrorCode::kUnknownFormat, "import", "not a model format that is read",
       "Neither the contents nor the extension of the file match a format we read.\n"
       "`--format NAME` overrides the guess.",
       2},
      {ErrorCode::kUnsupported, "import", "valid, but this form is not implemented",
       "The model is right, but uses a combination of attributes or types that has no\n"
       "implementation. The message says which form would be accepted.",
       2},
      {ErrorCode::kUnsupportedType, "import", "the operator does not accept this element type",
       "The operator exists, but not for this element type. The message lists the accepted ones.",
       2},
      {ErrorCode::kUnsafeFile, "import", "the file asks for something a file must not ask for",
       "External data outside the model's own folder, an archive that expands without bound, or\n"
       "code to execute. Move the data beside the model, or use a file you trust.",
       2},
      {ErrorCode::kDataError, "run", "a value met while running is out of range",
       "For example an index beyond the end of a tensor, or a shape computed from data that does\n"
       "not fit. The message names the node and the value.",
       2},
      {ErrorCode::kNotWritten, "export", "the model has no form in what is to be written",
       "The model is right and can be read; the format, or the code, that is asked for cannot say\n"
       "all of it. The message names the node and says which form would be written. ath and onnx\n"
       "hold every model: athanor convert MODEL -o model.onnx.",
       2},
      {ErrorCode::kAccuracy, "gate", "the result differs more than allowed",
       "A comparison or an accuracy gate was not met. The message gives the measured figure and\n"
       "the limit.",
       3},
      {ErrorCode::kResource, "limit", "too large for this machine or for a set limit",
       "More memory, depth or elements are needed than the machine or the limit allows.", 4},
      {ErrorCode::kDeadline, "limit", "the deadline passed",
       "The request took longer than allowed.", 4},
      {ErrorCode::kCancelled, "limit", "the work was cancelled", "Somebody asked for it to stop.",
       4},
      {ErrorCode::kInternal, "internal", "a mistake of ours",
       "Something that must never happen did. Please report the command and the model.", 5},
  };
  return codes;
}

const ErrorCodeInfo& Describe(ErrorCode code) {
  for (const ErrorCodeInfo& info : AllErrorCodes()) {
    if (info.code == code) return info;
  }
  return AllErrorCodes().back();
}

}  // namespace athanor
