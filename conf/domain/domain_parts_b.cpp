#include "conf/domain/domain.hpp"

namespace cloister::xml {

template Result<BlkioTune> parse<BlkioTune>(const Node&, Flavour);
template void format_into<BlkioTune>(const BlkioTune&, Node&, const Style&);
template void unmodelled<BlkioTune>(const BlkioTune&, std::string_view, std::vector<Unmodelled>&);
template Result<CpuTune> parse<CpuTune>(const Node&, Flavour);
template void format_into<CpuTune>(const CpuTune&, Node&, const Style&);
template void unmodelled<CpuTune>(const CpuTune&, std::string_view, std::vector<Unmodelled>&);
template Result<Vcpu> parse<Vcpu>(const Node&, Flavour);
template void format_into<Vcpu>(const Vcpu&, Node&, const Style&);
template void unmodelled<Vcpu>(const Vcpu&, std::string_view, std::vector<Unmodelled>&);
template Result<Vcpus> parse<Vcpus>(const Node&, Flavour);
template void format_into<Vcpus>(const Vcpus&, Node&, const Style&);
template void unmodelled<Vcpus>(const Vcpus&, std::string_view, std::vector<Unmodelled>&);
template Result<IoThreadIds> parse<IoThreadIds>(const Node&, Flavour);
template void format_into<IoThreadIds>(const IoThreadIds&, Node&, const Style&);
template void unmodelled<IoThreadIds>(const IoThreadIds&, std::string_view, std::vector<Unmodelled>&);
template Result<Features> parse<Features>(const Node&, Flavour);
template void format_into<Features>(const Features&, Node&, const Style&);
template void unmodelled<Features>(const Features&, std::string_view, std::vector<Unmodelled>&);
template Result<Sysinfo> parse<Sysinfo>(const Node&, Flavour);
template void format_into<Sysinfo>(const Sysinfo&, Node&, const Style&);
template void unmodelled<Sysinfo>(const Sysinfo&, std::string_view, std::vector<Unmodelled>&);
template Result<Clock> parse<Clock>(const Node&, Flavour);
template void format_into<Clock>(const Clock&, Node&, const Style&);
template void unmodelled<Clock>(const Clock&, std::string_view, std::vector<Unmodelled>&);
template Result<Resource> parse<Resource>(const Node&, Flavour);
template void format_into<Resource>(const Resource&, Node&, const Style&);
template void unmodelled<Resource>(const Resource&, std::string_view, std::vector<Unmodelled>&);
template Result<IdMap> parse<IdMap>(const Node&, Flavour);
template void format_into<IdMap>(const IdMap&, Node&, const Style&);
template void unmodelled<IdMap>(const IdMap&, std::string_view, std::vector<Unmodelled>&);
template Result<SecLabel> parse<SecLabel>(const Node&, Flavour);
template void format_into<SecLabel>(const SecLabel&, Node&, const Style&);
template void unmodelled<SecLabel>(const SecLabel&, std::string_view, std::vector<Unmodelled>&);

} // namespace cloister::xml
