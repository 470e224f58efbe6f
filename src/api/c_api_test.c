/* The header is plain C11 and the calls work from C. Run by api_test.cpp. */
#include <string.h>

#include "athanor/athanor.h"

int32_t ath_c_test_run(const char* path, const float* input, const int64_t* dims, int32_t rank,
                       float* output, int64_t capacity);

/* 0, or the status of the first call that failed; -1 when the output is larger than `capacity`. */
int32_t ath_c_test_run(const char* path, const float* input, const int64_t* dims, int32_t rank,
                       float* output, int64_t capacity) {
  ath_model* model = NULL;
  ath_session* session = NULL;
  ath_result* result = NULL;
  ath_tensor in = {sizeof(ath_tensor), ATH_F32, rank, dims, input};
  ath_tensor out = {sizeof(ath_tensor), ATH_UNDEFINED, 0, NULL, NULL};
  int32_t status = ath_load(path, NULL, &model);
  if (status == 0) status = ath_session_create(model, NULL, &session);
  ath_model_destroy(model); /* the session keeps what it needs */
  if (status == 0) status = ath_session_run(session, &in, 1, &result);
  if (status == 0) status = ath_result_output(result, 0, &out);
  if (status == 0) {
    int64_t count = 1;
    for (int32_t i = 0; i < out.rank; ++i) count *= out.dims[i];
    if (count > capacity) status = -1;
    for (int64_t i = 0; status == 0 && i < count; ++i) output[i] = ((const float*)out.data)[i];
  }
  ath_result_destroy(result);
  ath_session_destroy(session);
  return status;
}

/* What a call must be refused with. `line` says which expectation failed first. */
typedef struct refusal {
  int32_t line;
  char got[256];
} refusal;

static void Expect(refusal* first, int32_t line, ath_status status, ath_status wanted,
                   const char* message) {
  if (first->line != 0 || (status == wanted && strstr(ath_error_text(), message) != NULL)) return;
  first->line = line;
  strncpy(first->got, ath_error_text(), sizeof(first->got) - 1);
}

static void ExpectRun(refusal* first, int32_t line, ath_session* session, const ath_tensor* input,
                      ath_status wanted, const char* message) {
  ath_result* result = NULL;
  Expect(first, line, ath_session_run(session, input, 1, &result), wanted, message);
  ath_result_destroy(result);
}

static void RefuseBadBuffers(refusal* first, ath_session* session, const ath_tensor* input) {
  static float logits[11];
  static const int64_t dims[2] = {1, 10}, others[2] = {10, 1};
  const ath_buffer good = {sizeof(ath_buffer), ATH_F32, 2, dims, logits};
  ath_buffer bad = good;
  Expect(first, __LINE__, ath_session_run_into(session, input, 1, &good, 1), 0, "");
  bad.dims = others;
  Expect(first, __LINE__, ath_session_run_into(session, input, 1, &bad, 1), 1003,
         "is f32[1, 10]; there is memory for f32[10, 1]");
  bad = good;
  bad.dtype = ATH_I32;
  Expect(first, __LINE__, ath_session_run_into(session, input, 1, &bad, 1), 1003,
         "there is memory for i32[1, 10]");
  bad = good;
  bad.data = NULL;
  Expect(first, __LINE__, ath_session_run_into(session, input, 1, &bad, 1), 1003, "data is NULL");
  bad.data = (char*)logits + 1;
  Expect(first, __LINE__, ath_session_run_into(session, input, 1, &bad, 1), 1003, "divisible by 4");
  bad = good;
  bad.struct_size = 4;
  Expect(first, __LINE__, ath_session_run_into(session, input, 1, &bad, 1), 1001,
         "ath_buffer has at least");
  Expect(first, __LINE__, ath_session_run_into(session, input, 1, &good, 0), 1001,
         "1 outputs; there is memory for 0");
  Expect(first, __LINE__, ath_session_run_into(session, input, 1, NULL, 1), 1001,
         "outputs is NULL");
  Expect(first, __LINE__, ath_session_run_into(session, NULL, 1, &good, 1), 1001, "inputs is NULL");
  Expect(first, __LINE__, ath_session_run_into(NULL, input, 1, &good, 1), 1001, "session is NULL");
}

static void RefuseBadTensors(refusal* first, ath_session* session) {
  static const float pixels[32 * 32 + 1];
  static const int64_t dims[4] = {1, 1, 32, 32}, huge[2] = {INT64_MAX / 2, 2};
  const ath_tensor good = {sizeof(ath_tensor), ATH_F32, 4, dims, pixels};
  ath_tensor bad = good;
  ath_result* result = NULL;
  ExpectRun(first, __LINE__, session, &good, 0, "");
  bad.struct_size = 0;
  ExpectRun(first, __LINE__, session, &bad, 1001, "struct_size is 0");
  bad.struct_size = sizeof(ath_tensor) - 4;
  ExpectRun(first, __LINE__, session, &bad, 1001, "input 0 \"image\"");
  bad = good;
  bad.dtype = 99;
  ExpectRun(first, __LINE__, session, &bad, 1003, "99 is not an element type");
  bad = good;
  bad.dims = NULL;
  ExpectRun(first, __LINE__, session, &bad, 1003, "dims is NULL");
  bad = good;
  bad.rank = -1;
  ExpectRun(first, __LINE__, session, &bad, 1003, "rank is -1");
  bad.rank = INT32_MAX;
  ExpectRun(first, __LINE__, session, &bad, 1003, "0 to 64 dimensions");
  bad = good;
  bad.rank = 2;
  bad.dims = huge;
  ExpectRun(first, __LINE__, session, &bad, 1003, "too large");
  bad = good;
  bad.data = NULL;
  ExpectRun(first, __LINE__, session, &bad, 1003, "data is NULL; 1024 elements");
  bad = good;
  bad.data = (const char*)pixels + 1;
  ExpectRun(first, __LINE__, session, &bad, 1003, "divisible by 4");
  RefuseBadBuffers(first, session, &good);
  Expect(first, __LINE__, ath_session_run(session, &good, -1, &result), 1001, "num_inputs is -1");
  Expect(first, __LINE__, ath_session_run(session, NULL, 1, &result), 1001, "inputs is NULL");
  Expect(first, __LINE__, ath_session_run(NULL, &good, 1, &result), 1001, "session is NULL");
  Expect(first, __LINE__, ath_session_run(session, &good, 1, NULL), 1001, "result is NULL");
}

/* Values that have no meaning in their type, and texts that are not there. */
static void RefuseBadElements(refusal* first) {
  static const char* const texts[2] = {"one", NULL};
  static const uint8_t bools[2] = {1, 2}, nibbles[2] = {7, 100};
  static const int64_t two[1] = {2};
  ath_difference difference = {sizeof(ath_difference), 0, 0, 0, 0};
  ath_tensor tensor = {sizeof(ath_tensor), ATH_STRING, 1, two, texts};
  Expect(first, __LINE__, ath_compare(&tensor, &tensor, 0, 0, &difference), 1003,
         "a string is NULL");
  tensor.data = (const char*)texts + 1;
  Expect(first, __LINE__, ath_compare(&tensor, &tensor, 0, 0, &difference), 1003, "not aligned");
  tensor.data = bools;
  tensor.dtype = ATH_BOOL;
  Expect(first, __LINE__, ath_compare(&tensor, &tensor, 0, 0, &difference), 1003,
         "element 1 is 2, which is no bool");
  tensor.data = nibbles;
  tensor.dtype = ATH_I4;
  Expect(first, __LINE__, ath_compare(&tensor, &tensor, 0, 0, &difference), 1003,
         "element 1 is 100, which is no i4");
  tensor.dtype = ATH_U8;
  Expect(first, __LINE__, ath_compare(&tensor, &tensor, 0, 0, &difference), 0, "");
  Expect(first, __LINE__, ath_compare(&tensor, &tensor, -1, 0, &difference), 1001, "rtol -1");
  difference.struct_size = 8;
  Expect(first, __LINE__, ath_compare(&tensor, &tensor, 0, 0, &difference), 1001,
         "ath_difference has at least");
}

static void RefuseBadOptions(refusal* first, const char* path, const ath_model* model) {
  ath_load_options load = {0, NULL};
  ath_session_options options = {sizeof(ath_session_options), NULL, -1, 0, 0, NULL, NULL};
  ath_value_info info = {0, NULL, 0, 0, NULL, NULL};
  ath_model* other = NULL;
  ath_session* session = NULL;
  Expect(first, __LINE__, ath_load(path, &load, &other), 1001, "sizeof(ath_load_options)");
  load.struct_size = sizeof(load);
  load.format = "docx";
  Expect(first, __LINE__, ath_load(path, &load, &other), 2004, "docx");
  Expect(first, __LINE__, ath_load(NULL, NULL, &other), 1001, "path is NULL");
  Expect(first, __LINE__, ath_load(path, NULL, NULL), 1001, "model is NULL");
  Expect(first, __LINE__, ath_session_create(model, &options, &session), 1001, "-1 threads");
  options.struct_size = 4;
  Expect(first, __LINE__, ath_session_create(model, &options, &session), 1001,
         "sizeof(ath_session_options)");
  options.struct_size = sizeof(options);
  options.device = "gpu";
  Expect(first, __LINE__, ath_session_create(model, &options, &session), 1002, "gpu");
  options.device = "reference";
  options.precision = "f17";
  Expect(first, __LINE__, ath_session_create(model, &options, &session), 1002, "f32, bf16 or auto");
  options.precision = "bf16";
  Expect(first, __LINE__, ath_session_create(model, &options, &session), 2101, "precision bf16");
  Expect(first, __LINE__, ath_session_create(NULL, NULL, &session), 1001, "model is NULL");
  Expect(first, __LINE__, ath_model_input(model, 0, &info), 1001, "sizeof(ath_value_info)");
  info.struct_size = sizeof(info);
  Expect(first, __LINE__, ath_model_input(model, 1, &info), 1001, "outside [0, 1)");
  Expect(first, __LINE__, ath_model_output(NULL, 0, &info), 1001, "model is NULL");
  Expect(first, __LINE__, ath_model_save(model, NULL), 1001, "path is NULL");
  if (ath_model_num_inputs(NULL) != -1 || ath_model_num_outputs(NULL) != -1 ||
      ath_model_num_nodes(NULL) != -1 || ath_model_num_parameters(NULL) != -1 ||
      ath_result_num_outputs(NULL) != -1)
    Expect(first, __LINE__, 0, -1, "counts of NULL are -1");
}

int32_t ath_c_test_refusals(const char* path, char* got, size_t capacity);

/* 0, or the line of the first call that was not refused as it should be; `got` takes its error. */
int32_t ath_c_test_refusals(const char* path, char* got, size_t capacity) {
  refusal first = {0, ""};
  ath_model* model = NULL;
  ath_session* session = NULL;
  Expect(&first, __LINE__, ath_load(path, NULL, &model), 0, "");
  Expect(&first, __LINE__, ath_session_create(model, NULL, &session), 0, "");
  RefuseBadTensors(&first, session);
  RefuseBadElements(&first);
  RefuseBadOptions(&first, path, model);
  ath_session_destroy(session);
  ath_model_destroy(model);
  strncpy(got, first.got, capacity - 1);
  return first.line;
}

/* A caller compiled against a later header, whose ath_tensor has a field more. */
typedef struct later_tensor {
  ath_tensor tensor;
  int64_t added;
} later_tensor;

int32_t ath_c_test_later_caller(const char* path);

/* 0, or the status of the first call that failed: longer structs in an array are found. */
int32_t ath_c_test_later_caller(const char* path) {
  static const float pair[2] = {1, 2};
  static const int64_t dims[1] = {2};
  const later_tensor in[2] = {{{sizeof(later_tensor), ATH_F32, 1, dims, pair}, -1},
                              {{sizeof(later_tensor), ATH_F32, 1, dims, pair}, -1}};
  ath_tensor out = {sizeof(ath_tensor), ATH_UNDEFINED, 0, NULL, NULL};
  ath_model* model = NULL;
  ath_session* session = NULL;
  ath_result* result = NULL;
  int32_t status = ath_load(path, NULL, &model);
  if (status == 0) status = ath_session_create(model, NULL, &session);
  if (status == 0) status = ath_session_run(session, &in[0].tensor, 2, &result);
  if (status == 0) status = ath_result_output(result, 0, &out);
  if (status == 0 && ((const float*)out.data)[1] != 4) status = -1;
  ath_session_destroy(session);
  ath_model_destroy(model);
  ath_result_destroy(result); /* a result outlives the session it came from */
  return status;
}
