/* Athanor's C interface: load a model of any format, look at it, run it, compare results.
 *
 * Ownership: what a function gives through a pointer argument belongs to the caller until the
 * matching _destroy; destroying NULL does nothing. Strings and shapes inside an info struct or a
 * tensor belong to the object they came from and live as long as it does. Errors: every function
 * that can fail returns an ath_status (0 is success). ath_error_* describe the last failure of the
 * calling thread. Nothing is ever printed, no exception leaves the library. Threads: any number of
 * threads may use one ath_session or ath_request at once. A model is immutable once loaded.
 *
 * Structs: the caller sets struct_size to sizeof its struct before the call, of those that are
 * filled in too; a smaller number than this header's is refused. Fields a caller's older header
 * lacks are taken as 0. A NULL handle is ATH-1001, or -1 where a count is returned.
 */
#ifndef ATHANOR_ATHANOR_H_
#define ATHANOR_ATHANOR_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define ATH_EXPORT __declspec(dllexport)
#else
#define ATH_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The number people see as ATH-nnnn; 0 is success. `athanor explain ATH-nnnn` describes each. */
typedef int32_t ath_status;

/* Element types. Types below 8 bits take one byte per element. */
typedef enum ath_dtype {
  ATH_UNDEFINED = 0,
  ATH_F64,
  ATH_F32,
  ATH_F16,
  ATH_BF16,
  ATH_F8E4M3,
  ATH_F8E4M3FNUZ,
  ATH_F8E5M2,
  ATH_F8E5M2FNUZ,
  ATH_F8E8M0,
  ATH_F4E2M1,
  ATH_I64,
  ATH_I32,
  ATH_I16,
  ATH_I8,
  ATH_I4,
  ATH_I2,
  ATH_U64,
  ATH_U32,
  ATH_U16,
  ATH_U8,
  ATH_U4,
  ATH_U2,
  ATH_BOOL,
  ATH_STRING,
  ATH_C64,
  ATH_C128
} ath_dtype;

typedef struct ath_model ath_model;     /* a verified graph */
typedef struct ath_session ath_session; /* a model made ready for a device */
typedef struct ath_result ath_result;   /* the outputs of one run */
typedef struct ath_request ath_request; /* a run beside its caller */
typedef struct ath_package ath_package; /* an .athpkg file made ready for a device */
typedef struct ath_answer ath_answer;   /* what a package says about one picture */

/* Dense, row-major, at most 64 dimensions. `data` is aligned as its elements are (f32: 4 bytes);
 * that of ATH_STRING is an array of const char*, none NULL. An ATH_BOOL is 0 or 1. */
typedef struct ath_tensor {
  uint32_t struct_size; /* sizeof(ath_tensor): lets the struct grow */
  int32_t dtype;        /* ath_dtype */
  int32_t rank;
  const int64_t* dims;
  const void* data;
} ath_tensor;

/* Memory for a dense, row-major tensor of this type and shape, aligned as its elements are. */
typedef struct ath_buffer {
  uint32_t struct_size;
  int32_t dtype; /* ath_dtype, not ATH_STRING */
  int32_t rank;
  const int64_t* dims;
  void* data;
} ath_buffer;

/* A table in batches, of Arrow's C stream interface, which defines it
 * (arrow.apache.org/docs/format/CStreamInterface.html); pyarrow, polars, DuckDB, ADBC give it. */
struct ArrowArrayStream;

/* What a model says about one of its inputs or outputs. */
typedef struct ath_value_info {
  uint32_t struct_size;
  const char* name;
  int32_t dtype;
  int32_t rank;        /* -1: unknown */
  const int64_t* dims; /* -1 where a dimension is not a number */
  const char* type;    /* "f32[N, 3, 224, 224]" */
} ath_value_info;

typedef struct ath_load_options {
  uint32_t struct_size;
  const char* format; /* "onnx", "ath", ...; NULL finds out from the bytes */
} ath_load_options;

/* A device is "cpu"; "cpu.0" or "cpu.2-5", some of its cores, counted from 0 among those that the
 * process may use; "reference", slow and right by definition; "MULTI:A,B,...", each run on the one
 * of these devices that has the fewest; or "HETERO:A,B,...", one graph split over devices by what
 * they have code for and what it costs. Any other name is ATH-1002. */
typedef struct ath_session_options {
  uint32_t struct_size;
  const char* device;    /* "cpu" when NULL */
  int32_t threads;       /* 0: one per core; at most 1024 */
  int32_t streams;       /* of a device: requests that run at once, with threads each; 0: one */
  int32_t longest_queue; /* requests that wait for a stream; one more is refused. 0: 256 */
  const char* cache;     /* folder where what making the session gives is kept for the next
                          * process, which maps it; on cpu only. NULL or "": nothing is kept */
  const char* precision; /* of large products, on cpu: "f32" when NULL or ""; "bf16", whose factors
                          * have 8 bits, is ATH-2101 where the processor has no dot products of it;
                          * "auto" is bf16 where that is faster */
} ath_session_options;

/* Called once when a request is over, on a thread of the session or on the one that cancels it.
 * `status` is that of the run, described by ath_error_* on this thread; `result` belongs to the
 * callee and is NULL on a failure. It may start requests; it must not wait for one, nor destroy one
 * or the session. */
typedef void (*ath_done)(void* user, ath_status status, ath_result* result);

typedef struct ath_request_options {
  uint32_t struct_size;
  int64_t deadline_us; /* from the call on, waiting and planning included: then ATH-4002; 0: none */
  ath_done done;       /* may be NULL */
  void* user;          /* handed to `done` */
} ath_request_options;

/* Names of columns. Members may be NULL or 0. */
typedef struct ath_score_options {
  uint32_t struct_size;
  const char* const* keep; /* stand before the answers, as they came */
  int32_t num_keep;
  const char* const* drop; /* no features, for models of one matrix */
  int32_t num_drop;
} ath_score_options;

/* Members may be NULL or 0. */
typedef struct ath_package_options {
  uint32_t struct_size;
  const char* key_file;   /* a recipient's NAME.key that opens an encrypted package */
  const char* passphrase; /* opens it too */
  const char* trust_file; /* a NAME.pub: only what this key has signed is opened */
  const char* device;     /* as of a session */
  int32_t threads;        /* 0: one per core */
  const char* precision;  /* of its networks: see ath_session_options */
} ath_package_options;

typedef struct ath_difference {
  uint32_t struct_size;
  int32_t pass; /* 1 when every element is within atol + rtol * |expected| */
  double max_abs, rel_l2, cosine;
} ath_difference;

/* Of the library that runs, which may be newer than this header: "0.1.0". */
ATH_EXPORT const char* ath_version(void);

/* The last failure of this thread: what, where in the model, how to fix it; "" when there is none.
 */
ATH_EXPORT const char* ath_error_message(void);
ATH_EXPORT const char* ath_error_where(void);
ATH_EXPORT const char* ath_error_fix(void);
/* Everything as the command line prints it, all problems included. */
ATH_EXPORT const char* ath_error_text(void);

/* Loads a shared library with operators and converters (athanor/plugin.h), for models that are read
 * from now on by this process. Its code runs in this process: load only what you trust. */
ATH_EXPORT ath_status ath_load_plugin(const char* path);

/* Reads a model file of any known format, or "zoo:NAME". `options` may be NULL. */
ATH_EXPORT ath_status ath_load(const char* path, const ath_load_options* options,
                               ath_model** model);
ATH_EXPORT void ath_model_destroy(ath_model* model);
ATH_EXPORT int32_t ath_model_num_inputs(const ath_model* model);
ATH_EXPORT int32_t ath_model_num_outputs(const ath_model* model);
ATH_EXPORT ath_status ath_model_input(const ath_model* model, int32_t index, ath_value_info* info);
ATH_EXPORT ath_status ath_model_output(const ath_model* model, int32_t index, ath_value_info* info);
ATH_EXPORT int64_t ath_model_num_nodes(const ath_model* model);
/* Elements of all floating-point constants. */
ATH_EXPORT int64_t ath_model_num_parameters(const ath_model* model);
/* 1 when every input and output begins with the same symbolic dimension, which stands nowhere else
 * in them: rows of several requests can then be stacked into one run. Whether the model treats its
 * rows independently is not proved by its types: compare a stacked run with single ones. */
ATH_EXPORT int32_t ath_model_is_batchable(const ath_model* model);
/* Writes the format that the extension names. */
ATH_EXPORT ath_status ath_model_save(const ath_model* model, const char* path);

/* The session keeps what it needs: the model may be destroyed afterwards. `options` may be NULL. */
ATH_EXPORT ath_status ath_session_create(const ath_model* model, const ath_session_options* options,
                                         ath_session** session);
/* Cancels requests that are not over and waits for their end. */
ATH_EXPORT void ath_session_destroy(ath_session* session);
/* One tensor per model input, in order, all of one struct_size. The data are read during the call
 * only, never copied without need. */
ATH_EXPORT ath_status ath_session_run(ath_session* session, const ath_tensor* inputs,
                                      int32_t num_inputs, ath_result** result);

/* The same with the outputs written to the caller's memory: a buffer per model output, in order,
 * all of one struct_size, of the type and shape that the output has for these inputs (ATH-1003 when
 * it has others). Buffers overlap neither inputs nor each other. Nothing is made that has to be
 * destroyed, which is the fastest way for small models. After a failure the buffers hold nothing of
 * use. */
ATH_EXPORT ath_status ath_session_run_into(ath_session* session, const ath_tensor* inputs,
                                           int32_t num_inputs, const ath_buffer* outputs,
                                           int32_t num_outputs);

/* The same beside the caller, who goes on at once. What the inputs point to (not the array itself)
 * must live until the request is over. `options` may be NULL. `request` may be NULL when `done`
 * says how it ended. ATH-4001 when the queue is full. */
ATH_EXPORT ath_status ath_session_start(ath_session* session, const ath_tensor* inputs,
                                        int32_t num_inputs, const ath_request_options* options,
                                        ath_request** request);
/* Waits until the request is over, at most `timeout_us` microseconds (negative: as long as it
 * takes), and says whether it is. It is over after `done` has returned. */
ATH_EXPORT ath_status ath_request_wait(const ath_request* request, int64_t timeout_us,
                                       int32_t* is_over);
/* Ends it with ATH-4003: at once when it waits for a stream, before its next node when it runs. */
ATH_EXPORT void ath_request_cancel(ath_request* request);
/* The outputs, or the status of a run that failed. ATH-1001 when the request is not over. Each call
 * gives a result of its own; they share the memory. */
ATH_EXPORT ath_status ath_request_result(const ath_request* request, ath_result** result);
/* Cancels a request that is not over, and returns when its inputs are no longer read. */
ATH_EXPORT void ath_request_destroy(ath_request* request);

/* A table through a model whose inputs are columns, found by name, or one matrix: `answers` is made
 * a stream with a batch of answers for each batch of `rows`, which is taken over, also on a
 * failure, and read when `answers` is. The first batch is scored in this call. Numbers become those
 * of the model's inputs, null is its missing value (NaN or ""), and NaN in an answer null. What
 * fails later is told by `answers` (get_last_error). `answers` may outlive the session; one thread
 * at a time may use it. `options` may be NULL. */
ATH_EXPORT ath_status ath_session_score(ath_session* session, struct ArrowArrayStream* rows,
                                        const ath_score_options* options,
                                        struct ArrowArrayStream* answers);

ATH_EXPORT void ath_result_destroy(ath_result* result);
ATH_EXPORT int32_t ath_result_num_outputs(const ath_result* result);
/* A view that lives as long as the result. */
ATH_EXPORT ath_status ath_result_output(const ath_result* result, int32_t index,
                                        ath_tensor* tensor);

/* 1 when the file is a package (.athpkg), 0 when it is anything else or cannot be read. */
ATH_EXPORT int32_t ath_is_package(const char* path);
/* Checks every byte of the file and makes its model ready. `options` may be NULL. Any number of
 * threads may run one package at once. */
ATH_EXPORT ath_status ath_package_open(const char* path, const ath_package_options* options,
                                       ath_package** package);
ATH_EXPORT void ath_package_destroy(ath_package* package);
/* "" for NULL. */
ATH_EXPORT const char* ath_package_name(const ath_package* package);
/* The id of the key that signed it; "" when it is not signed. */
ATH_EXPORT const char* ath_package_signer(const ath_package* package);
/* What a request is made of: "picture", the bytes of files. string[N]: each picture has its rows in
 * every output; string[1]: how many rows there are differs from picture to picture. */
ATH_EXPORT ath_status ath_package_input(const ath_package* package, ath_value_info* info);
/* The tensors of an answer. With top_k: class i64[N, K], label string[N, K], score f32[N, K]. With
 * nms: box f32[M, 4] (x1, y1, x2, y2 in pixels of the picture as it came), class i64[M], label
 * string[M], score f32[M]. Labels are there when the package has names. Else the network's own. */
ATH_EXPORT int32_t ath_package_num_outputs(const ath_package* package);
ATH_EXPORT ath_status ath_package_output(const ath_package* package, int32_t index,
                                         ath_value_info* info);
/* 1 when one run of the network may serve several pictures: its types allow it, and a trial (made
 * by the first call) showed that rows do not depend on each other. */
ATH_EXPORT int32_t ath_package_is_batchable(const ath_package* package);
/* `picture` holds the bytes of a JPEG, PNG, BMP, WebP or PNM file. */
ATH_EXPORT ath_status ath_package_run(const ath_package* package, const void* picture, size_t size,
                                      ath_answer** answer);
/* `count` answers, each as ath_package_run gives it, through one run of the network when it is
 * batchable and the pictures have one size for it. On a failure no answer is given. */
ATH_EXPORT ath_status ath_package_run_all(const ath_package* package, const void* const* pictures,
                                          const size_t* sizes, int32_t count, ath_answer** answers);
ATH_EXPORT void ath_answer_destroy(ath_answer* answer);
/* {"picture": [width, height], "classes": [...]} or "boxes"; as `athanor run --json` gives it. */
ATH_EXPORT const char* ath_answer_json(const ath_answer* answer);
ATH_EXPORT int32_t ath_answer_num_outputs(const ath_answer* answer);
/* A view that lives as long as the answer: one picture's rows (N = 1). */
ATH_EXPORT ath_status ath_answer_output(const ath_answer* answer, int32_t index,
                                        ath_tensor* tensor);

/* How far two tensors of one shape are apart. The tolerances are 0 or more. */
ATH_EXPORT ath_status ath_compare(const ath_tensor* actual, const ath_tensor* expected, double rtol,
                                  double atol, ath_difference* difference);

#ifdef __cplusplus
}
#endif

#endif /* ATHANOR_ATHANOR_H_ */
