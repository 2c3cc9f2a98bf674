import CCurl
import Values

/// What libcurl's result code means here.
enum Verdict {
    static func answer(_ code: CURLcode, _ slot: Slot, _ transfer: Transfer) -> Transfer.Answer {
        guard code == CURLE_OK else { return .failure(failure(code, slot, transfer)) }
        var status = 0
        datong_curl_get_long(slot.easy, CURLINFO_RESPONSE_CODE, &status)
        // A 1xx is no final answer, also where libcurl takes 101 for one.
        guard (200...599).contains(status) else {
            return .failure(malformed(transfer, "状态 \(status)", "status \(status)"))
        }
        // Two lengths that disagree are how one answer is read as two.
        guard Set(transfer.headers.all("content-length")).count <= 1 else {
            return .failure(malformed(transfer, "两个不同的 Content-Length", "two different Content-Length headers"))
        }
        return .success(HTTPResponse(status: status, headers: transfer.headers, body: transfer.body))
    }

    private static func malformed(_ transfer: Transfer, _ zh: String, _ en: String) -> HTTPFailure {
        HTTPFailure(.malformedReply, mayHaveArrived: true, Problems.malformedReply("\(transfer.origin)", zh, en))
    }

    private static func failure(_ code: CURLcode, _ slot: Slot, _ transfer: Transfer) -> HTTPFailure {
        let origin = "\(transfer.origin)"
        let arrived = slot.requestMayHaveArrived
        // libcurl's own phrase for the code; it never names what was sent.
        let detail = String(cString: curl_easy_strerror(code))

        switch transfer.refusal {
        case .localAddress:
            return HTTPFailure(.denied, mayHaveArrived: arrived, Problems.localAddress(transfer.origin.host))
        case .bodyTooLarge:
            return HTTPFailure(
                .tooLarge, mayHaveArrived: arrived, Problems.bodyTooLarge(origin, transfer.maxReplyBytes))
        case .headersTooLarge:
            return HTTPFailure(.tooLarge, mayHaveArrived: arrived, Problems.headersTooLarge(origin))
        case .headerMalformed:
            return malformed(transfer, "答复头缺少名称", "a header line without a name")
        case .wouldRepeat:
            return HTTPFailure(
                .interrupted, mayHaveArrived: true,
                Problems.interrupted(
                    origin, "保留的连接在请求途中被关闭", "the kept connection was closed under the request"))
        case nil: break
        }

        switch transfer.stage {
        case .waiting where code == CURLE_OPERATION_TIMEDOUT:
            return HTTPFailure(.timedOut, Problems.noFreeConnection(origin))
        case .waiting, .connecting:
            return HTTPFailure(.unreachable, unreachable(code, transfer, detail))
        case .sending: break
        }

        switch code {
        case CURLE_OPERATION_TIMEDOUT:
            return HTTPFailure(
                .timedOut, mayHaveArrived: arrived, Problems.timedOut(origin, transfer.timeoutMilliseconds))
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING:
            return HTTPFailure(
                .malformedReply, mayHaveArrived: arrived, Problems.malformedReply(origin, detail, detail))
        default:
            return HTTPFailure(.interrupted, mayHaveArrived: arrived, Problems.interrupted(origin, detail, detail))
        }
    }

    private static func unreachable(_ code: CURLcode, _ transfer: Transfer, _ detail: String) -> Problem {
        let origin = "\(transfer.origin)"
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: return Problems.noName(transfer.origin.host)
        case CURLE_COULDNT_RESOLVE_PROXY: return Problems.noName(transfer.policy.proxy?.host ?? "")
        case CURLE_OPERATION_TIMEDOUT: return Problems.connectTimeout(origin)
        case CURLE_PEER_FAILED_VERIFICATION: return Problems.untrusted(origin)
        case CURLE_SSL_CACERT_BADFILE: return Problems.unreadableCA(transfer.policy.caFile ?? "")
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH: return Problems.pinMismatch(origin)
        case CURLE_SSL_CONNECT_ERROR: return Problems.tlsFailed(origin)
        case CURLE_RECV_ERROR where transfer.policy.proxy != nil: return Problems.proxyRefused(origin)
        default: return Problems.noConnection(origin, detail)
        }
    }
}
