#include "frontends/hdf5/file.h"

#include <algorithm>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/hdf5/reader.h"

namespace athanor::hdf5 {
namespace {

constexpr std::string_view kMark = "\211HDF\r\n\032\n";
constexpr int kMaxDepth = 16;  // of the tree of a group

using Links = std::map<std::string, std::uint64_t>;  // name -> address of an object header

const Message* FindMessage(const std::vector<Message>& messages, MessageType type) {
  const auto at = std::find_if(messages.begin(), messages.end(),
                               [&](const Message& message) { return message.type == type; });
  return at == messages.end() ? nullptr : &*at;
}

std::string NameAt(Bytes heap, std::uint64_t offset) {
  if (offset >= heap.size()) return "";
  const auto begin = heap.begin() + static_cast<std::ptrdiff_t>(offset);
  return {begin, std::find(begin, heap.end(), 0)};
}

// The members of a group that is a symbol table: a tree whose leaves name them.
class SymbolTable {
 public:
  SymbolTable(Bytes file, Bytes heap)
      : file_(file), heap_(heap), nodes_left_(file.size() / 8 + 1) {}

  Status Read(std::uint64_t address, int depth, Links& links) {
    if (depth == 0 || nodes_left_-- == 0) return Damaged("the tree of a group is a ring");
    Reader reader(file_, address);
    if (!reader.Expect("TREE") || reader.Byte() != 0) return Damaged("a group has no tree");
    const std::uint8_t level = reader.Byte();
    const std::uint64_t count = reader.Number(2);
    reader.Skip(16);
    for (std::uint64_t i = 0; i < count; ++i) {
      reader.Skip(8);
      const std::uint64_t child = reader.Address();
      if (reader.failed()) return Damaged("the tree of a group reaches beyond the end");
      ATH_RETURN_IF_ERROR(level > 0 ? Read(child, depth - 1, links) : ReadLeaf(child, links));
    }
    return {};
  }

 private:
  Status ReadLeaf(std::uint64_t address, Links& links) {
    Reader reader(file_, address);
    if (nodes_left_-- == 0 || !reader.Expect("SNOD")) return Damaged("a group has no members");
    reader.Skip(2);
    const std::uint64_t count = reader.Number(2);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t name = reader.Address(), object = reader.Address();
      reader.Skip(24);
      if (reader.failed()) return Damaged("the members of a group reach beyond the end");
      links.emplace(NameAt(heap_, name), object);
    }
    return {};
  }

  Bytes file_, heap_;
  std::uint64_t nodes_left_;
};

Status ReadSymbolTable(Bytes file, Bytes message, Links& links) {
  Reader reader(message, 0);
  const std::uint64_t tree = reader.Address(), heap_address = reader.Address();
  Reader heap(file, heap_address);
  if (reader.failed() || !heap.Expect("HEAP")) return Damaged("a group has no names");
  heap.Skip(4);
  const std::uint64_t size = heap.Address();
  heap.Skip(8);
  Reader names(file, heap.Address());
  const Bytes bytes = names.Take(size);
  if (heap.failed() || names.failed()) return Damaged("the names of a group");
  return SymbolTable(file, bytes).Read(tree, kMaxDepth, links);
}

Status ReadLink(Bytes message, Links& links) {
  Reader reader(message, 0);
  reader.Skip(1);
  const std::uint8_t flags = reader.Byte();
  const std::uint8_t type = (flags & 0x08U) != 0 ? reader.Byte() : 0;
  if ((flags & 0x04U) != 0) reader.Skip(8);
  if ((flags & 0x10U) != 0) reader.Skip(1);
  const Bytes name = reader.Take(reader.Number(std::size_t{1} << (flags & 3U)));
  const std::uint64_t object = reader.Address();
  if (type != 0) return {};  // soft and external links are not followed
  if (reader.failed()) return Damaged("a link of a group");
  links.emplace(std::string(name.begin(), name.end()), object);
  return {};
}

Result<Links> ReadGroup(Bytes file, std::uint64_t address) {
  ATH_TRY(const std::vector<Message> messages, ReadHeader(file, address));
  Links links;
  for (const Message& message : messages) {
    if (message.type == kSymbolTable)
      ATH_RETURN_IF_ERROR(ReadSymbolTable(file, message.data, links));
    if (message.type == kLink) ATH_RETURN_IF_ERROR(ReadLink(message.data, links));
    if (message.type != kLinkInfo) continue;
    Reader reader(message.data, 0);
    reader.Skip(1);
    reader.Skip((reader.Byte() & 1U) != 0 ? 8 : 0);
    if (reader.Address() != kUndefined)
      return Unsupported("groups with many links in a fractal heap are not read")
          .Fix("save the model again with h5py's default, libver='earliest'");
  }
  return links;
}

struct Attribute {
  std::string name;
  Bytes datatype, dataspace, data;
};

Result<Attribute> ReadAttribute(Bytes message) {
  Reader reader(message, 0);
  const std::uint8_t version = reader.Byte(), flags = reader.Byte();
  const std::uint64_t name = reader.Number(2), datatype = reader.Number(2),
                      dataspace = reader.Number(2);
  if (version == 3) reader.Skip(1);
  if (version < 1 || version > 3) return Damaged("an attribute");
  if (version > 1 && (flags & 3U) != 0) return Unsupported("shared element types are not read");
  const auto take = [&](std::uint64_t size) {
    const std::uint64_t start = reader.position();
    const Bytes taken = reader.Take(size);
    if (version == 1) reader.Align(start, 8);
    return taken;
  };
  Attribute attribute;
  const Bytes text = take(name);
  attribute.name.assign(text.begin(), std::find(text.begin(), text.end(), 0));
  attribute.datatype = take(datatype);
  attribute.dataspace = take(dataspace);
  attribute.data = reader.Take(reader.left());
  if (reader.failed()) return Damaged("an attribute");
  return attribute;
}

Result<Attribute> FindAttribute(Bytes file, std::uint64_t object, std::string_view name) {
  ATH_TRY(const std::vector<Message> messages, ReadHeader(file, object));
  for (const Message& message : messages) {
    if (message.type != kAttribute) continue;
    ATH_TRY(Attribute attribute, ReadAttribute(message.data));
    if (attribute.name == name) return attribute;
  }
  return InvalidModel("there is no attribute {}", Quote(name));
}

// Where the elements of a data set lie, as one piece: in the header or in the file.
Result<Bytes> PlainElements(Bytes file, Bytes layout, std::uint64_t bytes) {
  enum Class : std::uint8_t { kCompact = 0, kContiguous = 1 };
  Reader reader(layout, 0);
  const std::uint8_t version = reader.Byte(), kind = reader.Byte();
  if (version != 3 && version != 4)
    return Unsupported("a layout of version {} is not read; 3 and 4 are", version);
  if (kind == kCompact) {
    const Bytes elements = reader.Take(reader.Number(2));
    if (reader.failed() || elements.size() < bytes) return Damaged("the elements of an array");
    return elements.first(bytes);
  }
  if (kind != kContiguous) return Unsupported("an array of layout class {} is not read", kind);
  const std::uint64_t address = reader.Address();
  if (bytes == 0) return Bytes();
  Reader elements(file, address);
  const Bytes taken = elements.Take(bytes);
  if (reader.failed() || elements.failed()) return Damaged("an array reaches beyond the end");
  return taken;
}

bool IsChunked(Bytes layout) {
  constexpr std::uint8_t kChunked = 2;
  return layout.size() > 1 && layout[1] == kChunked;
}

}  // namespace

bool IsHdf5(Bytes file) { return Reader(file, 0).Expect(kMark); }

Result<File> File::Open(Bytes bytes, std::shared_ptr<const void> owner) {
  File file(bytes, std::move(owner));
  Reader reader(bytes, kMark.size());
  const std::uint8_t version = reader.Byte();
  std::uint64_t widths = 0;
  if (version <= 1) {
    reader.Skip(4);
    widths = reader.Number(2);
    reader.Skip(version == 0 ? 9 : 13);
    reader.Skip(4 * 8);  // base, free space, end, driver
    reader.Skip(8);      // the root's name
    file.root_ = reader.Address();
  } else {
    widths = reader.Number(2);
    reader.Skip(1 + 3 * 8);  // flags; base, extension, end
    file.root_ = reader.Address();
  }
  if (!IsHdf5(bytes) || reader.failed()) return Damaged("it is too short");
  if (version > 3) return Unsupported("HDF5 superblock {} is not read; 0 to 3 are", version);
  if (widths != 0x0808)
    return Unsupported("HDF5 files whose addresses have other than 8 bytes are not read");
  return file;
}

Result<std::uint64_t> File::Find(std::string_view path) const {
  std::uint64_t object = root_;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name.empty()) continue;
    ATH_TRY(const Links links, ReadGroup(bytes_, object));
    const auto at = links.find(std::string(name));
    if (at == links.end()) return InvalidModel("there is no {} in the file", Quote(name));
    object = at->second;
  }
  return object;
}

Result<std::vector<std::string>> File::Children(std::string_view group) const {
  ATH_TRY(const std::uint64_t object, Find(group));
  ATH_TRY(const Links links, ReadGroup(bytes_, object));
  std::vector<std::string> names;
  for (const auto& [name, address] : links) names.push_back(name);
  return names;
}

Result<Tensor> File::Read(std::string_view path) const {
  ATH_TRY(const std::uint64_t object, Find(path));
  ATH_TRY(const std::vector<Message> messages, ReadHeader(bytes_, object));
  const Message* space = FindMessage(messages, kDataspace);
  const Message* datatype = FindMessage(messages, kDatatype);
  const Message* layout = FindMessage(messages, kLayout);
  if (space == nullptr || datatype == nullptr || layout == nullptr)
    return InvalidModel("{} is no array", Quote(path));
  if ((datatype->flags & 2U) != 0) return Unsupported("shared element types are not read");
  ATH_TRY(const ElementType type, ReadDatatype(datatype->data));
  ATH_TRY(const Dims dims, ReadDataspace(space->data));
  if (type.kind != ElementType::kNumber) return Unsupported("{} is text", Quote(path));
  if (IsChunked(layout->data)) {
    const Message* filters = FindMessage(messages, kFilters);
    ATH_TRY(std::vector<std::uint8_t> elements,
            ReadChunks(bytes_, dims, type.size, layout->data,
                       filters == nullptr ? Bytes() : filters->data));
    ATH_TRY(Tensor tensor, Tensor::Allocate(type.dtype, dims));
    if (!elements.empty()) std::memcpy(tensor.mutable_raw(), elements.data(), elements.size());
    return tensor;
  }
  const auto bytes =
      CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(*CheckedCount(dims)), type.size);
  if (!bytes) return Damaged("the shape of an array");
  ATH_TRY(const Bytes elements, PlainElements(bytes_, layout->data, *bytes));
  if (reinterpret_cast<std::uintptr_t>(elements.data()) % type.size == 0)
    return Tensor::View(type.dtype, dims, elements.data(), owner_);
  ATH_TRY(Tensor tensor, Tensor::Allocate(type.dtype, dims));
  if (!elements.empty()) std::memcpy(tensor.mutable_raw(), elements.data(), elements.size());
  return tensor;
}

bool File::HasAttribute(std::string_view path, std::string_view name) const {
  const Result<std::uint64_t> object = Find(path);
  return object.ok() && FindAttribute(bytes_, *object, name).ok();
}

Result<std::vector<std::string>> File::Strings(std::string_view path, std::string_view name) const {
  ATH_TRY(const std::uint64_t object, Find(path));
  ATH_TRY(const Attribute attribute, FindAttribute(bytes_, object, name));
  ATH_TRY(const ElementType type, ReadDatatype(attribute.datatype));
  ATH_TRY(const Dims dims, ReadDataspace(attribute.dataspace));
  return ReadStrings(bytes_, type, static_cast<std::uint64_t>(*CheckedCount(dims)), attribute.data);
}

}  // namespace athanor::hdf5
