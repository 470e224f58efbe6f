/* The header is plain C11 and the calls work from C. Run by api_test.cpp. */
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
