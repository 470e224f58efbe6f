#include "frontends/ncnn/axis_order.h"

#include <span>
#include <string_view>

namespace athanor::ncnn {
namespace {

// Innermost first, as ncnn writes them.
constexpr std::string_view kOrders1[] = {"W"};
constexpr std::string_view kOrders2[] = {"WH", "HW"};
constexpr std::string_view kOrders3[] = {"WHC", "HWC", "WCH", "CWH", "HCW", "CHW"};
constexpr std::string_view kOrders4[] = {
    "WHDC", "HWDC", "WDHC", "DWHC", "HDWC", "DHWC", "WHCD", "HWCD", "WCHD", "CWHD", "HCWD", "CHWD",
    "WDCH", "DWCH", "WCDH", "CWDH", "DCWH", "CDWH", "HDCW", "DHCW", "HCDW", "CHDW", "DCHW", "CDHW"};

std::span<const std::string_view> Orders(std::size_t rank) {
  switch (rank) {
    case 1:
      return kOrders1;
    case 2:
      return kOrders2;
    case 3:
      return kOrders3;
    case 4:
      return kOrders4;
    default:
      return {};
  }
}

}  // namespace

Result<std::vector<std::int64_t>> AxisOrder(std::int64_t rank, std::int64_t type) {
  const auto orders = Orders(static_cast<std::size_t>(rank));
  if (type < 0 || type >= static_cast<std::int64_t>(orders.size()))
    return InvalidModel("order {} does not exist for {} axes", type, rank);
  const std::string_view order = orders[static_cast<std::size_t>(type)];
  std::vector<std::int64_t> axes;
  for (std::size_t i = order.size(); i-- > 0;)
    axes.push_back(rank - 1 - static_cast<std::int64_t>(orders[0].find(order[i])));
  return axes;
}

Result<std::int64_t> OrderType(const std::vector<std::int64_t>& order) {
  const auto count = static_cast<std::int64_t>(Orders(order.size()).size());
  for (std::int64_t type = 0; type < count; ++type) {
    ATH_TRY(const std::vector<std::int64_t> axes,
            AxisOrder(static_cast<std::int64_t>(order.size()), type));
    if (axes == order) return type;
  }
  return Unsupported("this order of {} axes has no number", order.size());
}

}  // namespace athanor::ncnn
