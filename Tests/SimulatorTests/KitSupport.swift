import Foundation
import FoundationNetworking
import SimulatorKit

/// What a plain HTTP client got.
struct Answer {
    let status: Int
    let bytes: [UInt8]
    let headers: [String: String]
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var json: SimJSON { (try? SimJSON.parse(bytes)) ?? .null }
}

/// A plain HTTP client, independent of everything under test.
struct Client {
    let base: String
    private let session: URLSession

    init(_ base: String, timeout: TimeInterval = 120) {
        self.base = base
        let configuration = URLSessionConfiguration.ephemeral
        // Below a second the library gives up before it has asked.
        configuration.timeoutIntervalForRequest = max(1, timeout)
        session = URLSession(configuration: configuration)
    }

    /// Asks; throws when no whole answer came.
    @discardableResult
    func ask(
        _ method: String, _ target: String, _ json: SimJSON? = nil, headers: [String: String] = [:],
        raw: (type: String, body: String)? = nil
    ) async throws -> Answer {
        guard let url = URL(string: base + target) else { throw URLError(.badURL) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        if let json {
            request.httpBody = Data(json.bytes)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        } else if let raw {
            request.httpBody = Data(raw.body.utf8)
            request.setValue(raw.type, forHTTPHeaderField: "Content-Type")
        }
        let (data, response) = try await session.data(for: request)
        guard let http = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        var fields: [String: String] = [:]
        for (name, value) in http.allHeaderFields { fields["\(name)".lowercased()] = "\(value)" }
        return Answer(status: http.statusCode, bytes: Array(data), headers: fields)
    }
}

/// Runs the body against a server, which is stopped afterwards.
func withServer(
    _ service: any SimulatorService, _ body: (SimulatorServer, Client) async throws -> Void
) async throws {
    let server = SimulatorServer(service)
    let url = try await server.start()
    do {
        try await body(server, Client(url))
        await server.stop()
    } catch {
        await server.stop()
        throw error
    }
}

/// Waits until something is so; gives up when the test is cancelled by its time limit.
func until(_ condition: () async -> Bool) async throws {
    while await !condition() { try await Task.sleep(for: .milliseconds(1)) }
}
