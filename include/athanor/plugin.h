/* Operators and converters from outside: what a shared library exports so that Athanor can load it.
 * C11, and nothing beyond this header and athanor.h: a plug-in links no library of Athanor's.
 *
 * ath_plugin_entry, below, is the one function it exports. It gives a table of operators and
 * converters, which lives as long as the process, or NULL where it cannot serve this `abi`.
 * docs/plugins.md shows a whole one.
 *
 * Callbacks get `host`, the functions that they may call back, and `node`, what they are called
 * for: both are good for the call only, and so is what is read through them. They return 0, or what
 * host->fail gave. Whatever a call of the host refuses ends the callback's node with an error, also
 * if its status is not looked at. `infer` and `run` are called from any number of threads at once.
 * A callback must not throw, nor write beyond the elements that it is given.
 *
 * Structs: struct_size is sizeof the struct as the writer knows it; in an array all state the same.
 * Fields that a plug-in's older header lacks are taken as 0. New functions come at the end of
 * ath_host: host->struct_size says which are there. ATH_PLUGIN_ABI changes when that is not enough.
 */
#ifndef ATHANOR_PLUGIN_H_
#define ATHANOR_PLUGIN_H_

#include <athanor/athanor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ATH_PLUGIN_ABI = 1 };

/* What a callback may say when it fails; see `athanor explain ATH-2001` and so on. Another number
 * counts as the first of them in `infer`, the second in `convert`, the fourth in `run`. */
enum {
  ATH_INVALID_MODEL = 2001,    /* inputs or attributes that make no sense together */
  ATH_NOT_SUPPORTED = 2101,    /* they do, but this form is not implemented */
  ATH_TYPE_UNSUPPORTED = 2102, /* not for these element types */
  ATH_DATA_ERROR = 2301,       /* a value met while running is out of range */
  ATH_OUT_OF_MEMORY = 4001
};

typedef struct ath_node ath_node;

/* A value of the graph that a converter builds; ATH_NO_VALUE: an input that is left out. */
typedef int64_t ath_value;
enum { ATH_NO_VALUE = -1 };

/* An ath_tensor means more in here than in athanor.h. In `infer` and in converters, `rank` is -1
 * where it is not known, and in `dims` -1 stands for a size that is not known, a number below -1
 * for one that is not a number yet, such as the batch: put it into an output, and the two sizes are
 * the same. `data` is NULL where the elements are not known yet. An input that is left out has
 * dtype ATH_UNDEFINED. Callers set struct_size before a tensor is filled in. */

typedef struct ath_host {
  uint32_t struct_size;
  uint32_t abi;

  /* In every callback. Fails the node; gives a status to return. `message` is copied. */
  ath_status (*fail)(ath_node* node, ath_status code, const char* message);
  const char* (*op_name)(const ath_node* node); /* as the file calls it */
  int32_t (*num_inputs)(const ath_node* node);
  int32_t (*num_outputs)(const ath_node* node);
  ath_status (*input)(ath_node* node, int32_t index, ath_tensor* tensor);

  /* Attributes: 1 where the node has it, of this kind; else 0, and what `value` and `count` point
   * to stays as it is. A whole number is a float as well, and a number a list of one. */
  int32_t (*get_int)(ath_node* node, const char* name, int64_t* value);
  int32_t (*get_float)(ath_node* node, const char* name, float* value);
  int32_t (*get_string)(ath_node* node, const char* name, const char** value);
  int32_t (*get_dtype)(ath_node* node, const char* name, int32_t* value);
  int32_t (*get_ints)(ath_node* node, const char* name, const int64_t** value, int32_t* count);
  int32_t (*get_floats)(ath_node* node, const char* name, const float** value, int32_t* count);
  int32_t (*get_strings)(ath_node* node, const char* name, const char* const** value,
                         int32_t* count);
  int32_t (*get_tensor)(ath_node* node, const char* name, ath_tensor* value);

  /* In `infer`: what is known of an output; each must be set. In `run` of an operator with
   * ATH_DATA_DEPENDENT: makes the output, whose sizes are numbers now. */
  ath_status (*set_output)(ath_node* node, int32_t index, int32_t dtype, int32_t rank,
                           const int64_t* dims);

  /* In `run`. The elements of an output, to be written all; of ATH_STRING, which are "" before,
   * with set_string. NULL where the output is not wanted or not made yet. */
  void* (*output)(ath_node* node, int32_t index, ath_tensor* shape);
  ath_status (*set_string)(ath_node* node, int32_t index, int64_t element, const char* text);

  /* In `convert`. The value of an input, to be handed to nodes. */
  ath_value (*value)(ath_node* node, int32_t index);
  /* The type of any value, as `input` gives it. */
  ath_status (*type_of)(ath_node* node, ath_value value, ath_tensor* tensor);
  /* A constant; its elements are copied. */
  ath_value (*constant)(ath_node* node, const ath_tensor* tensor);
  /* A node of an operator of the graph (docs/ops, or a custom one): begin it, hand it inputs and
   * attributes, then end it, which gives its outputs. */
  ath_status (*begin)(ath_node* node, const char* op);
  ath_status (*add_input)(ath_node* node, ath_value value);
  ath_status (*put_int)(ath_node* node, const char* name, int64_t value);
  ath_status (*put_float)(ath_node* node, const char* name, float value);
  ath_status (*put_string)(ath_node* node, const char* name, const char* value);
  ath_status (*put_dtype)(ath_node* node, const char* name, int32_t value);
  ath_status (*put_ints)(ath_node* node, const char* name, const int64_t* value, int32_t count);
  ath_status (*put_floats)(ath_node* node, const char* name, const float* value, int32_t count);
  ath_status (*put_strings)(ath_node* node, const char* name, const char* const* value,
                            int32_t count);
  ath_status (*put_tensor)(ath_node* node, const char* name, const ath_tensor* value);
  ath_status (*end)(ath_node* node, ath_value* outputs, int32_t num_outputs);
  /* What output `index` of the file's node is; each must be given. */
  ath_status (*give)(ath_node* node, int32_t index, ath_value value);

  /* The names of the attributes that the node has, for those who take any; NULL beyond the last. */
  const char* (*attribute)(ath_node* node, int32_t index, int32_t* kind);
} ath_host;

/* How many values a port takes. */
typedef enum ath_count { ATH_ONE = 0, ATH_OPTIONAL, ATH_ANY_NUMBER /* the last port */ } ath_count;

typedef struct ath_port {
  uint32_t struct_size;
  const char* name;
  const char* doc; /* may be NULL */
  int32_t count;   /* ath_count */
} ath_port;

typedef enum ath_attr_kind {
  ATH_ATTR_INT = 0,
  ATH_ATTR_FLOAT,
  ATH_ATTR_STRING,
  ATH_ATTR_DTYPE,
  ATH_ATTR_INTS,
  ATH_ATTR_FLOATS,
  ATH_ATTR_STRINGS,
  ATH_ATTR_TENSOR
} ath_attr_kind;

typedef struct ath_attr {
  uint32_t struct_size;
  const char* name;
  const char* doc;  /* may be NULL */
  int32_t kind;     /* ath_attr_kind */
  int32_t required; /* 1: a node without it is refused */
} ath_attr;

/* Of an operator. Without any: the outputs follow from inputs and attributes alone, so nodes that
 * are equal may be merged, and those of constants may be run once and for all. */
enum {
  ATH_NOT_PURE = 1,      /* draws random numbers, counts, reads a clock, ... */
  ATH_DATA_DEPENDENT = 2 /* `infer` need not know sizes; `run` makes the outputs with set_output */
};

/* DOMAIN::NAME: an ONNX node of that domain and name is one, and a node of the graph that is
 * written to ONNX. Of other formats: FORMAT::NAME, such as caffe::Roll. */
typedef struct ath_op {
  uint32_t struct_size;
  const char* name;
  const char* doc; /* may be NULL */
  const ath_port* inputs;
  int32_t num_inputs;
  const ath_port* outputs;
  int32_t num_outputs;
  const ath_attr* attributes;
  int32_t num_attributes;
  uint32_t flags;
  /* Types and shapes of the outputs from what is known of the inputs. NULL: every output is as
   * input 0. Also called for sizes that are all known, before each run. */
  ath_status (*infer)(const ath_host* host, ath_node* node, void* user);
  /* The elements of the outputs. */
  ath_status (*run)(const ath_host* host, ath_node* node, void* user);
  void* user; /* handed to both */
} ath_op;

/* Rewrites a node of a file into nodes of the graph; asked where Athanor does not read it. */
typedef struct ath_converter {
  uint32_t struct_size;
  const char* format; /* "onnx", "tflite", ...: as --format names them */
  const char* op;     /* "DOMAIN::NAME" for ONNX, else as the file calls it */
  ath_status (*convert)(const ath_host* host, ath_node* node, void* user);
  void* user;
} ath_converter;

typedef struct ath_plugin {
  uint32_t struct_size;
  uint32_t abi; /* ATH_PLUGIN_ABI */
  const char* name;
  const ath_op* ops;
  int32_t num_ops;
  const ath_converter* converters;
  int32_t num_converters;
  uint32_t flags; /* ATH_REPLACE or 0 */
} ath_plugin;

/* Operators and converters of names that plug-ins have brought already take their place for models
 * that are loaded from now on; else they are refused. For definitions that change while a program
 * runs. */
enum { ATH_REPLACE = 1 };

/* What a plug-in defines, see above. */
ATH_EXPORT const ath_plugin* ath_plugin_entry(uint32_t abi);
typedef const ath_plugin* (*ath_plugin_entry_fn)(uint32_t abi);

/* For programs. Takes the table of a plug-in that is part of the program: all of it, or nothing
 * when it fails. Strings are copied, callbacks and `user` live as long as the process. Files are
 * loaded with ath_load_plugin of athanor.h. */
ATH_EXPORT ath_status ath_add_plugin(const ath_plugin* plugin);

#ifdef __cplusplus
}
#endif

#endif /* ATHANOR_PLUGIN_H_ */
