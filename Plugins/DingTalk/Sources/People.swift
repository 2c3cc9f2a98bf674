import PluginKit
import Synchronization
import Values

/// Names and job numbers of users, kept in memory: contact calls are not metered, but each takes a moment.
final class People: Sendable {
    struct Person: Sendable {
        var name: String?
        /// 工号: free text, may repeat, may be empty. The mapping's code table decides what it means.
        var jobNumber: String?
    }

    private struct Entry {
        var person: Person
        var until: Int64
    }

    private let known = Mutex<[String: Entry]>([:])

    func person(_ user: String, _ client: Client, _ call: Call) throws(Failure) -> Person {
        if user.isEmpty { return Person() }
        let now = try call.now()
        if let entry = known.withLock({ $0[user] }), entry.until > now { return entry.person }
        let person: Person
        var life = Limits.personMilliseconds
        do {
            let answer = try client.old(
                "/topapi/v2/user/get", ["userid": .string(user), "language": "zh_CN"], metered: false, call)
            let result = answer["result"]
            person = Person(name: Text.filled(result?["name"]), jobNumber: Text.filled(result?["job_number"]))
        } catch {
            // Someone who left, or an app without the contacts permission: the approval itself is whole without it.
            guard error.kind == .invalidRecord || Codes.isPermission(error.vendorCode) else {
                throw error
            }
            call.log(.warning, "user \(user) cannot be looked up: \(error.vendorCode)")
            person = Person()
            life = Limits.strangerMilliseconds
        }
        known.withLock { known in
            if known.count >= Limits.people { known.removeAll() }
            known[user] = Entry(person: person, until: now + life)
        }
        return person
    }
}
