/// The codecs of the larger parts of <domain>, compiled once each (domain_parts_a.cpp, domain_parts_b.cpp).
#pragma once

#include "conf/domain/domain.hpp"

namespace cloister::xml {

extern template Result<Os> parse<Os>(const Node&, Flavour);
extern template void format_into<Os>(const Os&, Node&, const Style&);
extern template void unmodelled<Os>(const Os&, std::string_view, std::vector<Unmodelled>&);
extern template Result<Cpu> parse<Cpu>(const Node&, Flavour);
extern template void format_into<Cpu>(const Cpu&, Node&, const Style&);
extern template void unmodelled<Cpu>(const Cpu&, std::string_view, std::vector<Unmodelled>&);
extern template Result<MemoryBacking> parse<MemoryBacking>(const Node&, Flavour);
extern template void format_into<MemoryBacking>(const MemoryBacking&, Node&, const Style&);
extern template void unmodelled<MemoryBacking>(const MemoryBacking&, std::string_view,
                                               std::vector<Unmodelled>&);
extern template Result<NumaTune> parse<NumaTune>(const Node&, Flavour);
extern template void format_into<NumaTune>(const NumaTune&, Node&, const Style&);
extern template void unmodelled<NumaTune>(const NumaTune&, std::string_view, std::vector<Unmodelled>&);
extern template Result<MemTune> parse<MemTune>(const Node&, Flavour);
extern template void format_into<MemTune>(const MemTune&, Node&, const Style&);
extern template void unmodelled<MemTune>(const MemTune&, std::string_view, std::vector<Unmodelled>&);
extern template Result<BlkioTune> parse<BlkioTune>(const Node&, Flavour);
extern template void format_into<BlkioTune>(const BlkioTune&, Node&, const Style&);
extern template void unmodelled<BlkioTune>(const BlkioTune&, std::string_view, std::vector<Unmodelled>&);
extern template Result<CpuTune> parse<CpuTune>(const Node&, Flavour);
extern template void format_into<CpuTune>(const CpuTune&, Node&, const Style&);
extern template void unmodelled<CpuTune>(const CpuTune&, std::string_view, std::vector<Unmodelled>&);
extern template Result<Vcpu> parse<Vcpu>(const Node&, Flavour);
extern template void format_into<Vcpu>(const Vcpu&, Node&, const Style&);
extern template void unmodelled<Vcpu>(const Vcpu&, std::string_view, std::vector<Unmodelled>&);
extern template Result<Vcpus> parse<Vcpus>(const Node&, Flavour);
extern template void format_into<Vcpus>(const Vcpus&, Node&, const Style&);
extern template void unmodelled<Vcpus>(const Vcpus&, std::string_view, std::vector<Unmodelled>&);
extern template Result<IoThreadIds> parse<IoThreadIds>(const Node&, Flavour);
extern template void format_into<IoThreadIds>(const IoThreadIds&, Node&, const Style&);
extern template void unmodelled<IoThreadIds>(const IoThreadIds&, std::string_view, std::vector<Unmodelled>&);
extern template Result<Features> parse<Features>(const Node&, Flavour);
extern template void format_into<Features>(const Features&, Node&, const Style&);
extern template void unmodelled<Features>(const Features&, std::string_view, std::vector<Unmodelled>&);
extern template Result<Sysinfo> parse<Sysinfo>(const Node&, Flavour);
extern template void format_into<Sysinfo>(const Sysinfo&, Node&, const Style&);
extern template void unmodelled<Sysinfo>(const Sysinfo&, std::string_view, std::vector<Unmodelled>&);
extern template Result<Clock> parse<Clock>(const Node&, Flavour);
extern template void format_into<Clock>(const Clock&, Node&, const Style&);
extern template void unmodelled<Clock>(const Clock&, std::string_view, std::vector<Unmodelled>&);
extern template Result<Resource> parse<Resource>(const Node&, Flavour);
extern template void format_into<Resource>(const Resource&, Node&, const Style&);
extern template void unmodelled<Resource>(const Resource&, std::string_view, std::vector<Unmodelled>&);
extern template Result<IdMap> parse<IdMap>(const Node&, Flavour);
extern template void format_into<IdMap>(const IdMap&, Node&, const Style&);
extern template void unmodelled<IdMap>(const IdMap&, std::string_view, std::vector<Unmodelled>&);
extern template Result<SecLabel> parse<SecLabel>(const Node&, Flavour);
extern template void format_into<SecLabel>(const SecLabel&, Node&, const Style&);
extern template void unmodelled<SecLabel>(const SecLabel&, std::string_view, std::vector<Unmodelled>&);

} // namespace cloister::xml
