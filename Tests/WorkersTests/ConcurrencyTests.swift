import Testing
import Workers

@Suite("Concurrency: many calls wait at once, none hears another's answer")
struct ConcurrencyTests {
    @Test("Sixteen writes wait on the vendor at once in one worker", .timeLimit(.minutes(5)), arguments: isolations)
    func sixteen(isolation: Isolation) async throws {
        let barrier = Barrier(16)
        let services = FakeServices { request, _ in
            await barrier.pass()
            guard case .http(let http) = request, case .bytes(let body) = http.body else { return .done }
            return .http(.init(status: 200, body: body))
        }
        let worker = try await start(configuration(isolation, concurrency: Concurrency([.write: 16])), services)
        let results = await withTaskGroup(of: CallResult.self) { group in
            for _ in 0..<16 { group.addTask { await worker.call(write("post", 1), context: context()) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.allSatisfy { $0.numbers == ["200  {\"n\":0}"] && $0.reachedVendor })
        #expect(await barrier.most == 16)
        await worker.stop()
    }

    @Test("A thousand calls at once each get their own answer", .timeLimit(.minutes(5)), arguments: isolations)
    func thousand(isolation: Isolation) async throws {
        let services = FakeServices { request, _ in
            guard case .http(let http) = request, case .bytes(let body) = http.body else { return .done }
            return .http(.init(status: 200, body: body))
        }
        let worker = try await start(
            configuration(isolation, concurrency: Concurrency([.write: 8, .query: 8])), services)
        let good = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    let words = "call \(number)"
                    if number.isMultiple(of: 2) {
                        let query = PluginRequest.query(name: "slow", parameters: Array(words.utf8))
                        return await worker.call(query, context: context()).text == "200  \(words)"
                    }
                    let record = WriteRecord(key: words, json: Array(words.utf8))
                    let request = PluginRequest.write(.init(document: "post", records: [record]))
                    return await worker.call(request, context: context()).numbers == ["200  \(words)"]
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(good == 1000)
        await services.untilEnded(1001)
        #expect(Set(services.ended.map(\.callID)).count == 1001)
        await worker.stop()
    }

    @Test("Service answers in the opposite order reach their askers", .timeLimit(.minutes(5)), arguments: isolations)
    func outOfOrder(isolation: Isolation) async throws {
        let barrier = Barrier(8)
        let turns = Turns(8)
        let services = FakeServices { request, _ in
            guard case .http(let http) = request, case .bytes(let body) = http.body else { return .done }
            let mine = await turns.take()
            await barrier.pass()
            await turns.wait(mine)
            return .http(.init(status: 200, body: body))
        }
        let worker = try await start(configuration(isolation, concurrency: Concurrency([.query: 8])), services)
        let answers = await withTaskGroup(of: (Int, String?).self) { group in
            for number in 0..<8 {
                group.addTask {
                    let query = PluginRequest.query(name: "slow", parameters: Array("q\(number)".utf8))
                    return (number, await worker.call(query, context: context()).text)
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for number in 0..<8 { #expect(answers[number] == "200  q\(number)") }
        await worker.stop()
    }

    @Test("No more of one ability than declared, and a query gets through all the same", .timeLimit(.minutes(5)))
    func places() async throws {
        let door = Door()
        let two = Barrier(2)
        let services = FakeServices { request, call in
            guard case .http(let http) = request, case .bytes(let body) = http.body else { return .done }
            if call.kind == .write {
                await two.pass()
                await door.pass()
            }
            return .http(.init(status: 200, body: body))
        }
        let worker = try await start(configuration(concurrency: Concurrency([.write: 2])), services)
        let writes = (0..<6).map { number in
            Task { await worker.call(write("post", 1), context: context()) }
        }
        while services.requests.count < 2 { await Task.yield() }
        let query = await worker.call(
            .query(name: "slow", parameters: Array("stock".utf8)), context: context())
        #expect(query.text == "200  stock")
        #expect(worker.callsInFlight == 2)
        #expect(services.requests.filter { $0.1.kind == .write }.count == 2)
        await door.open()
        for write in writes { #expect(await write.value.numbers == ["200  {\"n\":0}"]) }
        #expect(await two.most == 2)
        await worker.stop()
    }

    @Test("Answers of many megabytes cross whole, beside small ones", .timeLimit(.minutes(5)), arguments: isolations)
    func large(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation, concurrency: Concurrency([.query: 4])))
        let sizes = [0, 1, 70_000, 3_000_000, 12_000_000]
        let good = await withTaskGroup(of: Bool.self) { group in
            for size in sizes {
                group.addTask {
                    let bytes = [UInt8](repeating: UInt8(size % 251), count: size)
                    let result = await worker.call(.query(name: "echo", parameters: bytes), context: context())
                    return result.response == .text(bytes)
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(good == sizes.count)
        await worker.stop()
    }
}

/// Lets takers of numbers through from the highest to the lowest.
actor Turns {
    private var taken = 0
    private var next: Int
    private var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    init(_ count: Int) { next = count - 1 }
    func take() -> Int {
        defer { taken += 1 }
        return taken
    }
    func wait(_ number: Int) async {
        if number != next { await withCheckedContinuation { waiting[number] = $0 } }
        next = number - 1
        waiting.removeValue(forKey: next)?.resume()
    }
}
