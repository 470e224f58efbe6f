#include "score/arrow_files.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "core/text.h"

namespace athanor::score {
namespace {

constexpr std::array<std::string_view, 6> kExtensions = {".parquet", ".pq",  ".arrow",
                                                         ".feather", ".ipc", ".arrows"};

// Both scripts end with one line that says why. A batch at a time: memory does not grow with the
// file, but a row group of Parquet is read as a whole. When all is written they end at once:
// threads of Arrow that still read ahead sometimes crash while the interpreter takes itself down.
constexpr std::string_view kCommon = R"(
import sys
sys.path = [folder for folder in sys.path if folder]  # a module that lies beside the data is none of ours
import json, math, os
def fail(why):
    print(str(why).strip().splitlines()[-1] if str(why).strip() else repr(why), file=sys.stderr)
    sys.exit(1)
try:
    import pyarrow as pa, pyarrow.csv, pyarrow.parquet
except ImportError as error:
    fail(f'pyarrow: {error}')
def opened(path):
    if path.endswith(('.parquet', '.pq')):
        file = pa.parquet.ParquetFile(path, memory_map=True)
        return file.schema_arrow, lambda names: file.iter_batches(batch_size=16384, columns=names)
    source = pa.memory_map(path)
    try:
        reader = pa.ipc.open_file(source)
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
    except pa.ArrowInvalid:
        source.seek(0)
        reader = batches = pa.ipc.open_stream(source)
    return reader.schema, lambda names: (batch.select(names) for batch in batches)
def plain(kind):
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if pa.types.is_float16(kind):
        return pa.float32()
    return pa.string() if str(kind) == 'string_view' else kind
)";

constexpr std::string_view kRead = R"(
path, wanted = sys.argv[1], json.loads(sys.argv[2])
try:
    schema, batches = opened(path)
    names = schema.names
    if len(set(names)) < len(names):
        fail('two columns have one name')
    if wanted and set(wanted) <= set(names):
        names = [name for name in names if name in wanted]
    kinds = [plain(schema.field(name).type) for name in names]
    # A lone column's null would be an empty line, which in csv is no row.
    filled = None
    if len(kinds) == 1:
        filled = math.nan if pa.types.is_floating(kinds[0]) else ''
        kinds = kinds if pa.types.is_floating(kinds[0]) else [pa.string()]
    flat = pa.schema(list(zip(names, kinds)))
    with pa.csv.CSVWriter(sys.stdout.buffer, flat) as writer:
        for batch in batches(names):
            columns = [c if c.type == f.type else c.cast(f.type) for c, f in zip(batch.columns, flat)]
            if filled is not None:
                columns = [columns[0].fill_null(filled)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=flat))
    sys.stdout.buffer.flush()
    os._exit(0)
except BrokenPipeError:
    sys.exit(1)
except Exception as error:
    fail(error)
)";

constexpr std::string_view kWrite = R"(
import csv, io, itertools
path, target, source, kept, types = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), dict(json.loads(sys.argv[5]))
try:
    names = next(csv.reader(io.StringIO(sys.stdin.buffer.readline().decode())))
    if len(set(names)) < len(names):
        fail('two columns have one name')
    known = opened(source)[0] if source else None
    def kind(i, name):
        if i < kept:
            return plain(known.field(name).type) if known else pa.string()
        return pa.type_for_alias(types[name] if name in types else types[name[:name.rindex('(')]])
    schema = pa.schema([(name, kind(i, name)) for i, name in enumerate(names)])
    first = sys.stdin.buffer.peek(1)
    rows = pa.csv.open_csv(
        sys.stdin.buffer, pa.csv.ReadOptions(column_names=names), pa.csv.ParseOptions(newlines_in_values=True),
        pa.csv.ConvertOptions(column_types=schema, null_values=[''], strings_can_be_null=True)) if first else []
    if path.endswith(('.parquet', '.pq')):
        writer = pa.parquet.ParquetWriter(target, schema)
    elif path.endswith('.arrows'):
        writer = pa.ipc.new_stream(target, schema)
    else:
        writer = pa.ipc.new_file(target, schema)
    with writer:
        for batch in rows:
            writer.write_batch(batch)
    os._exit(0)
except Exception as error:
    fail(error)
)";

std::string Json(const std::vector<std::string>& texts) {
  std::string json = "[";
  for (const std::string& text : texts) {
    json += json.size() > 1 ? ",\"" : "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') json += '\\';
      if (static_cast<unsigned char>(c) < 0x20) {
        json += fmt::format("\\u{:04x}", c);
      } else {
        json += c;
      }
    }
    json += '"';
  }
  return json + "]";
}

Result<ChildProcess> Python(std::string_view script, std::vector<std::string> arguments,
                            ChildProcess::End end) {
  const char* chosen = std::getenv("ATHANOR_PYTHON");
  std::vector<std::string> command = {chosen != nullptr && *chosen != '\0' ? chosen : "python3",
                                      "-c", fmt::format("{}{}", kCommon, script)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return ChildProcess::Start(command, end);
}

}  // namespace

bool IsArrowFile(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

Result<ChildProcess> ReadArrowFile(const std::string& path,
                                   const std::vector<std::string>& columns) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return Error(ErrorCode::kFileNotFound, "{}: {}", path,
                 error ? error.message() : std::string("is no file"));
  Result<ChildProcess> child = Python(kRead, {path, Json(columns)}, ChildProcess::End::kItsOutput);
  if (!child.ok()) return ArrowFileFailure(std::move(child).status()).In(path);
  return child;
}

Result<ChildProcess> WriteArrowFile(const ArrowFileOptions& options) {
  std::vector<std::string> pairs;
  for (const auto& [name, type] : options.types) pairs.push_back(Json({name, type}));
  Result<ChildProcess> child =
      Python(kWrite,
             {options.path, options.target, options.source, fmt::format("{}", options.num_kept),
              "[" + Join(pairs, ",") + "]"},
             ChildProcess::End::kItsInput);
  if (!child.ok()) return ArrowFileFailure(std::move(child).status()).In(options.path);
  return child;
}

Status ArrowFileFailure(Status status) {
  const bool no_python = status.code() == ErrorCode::kFileNotFound;
  const bool no_pyarrow = status.message().starts_with("pyarrow: ");
  if (!no_python && !no_pyarrow) return status;
  return Error(ErrorCode::kUsage,
               "Parquet and Arrow files pass through Python's pyarrow, which is not there: {}",
               status.message())
      .Fix("pip install pyarrow (ATHANOR_PYTHON names the interpreter; else python3), or use csv");
}

}  // namespace athanor::score
