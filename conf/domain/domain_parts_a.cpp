#include "conf/domain/domain.hpp"

namespace cloister::xml {

template Result<Os> parse<Os>(const Node&, Flavour);
template void format_into<Os>(const Os&, Node&, const Style&);
template void unmodelled<Os>(const Os&, std::string_view, std::vector<Unmodelled>&);
template Result<Cpu> parse<Cpu>(const Node&, Flavour);
template void format_into<Cpu>(const Cpu&, Node&, const Style&);
template void unmodelled<Cpu>(const Cpu&, std::string_view, std::vector<Unmodelled>&);
template Result<MemoryBacking> parse<MemoryBacking>(const Node&, Flavour);
template void format_into<MemoryBacking>(const MemoryBacking&, Node&, const Style&);
template void unmodelled<MemoryBacking>(const MemoryBacking&, std::string_view, std::vector<Unmodelled>&);
template Result<NumaTune> parse<NumaTune>(const Node&, Flavour);
template void format_into<NumaTune>(const NumaTune&, Node&, const Style&);
template void unmodelled<NumaTune>(const NumaTune&, std::string_view, std::vector<Unmodelled>&);
template Result<MemTune> parse<MemTune>(const Node&, Flavour);
template void format_into<MemTune>(const MemTune&, Node&, const Style&);
template void unmodelled<MemTune>(const MemTune&, std::string_view, std::vector<Unmodelled>&);

} // namespace cloister::xml
