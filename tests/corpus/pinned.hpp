/// The host, the settings and what is reserved as the vectors of a corpus assume them (its ENVIRONMENT.md):
/// nothing of the machine that runs this shows.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/facts/reserved.hpp"
#include "security/plan.hpp"

#include <boost/json/object.hpp>
#include <filesystem>
#include <string>

namespace cloister::corpus {

struct Pinned {
    QemuConf conf{};
    HostFacts facts{};
    Reserved reserved{};
    Folders folders{};
};

/// `vectors`: the folder that has `support`. `setup`: a vector's own deviations; may be null.
/// Errors: whatever cannot be read.
Result<Pinned> pinned(const std::filesystem::path& vectors, const boost::json::object* setup);

/// The recorded QEMU of the corpus, for guests of `arch`.
Result<QemuCaps> recorded_caps(const std::filesystem::path& vectors, std::string_view arch);

Result<std::string> content(const std::filesystem::path& file);

} // namespace cloister::corpus
