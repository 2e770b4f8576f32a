#include "daemon/forward/neighbours.hpp"

#include "conf/base/tr.hpp"
#include "daemon/rpc/xdr.hpp"

namespace cloister::forward {
namespace {

/// Numbers and shapes of the few procedures that are asked. Source: facts/wire.json.
enum Procedure : std::int32_t {
    network_get_xml_desc = 43,
    network_lookup_by_name = 46,
    storage_pool_lookup_by_name = 84,
    storage_vol_lookup_by_name = 95,
    storage_vol_get_xml_desc = 99,
    network_is_active = 152,
    storage_pool_is_active = 154,
};

struct Name {
    Text<> name{};
};
/// A network or a pool.
struct Handle {
    Text<> name{};
    std::array<std::uint8_t, 16> uuid{};
};
struct Described {
    Handle what{};
    std::uint32_t flags = 0;
};
struct VolumeOf {
    Handle pool{};
    Text<> name{};
};
struct Volume {
    Text<> pool{}, name{}, key{};
};
struct DescribedVolume {
    Volume what{};
    std::uint32_t flags = 0;
};
struct Number {
    std::int32_t value = 0;
};
struct Xml {
    Text<> xml{};
};

constexpr std::chrono::seconds patience{30};

template <class Out, class In>
Task<Result<Out>> ask(std::shared_ptr<Sibling> sibling, std::int32_t procedure, In in) {
    CO_TRY(body, xdr::encode(in));
    CO_TRY(reply, co_await sibling->ask(procedure, std::move(body), patience));
    co_return xdr::decode<Out>(reply);
}

/// Closes its connection when it is done with.
struct Visit {
    std::shared_ptr<Sibling> sibling{};
    explicit Visit(std::shared_ptr<Sibling> of) : sibling(std::move(of)) {}
    ~Visit() { sibling->close(); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
};

class Others final : public Neighbours {
public:
    Others(boost::asio::any_io_executor on, std::shared_ptr<const Neighbourhood> where)
        : on_(on), where_(std::move(where)) {}

    Task<Result<std::string>> network(std::string name) override {
        CO_TRY(visit, co_await called_on(call::Family::network));
        const auto sibling = visit->sibling;
        Name asked{{name}};
        CO_TRY(found, co_await ask<Handle>(sibling, network_lookup_by_name, std::move(asked)));
        CO_TRY(active, co_await ask<Number>(sibling, network_is_active, found));
        if (active.value != 1)
            co_return fail(Code::operation_invalid, tr("network '{0}' is not active", name));
        Described what{found};
        CO_TRY(text, co_await ask<Xml>(sibling, network_get_xml_desc, std::move(what)));
        co_return std::move(text.xml.value);
    }

    Task<Result<std::string>> volume(std::string pool, std::string name) override {
        CO_TRY(visit, co_await called_on(call::Family::storage));
        const auto sibling = visit->sibling;
        Name asked{{pool}};
        CO_TRY(found, co_await ask<Handle>(sibling, storage_pool_lookup_by_name, std::move(asked)));
        CO_TRY(active, co_await ask<Number>(sibling, storage_pool_is_active, found));
        if (active.value != 1)
            co_return fail(Code::config_unsupported,
                           tr("storage pool '{0}' containing volume '{1}' is not active", pool, name));
        VolumeOf wanted{found, {name}};
        CO_TRY(there, co_await ask<Volume>(sibling, storage_vol_lookup_by_name, std::move(wanted)));
        DescribedVolume what{there};
        CO_TRY(text, co_await ask<Xml>(sibling, storage_vol_get_xml_desc, std::move(what)));
        co_return std::move(text.xml.value);
    }

private:
    Task<Result<std::shared_ptr<const Visit>>> called_on(call::Family family) {
        CO_TRY(socket, connect_to(socket_paths(family, where_->folder), where_->ours));
        const auto visit = std::make_shared<const Visit>(std::make_shared<Sibling>(on_, std::move(socket)));
        const Caller ourselves;
        CO_CHECK(co_await visit->sibling->open(family, ourselves));
        co_return visit;
    }

    boost::asio::any_io_executor on_;
    std::shared_ptr<const Neighbourhood> where_;
};

} // namespace

std::shared_ptr<Neighbours> neighbours(boost::asio::any_io_executor on,
                                       std::shared_ptr<const Neighbourhood> where) {
    return std::make_shared<Others>(on, std::move(where));
}

} // namespace cloister::forward
