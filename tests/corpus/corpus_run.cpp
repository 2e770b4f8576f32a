/// Plans every vector of a corpus with its pinned host and writes what came out, for the comparing tools to
/// score. usage: corpus-run MANIFEST OUT      OUT/<kind>/<id>.json (argv), .xml (canonical XML), .err ("code:
/// message") The kinds that are done: argv, xml2xml, fail. The others are left out.
#include "conf/domain/domain_xml.hpp"
#include "driver/plan/complete.hpp"
#include "driver/plan/live.hpp"
#include "driver/plan/planner.hpp"
#include "tests/corpus/pinned.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

using namespace cloister;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

struct Vector {
    std::string id{}, kind{}, compare{};
    fs::path input{};
    const json::object* setup = nullptr;
    bool at_build = false; ///< of `fail`: the definition is accepted, the plan refuses
};

Vector vector_of(const json::object& entry, const fs::path& root) {
    Vector out{.id = std::string(entry.at("id").as_string()),
               .kind = std::string(entry.at("kind").as_string())};
    out.input = root / std::string(entry.at("files").at("input").as_string());
    if (const auto* compare = entry.if_contains("compare")) out.compare = std::string(compare->as_string());
    if (const auto* setup = entry.if_contains("setup")) out.setup = &setup->as_object();
    if (const auto* stage = entry.if_contains("stage")) out.at_build = stage->as_string() == "build";
    return out;
}

/// The architecture a definition asks for: the recorded QEMU stands in for each of x86.
std::string arch_of(const Domain& domain, const HostFacts& facts) {
    return domain.os.type.arch.value_or(facts.arch);
}

class Runner {
public:
    Runner(fs::path vectors, fs::path out) : vectors_(std::move(vectors)), out_(std::move(out)) {}

    Result<const QemuCaps*> caps(const std::string& arch) {
        if (const auto found = caps_.find(arch); found != caps_.end()) return &found->second;
        if (arch != "x86_64" && arch != "i686")
            return fail(Code::config_unsupported, "there is no QEMU for architecture '" + arch + "'");
        return &caps_.emplace(arch, TRY(corpus::recorded_caps(vectors_, arch))).first->second;
    }

    Result<std::string> canonical(const Vector& vector) {
        auto host = TRY(corpus::pinned(vectors_, vector.setup));
        const auto flavour = vector.compare == "active" ? xml::Flavour::live : xml::Flavour::inactive;
        auto domain = TRY(read_domain(TRY(corpus::content(vector.input)), flavour));
        const auto* qemu = TRY(caps(arch_of(domain, host.facts)));
        TRY(complete_domain(domain, qemu, host.conf, host.facts, host.reserved.random,
                            flavour == xml::Flavour::live ? Completion::live : Completion::define));
        return print_domain(domain, {.flavour = flavour, .secure = true});
    }

    Result<LaunchPlan> planned(const Vector& vector) {
        auto host = TRY(corpus::pinned(vectors_, vector.setup));
        auto domain = TRY(read_domain(TRY(corpus::content(vector.input)), xml::Flavour::inactive));
        const auto* qemu = TRY(caps(arch_of(domain, host.facts)));
        TRY(complete_domain(domain, qemu, host.conf, host.facts, host.reserved.random));
        auto paths = launch_paths(host.folders, domain, -1);
        paths.channel_dir = "/tmp/channel/" + launch_folder_name(-1, domain.name);
        paths.tpm_socket = "/dev/test";
        const auto live =
            TRY(live_copy(domain, *qemu, host.conf, host.facts, host.reserved, paths, host.folders));
        return plan_launch(live, *qemu, host.conf, host.facts, host.reserved, paths);
    }

    void run(const Vector& vector) {
        if (vector.kind == "argv")
            write(vector, ".json", written(planned(vector)));
        else if (vector.kind == "xml2xml")
            write(vector, ".xml", canonical(vector));
        else if (vector.kind == "fail") {
            const Result<std::string> done = vector.at_build ? written(planned(vector)) : canonical(vector);
            if (!done) write(vector, ".err", done);
        }
    }

private:
    static Result<std::string> written(const Result<LaunchPlan>& plan) {
        if (!plan) return std::unexpected(plan.error());
        json::object env;
        for (const auto& variable : plan->env) env[variable.name] = variable.value;
        // The comparer ignores the numbers of descriptors: any will do.
        std::vector<std::pair<std::string, std::string>> numbers;
        int next = 3;
        for (const auto& descriptor : plan->descriptors)
            numbers.emplace_back(descriptor.symbol, std::to_string(next++));
        json::array words;
        for (const auto& word : argv(*plan)) words.emplace_back(with_symbols(word, numbers));
        return json::serialize(json::object{{"env", env}, {"argv", words}}) + "\n";
    }
    void write(const Vector& vector, const char* ending, const Result<std::string>& text) {
        fs::create_directories(out_ / vector.kind);
        const auto base = (out_ / vector.kind / vector.id).string();
        if (text)
            std::ofstream(base + ending) << *text;
        else
            std::ofstream(base + ".err")
                << static_cast<int>(text.error().code) << ": " << full_text(text.error()) << "\n";
    }

    fs::path vectors_, out_;
    std::map<std::string, QemuCaps> caps_{};
};

/// In a child of its own, so that a crash is that vector's result and no more.
bool isolated(Runner& runner, const Vector& vector, const fs::path& out) {
    std::cout.flush();
    const auto child = ::fork();
    if (child == 0) {
        try {
            runner.run(vector);
        } catch (const std::exception& e) {
            fs::create_directories(out / vector.kind);
            std::ofstream((out / vector.kind / vector.id).string() + ".crash") << e.what() << "\n";
            ::_exit(1);
        }
        ::_exit(0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) return false;
    if (status == 0) return true;
    std::cout << "crashed: " << vector.kind << " " << vector.id << "\n";
    return false;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: corpus-run MANIFEST OUT\n";
        return 2;
    }
    const fs::path manifest = argv[1], out = argv[2];
    const auto text = corpus::content(manifest);
    if (!text) {
        std::cerr << text.error().message << "\n";
        return 1;
    }
    const auto root = fs::absolute(manifest).parent_path();
    const auto parsed = json::parse(*text);
    Runner runner(root, out);
    for (const auto* arch : {"x86_64", "i686"}) // once, before the children are made
        if (const auto caps = runner.caps(arch); !caps) {
            std::cerr << full_text(caps.error()) << "\n";
            return 1;
        }
    int crashes = 0, done = 0;
    for (const auto& entry : parsed.at("vectors").as_array()) {
        const auto vector = vector_of(entry.as_object(), root);
        if (vector.kind != "argv" && vector.kind != "xml2xml" && vector.kind != "fail") continue;
        ++done;
        crashes += isolated(runner, vector, out) ? 0 : 1;
    }
    std::cout << done << " vectors, " << crashes << " crashes\n";
    return crashes ? 1 : 0;
}
