#include "daemon/rpc/streams.hpp"

#include "conf/base/tr.hpp"
#include "daemon/rpc/error_wire.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cloister::rpc {
namespace {

/// Above this the connection is not read until the driver has taken most of it.
constexpr std::size_t much_input = 1'048'576, little_input = 65'536;

std::unexpected<Error> closed_by_client() {
    return std::unexpected(Error{.code = Code::operation_aborted,
                                 .message = tr("the client has closed the stream"),
                                 .domain = ErrorDomain::streams});
}

} // namespace

class PipeEnd : public Pipe {
public:
    explicit PipeEnd(std::shared_ptr<ClientStream> stream) : stream_(std::move(stream)) {}
    ~PipeEnd() override { stream_->finish({}); }
    Task<Result<>> to_client(Bytes bytes) override { return stream_->to_client(std::move(bytes)); }
    Task<Result<Bytes>> from_client() override { return stream_->from_client(); }
    void finish(Result<> how) override { stream_->finish(std::move(how)); }

private:
    std::shared_ptr<ClientStream> stream_;
};

ClientStream::ClientStream(boost::asio::any_io_executor on, call::Stream direction)
    : changed_(on, std::chrono::steady_clock::time_point::max()), direction_(direction) {}

std::shared_ptr<Pipe> ClientStream::pipe() { return std::make_shared<PipeEnd>(shared_from_this()); }

Task<void> ClientStream::change() {
    co_await changed_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

Task<Result<>> ClientStream::to_client(Bytes bytes) {
    const auto alive = shared_from_this();
    for (std::size_t at = 0; at < bytes.size();) {
        while (!open_ && !over_) co_await change();
        if (over_ || client_done_ || driver_done_) co_return closed_by_client();
        const auto size = std::min(bytes.size() - at, max_stream_packet);
        const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        auto written = std::make_shared<bool>(false);
        ties_.send(MessageStatus::more, Bytes(first, first + static_cast<std::ptrdiff_t>(size)),
                   [alive, written] {
                       *written = true;
                       alive->changed();
                   });
        while (!*written && !over_) co_await change();
        at += size;
    }
    co_return Result<>();
}

Task<Result<Bytes>> ClientStream::from_client() {
    const auto alive = shared_from_this();
    while (inbox_.empty() && !client_done_ && !over_) co_await change();
    if (inbox_.empty()) {
        if (client_done_) co_return Bytes();
        co_return closed_by_client();
    }
    auto bytes = std::move(inbox_.front());
    inbox_.pop_front();
    inbox_bytes_ -= bytes.size();
    if (held_back_ && inbox_bytes_ <= little_input) {
        held_back_ = false;
        ties_.hold_back(false);
    }
    co_return bytes;
}

void ClientStream::opened() {
    if (over_) return;
    open_ = true;
    changed();
    if (auto how = std::exchange(driver_done_, {})) finish(*std::move(how));
}

void ClientStream::finish(Result<> how) {
    if (over_ || driver_done_) return;
    driver_done_ = std::move(how);
    changed();
    if (!open_) return; // said when the reply to the opening call is out
    if (!*driver_done_ || client_done_) return answer(*driver_done_);
    // The end of the data; the client's own finish comes next and is answered then.
    if (direction_ == call::Stream::to_client) ties_.send(MessageStatus::more, {}, {});
}

void ClientStream::packet(MessageStatus status, Bytes body) {
    if (over_ || !open_) return;
    switch (status) {
    case MessageStatus::more:
        if (client_done_ || body.empty()) return;
        inbox_bytes_ += body.size();
        inbox_.push_back(std::move(body));
        if (inbox_bytes_ > much_input && !held_back_) {
            held_back_ = true;
            ties_.hold_back(true);
        }
        return changed();
    case MessageStatus::ok:
        if (client_done_) return;
        client_done_ = true;
        if (driver_done_) return answer(*driver_done_);
        return changed();
    case MessageStatus::error: // the client gives up; the reference answers that with OK
        return answer({});
    }
}

void ClientStream::hole() {
    answer(std::unexpected(rpc_error(tr("unexpected hole in a stream that is not sparse"))));
}

void ClientStream::cut_off() {
    if (!over_) end();
}

void ClientStream::answer(Result<> how) {
    if (over_) return;
    if (how)
        ties_.send(MessageStatus::ok, {}, {});
    else
        ties_.send(MessageStatus::error, printed(how.error()), {});
    end();
}

void ClientStream::end() {
    over_ = true;
    inbox_.clear();
    inbox_bytes_ = 0;
    if (std::exchange(held_back_, false)) ties_.hold_back(false);
    changed();
    const auto ties = std::exchange(ties_, {});
    if (ties.over) ties.over();
}

} // namespace cloister::rpc
