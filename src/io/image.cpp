#include "io/image.h"

#include "core/file.h"

namespace athanor::io {

Result<Tensor> ReadImage(const std::string& path, const ImageOptions& options) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  Result<Tensor> image = DecodeImage(file->bytes(), options);
  if (!image.ok()) return std::move(image).status().In(path);
  return image;
}

Status WritePng(const std::string& path, const Tensor& image) {
  ATH_TRY(const std::vector<std::uint8_t> bytes, EncodePng(image));
  return WriteFileAtomically(path, bytes);
}

}  // namespace athanor::io
