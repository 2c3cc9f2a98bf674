import Testing
import Workers

@Suite("Calls: what goes in comes out")
struct CallTests {
    @Test("Read hands over documents, hints, deletions and where it stands", arguments: isolations)
    func read(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation))
        let filter = Array("{\"template\":\"T\"}".utf8)
        func page(_ cursor: String, _ since: Int64?) async -> ReadPage? {
            let request = PluginRequest.read(
                .init(
                    document: "approval", filter: filter,
                    selection: .page(cursor: Array(cursor.utf8), sinceMs: since, max: 50)))
            guard case .page(let page)? = await worker.call(request, context: context()).response else { return nil }
            return page
        }
        let first = await page("", nil)
        #expect(
            first?.records == [
                ReadRecord(id: "d1", version: "v1", content: .document(filter)),
                ReadRecord(id: "d2", content: .hint(known: [])),
                ReadRecord(id: "d3", content: .deleted),
            ])
        #expect(first?.position == .more(cursor: Array("+-1+50".utf8)))
        #expect(await page("c", 99)?.position == .end(cursor: Array("c+99+50".utf8)))
        let named = await worker.call(
            .read(.init(document: "approval", selection: .documents(["a", "gone", "b"]))), context: context())
        guard case .page(let documents)? = named.response else {
            Issue.record("no page: \(named)")
            return
        }
        #expect(documents.records.map(\.id) == ["a", "b"])
        #expect(documents.position == .none)
        await worker.stop()
    }

    @Test("Write keeps records and their outcomes apart, in whatever order they come", arguments: isolations)
    func write(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation))
        let result = await worker.call(WorkersTests.write("outcomes", 5), context: context())
        guard case .outcomes(let outcomes)? = result.response, outcomes.count == 5 else {
            Issue.record("no outcomes: \(result)")
            return
        }
        #expect(outcomes[0] == .applied(Written(number: "1", id: "i", readBack: Array("{\"n\":0}".utf8))))
        #expect(outcomes[1] == .existed(Written(number: "2")))
        #expect(outcomes[2] == .accepted(token: Array("t".utf8), pollAfterMs: 60000))
        #expect(outcomes[3] == .waiting(Written(number: "4"), token: Array("w".utf8), pollAfterMs: 0))
        #expect(
            outcomes[4]
                == .refused(
                    Failure(
                        .invalidRecord,
                        messages: [
                            .init(text: "科目不存在", language: "zh", code: "E1"), .init(text: "general error"),
                        ], vendorCode: "500", field: "/lines/0/account", existing: "N-1", retryAfterMs: 1500)))
        #expect(!result.reachedVendor)
        await worker.stop()
    }

    @Test("Poll and undo carry token, checkpoint and expected version", arguments: isolations)
    func poll(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation))
        let record = WriteRecord(
            key: "k", json: Array("{}".utf8), checkpoint: Array("c".utf8), token: Array("t".utf8),
            expected: Array("e".utf8))
        let write = PluginRequest.Write(document: "voucher", settings: Array("{\"g\":1}".utf8), records: [record])
        #expect(await worker.call(.poll(write), context: context()).numbers == ["k,c,t,e,{\"g\":1}"])
        #expect(await worker.call(.undo(write), context: context()).numbers == ["k,c,t,e,{\"g\":1}"])
        await worker.stop()
    }

    @Test("Find, query, rotate, listen, receive and identify", arguments: isolations)
    func others(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation))
        func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
        let found = await worker.call(
            .find(.init(document: "voucher", key: "k", business: bytes("b"), json: bytes("j"), checkpoint: bytes("c"))),
            context: context())
        #expect(
            found.response
                == .found([
                    Found(number: "k", id: "b", readBack: bytes("j")), Found(number: "N-2", readBack: bytes("c")),
                ]))
        #expect(await worker.call(.find(.init(document: "absent")), context: context()).response == .found([]))
        #expect(
            await worker.call(.query(name: "stock", parameters: bytes("{\"i\":1}")), context: context()).text
                == "{\"i\":1}")
        #expect(await worker.call(.rotate(secret: "s", step: .retire), context: context()).text == "s:retire")
        #expect(await worker.call(.identify(user: "u1"), context: context()).text == "u1")
        #expect(
            await worker.call(.listenOpen, context: context()).response
                == .endpoint(
                    ListenEndpoint(
                        url: "wss://events.example.com/", headers: [Header("ticket", "once")], pingIntervalMs: 5000)))
        #expect(
            await worker.call(.listenFrame(bytes("p1")), context: context()).response
                == .event(
                    EventResult(
                        hints: [
                            Hint(document: "approval", id: "p1", eventID: "e1", kind: "finish", json: bytes("{}"))
                        ], sendNow: [bytes("pong")], sendAfterDurable: [bytes("ack")], reconnect: "soon")))
        let webhook = PluginRequest.Webhook(
            method: "POST", path: "/hook", query: "a=1", headers: [Header("x-sign", "s")], body: bytes("p2"))
        #expect(
            await worker.call(.receive(webhook), context: context()).response
                == .webhook(
                    WebhookResult(
                        hints: [Hint(document: "approval", id: "p2")],
                        answer: .init(
                            status: 200, headers: [Header("x-sign", "s")], body: bytes("a=1"), afterDurable: true))))
        await worker.stop()
    }

    @Test("A failure of the whole call keeps its class, messages and codes", arguments: isolations)
    func failure(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation))
        let failed = await worker.call(WorkersTests.write("fail"), context: context())
        #expect(
            failed.pluginFailure
                == Failure(
                    .throttled, messages: [.init(text: "too fast", language: "en", code: "V-1")], vendorCode: "77"))
        let twice = await worker.call(WorkersTests.write("fail-twice"), context: context()).pluginFailure
        #expect(twice?.errorClass == .authDenied)
        let future = await worker.call(WorkersTests.write("fail-unknown-class"), context: context()).pluginFailure
        #expect(future?.errorClass == .bug)
        await worker.stop()
    }

    @Test("Results given before a call failed are kept beside the failure", arguments: isolations)
    func partial(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation))
        let failed = await worker.call(WorkersTests.write("partial-fail"), context: context())
        #expect(failed.pluginFailure?.errorClass == .unreachable)
        #expect(failed.known == [1: .applied(Written(number: "one"))])
        await worker.stop()
    }

    @Test("Every service crosses with all it carries", arguments: isolations)
    func services(isolation: Isolation) async throws {
        let services = FakeServices { request, _ in
            func text(_ words: String) -> ServiceReply { .bytes(Array(words.utf8)) }
            switch request {
            case .now: return .number(1_767_225_600_123)
            case .http(let http):
                guard case .bytes(let body) = http.body else { return .refused(.bug, "body") }
                return .http(
                    .init(status: 200, headers: [.init(name: "server", value: Array("s1".utf8))], body: body))
            case .sql: return text("[]")
            case .crypto(let crypto): return crypto.operation == .verify ? .done : text("mac")
            case .secretExists(let name): return .number(name == "app_secret" ? 1 : 0)
            case .secretReveal: return .refused(.denied, "not approved")
            case .sessionAcquire(let session):
                return session.name == "token" ? .session(.lease(41)) : .refused(.bug, "session")
            case .stateGet: return text("v")
            case .blobLength: return .number(10)
            case .blobRead: return text("xyz")
            case .blobCreate: return text("handle")
            case .random(let count): return text(String(repeating: "r", count: count))
            case .secretReplace, .sessionPublish, .sessionAbandon, .sessionInvalidate, .statePut, .checkpoint:
                return .done
            }
        }
        let worker = try await start(configuration(isolation), services)
        let result = await worker.call(.probe, context: context())
        #expect(
            result.text == """
                open erp|galaxy|https://erp.example.com/|{"a":1}|["app_secret"]|Asia/Shanghai
                call 1 2 7 trace-1
                now 1767225600123
                http 200 s1 hello
                sql 0 []
                hmac 0 mac
                verify 0 
                exists 1 0
                reveal 23 not approved
                replace 0 
                acquire 0 1 41
                publish 0 
                again 0 1 
                invalidate 0 
                abandon 0 
                put 0 
                get 0 v
                length 0 10
                blob 0 xyz
                create 0 handle
                random 0 rrrr
                much 23 at most 1024 random bytes at once

                """)
        let seen = services.requests.map(\.0)
        #expect(
            seen.contains(
                .http(
                    .init(
                        effect: .read, method: "POST", url: Array("https://erp.example.com/api".utf8),
                        headers: [
                            .init(name: "content-type", value: Array("application/json".utf8)),
                            .init(name: "x-key", value: []),
                        ], body: .bytes(Array("hello".utf8)),
                        insertions: [.init(part: .header(1), offset: 0, secret: "app_secret | hex")], session: "login",
                        maxReplyBytes: 1000, meter: "m", http11: true))))
        #expect(
            seen.contains(
                .crypto(
                    .init(
                        operation: .hmac, algorithm: "sha256", key: .secret("app_secret"),
                        input: [.literal(Array("b".utf8)), .secret("app_secret | upper")], sortSegments: true))))
        #expect(
            seen.contains(
                .sql(
                    .init(
                        effect: .read, statement: "stock", parameters: Array("{\"item\":\"A\"}".utf8), maxRows: 5,
                        maxBytes: 500))))
        #expect(seen.contains(.sessionAcquire(.init(name: "token", principal: "me", maxInFlight: 3))))
        #expect(seen.contains(.sessionPublish(lease: 41, value: Array("tok".utf8), ttlMs: 7_200_000)))
        #expect(seen.contains(.sessionAbandon(lease: 9, errorClass: .authDenied)))
        #expect(seen.contains(.blobRead(blob: Array("b1".utf8), offset: 2, size: 3)))
        #expect(
            services.notes.map(\.0) == [
                .log(.warning, "a line"), .metric(name: "things", amount: 3), .progress(done: 1, total: 2),
            ])
        await worker.stop()
    }

    @Test("A checkpoint names its record, and the services learn of the call's end once", arguments: isolations)
    func checkpoint(isolation: Isolation) async throws {
        let services = FakeServices()
        let worker = try await start(configuration(isolation), services)
        #expect(await worker.call(WorkersTests.write("checkpoint"), context: context()).numbers == ["0", "0"])
        #expect(services.requests.map(\.0).last == .checkpoint(index: 1, bytes: Array("saved".utf8)))
        let identity = services.requests.last?.1
        #expect(identity?.keys == ["key-0", "key-1"])
        #expect(identity?.kind == .write)
        #expect(identity?.connection == "erp")
        await services.untilEnded(2)
        #expect(services.ended.map(\.kind) == [.open, .write])
        await worker.stop()
        #expect(services.ended.count == 2)
    }

    @Test("A reply struct of a later minor comes back zeroed where this host knows nothing", arguments: isolations)
    func laterReply(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation), FakeServices { _, _ in .bytes([1]) })
        #expect(await worker.call(WorkersTests.write("later-minor", 1), context: context()).numbers == ["0 32 0"])
        await worker.stop()
    }

    @Test("A service answer that does not fit the question is refused, not believed", arguments: isolations)
    func misfit(isolation: Isolation) async throws {
        let services = FakeServices { _, _ in .number(1) }
        let worker = try await start(configuration(isolation), services)
        let failed = await worker.call(WorkersTests.write("read-and-fail"), context: context())
        #expect(failed.pluginFailure?.messages.first?.text == "!23 1 the host has no fitting answer")
        await worker.stop()
    }
}
