// libFuzzer: any text as the code, the module's pickle or the program of an archive that is
// otherwise right, so that checksums and sizes of the archive do not stop it. `./dev fuzz
// pytorch_parts 60`.
#include "frontends/pytorch/files_for_test.h"
#include "frontends/pytorch/pytorch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athanor::pytorch;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  // Which member of which archive the text takes the place of.
  Members members = data[0] % 4 == 3 ? ProgramMembers() : ScriptMembers();
  constexpr std::size_t kMembers[] = {0, 2, 3, 1};
  members[kMembers[data[0] % 4]].second = text;
  const std::string file = ZipOf(members);
  (void)Import({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, nullptr).ok();
  return 0;
}
