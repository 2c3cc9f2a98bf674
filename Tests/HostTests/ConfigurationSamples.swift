import Glibc
import Values

@testable import Host

/// A small workspace in memory that has no problem, and ways to spoil it.
struct Sample {
    var files: [String: String] = [
        "datong.yaml": """
        customer: example
        practice: true
        connectors: [connectors]
        vault: { unlock: { key_file: /keys/example.key } }

        """,
        "connections/office.yaml": """
        connection: office
        connector: office
        product: suite
        endpoint: https://office.example.com/
        secrets:
          app_secret: vault:office/app-secret

        """,
        "connections/books.yaml": """
        connection: books
        connector: books
        product: ledger
        endpoint: https://books.example.com/api/
        settings: { company: "7" }
        secrets: { token: vault:books/token }
        limits: { per_second: 5 }

        """,
        "flows/claims.yaml": """
        flow: claims
        id: 0197a3c2-5b1e-7c44-9d0a-3f6b2e8c1d01
        from: { connection: office, document: approval, where: { template: T1, result: agree } }
        to: { connection: books, document: voucher, settings: { finish: save } }
        direction: one-way
        trigger: realtime
        master: office
        mapping: claims
        history: { start: 2026-01-01, before: ignore }

        """,
        "mappings/claims.yaml": """
        mapping: claims
        document:
          date: { date: { path: finished_at } }
          lines:
            - line:
                summary: { path: title }
                account: { lookup: accounts, where: { 费用类型: { path: "fields[费用类型]" } }, give: 科目 }
                currency: CNY
                debit: { path: "fields[总金额]" }
                credit: "0"
            - line:
                summary: { path: title }
                account: "1002.01"
                currency: CNY
                debit: "0"
                credit: { path: "fields[总金额]" }

        """,
        "tables/accounts.csv": "费用类型,科目\n差旅费,6602.01\n办公费,6602.04\n",
    ]

    /// The files as a draft has them.
    var draftFiles: [DraftFile] {
        files.sorted { $0.key < $1.key }.map { DraftFile(path: $0.key, bytes: Array($0.value.utf8)) }
    }

    /// The draft of these files, and its problems.
    func read() -> (draft: Draft?, problems: [ConfigurationProblem]) { Draft.read(draftFiles, root: "/workspace") }

    /// With a part of one file replaced, which must be there.
    func replacing(_ file: String, _ old: String, _ new: String) -> Sample {
        var copy = self
        guard let text = files[file], let range = text.range(of: old) else { fatalError("\(file) lacks \(old)") }
        copy.files[file] = text.replacingCharacters(in: range, with: new)
        return copy
    }

    /// With a file of other content, or without it.
    func with(_ file: String, _ text: String?) -> Sample {
        var copy = self
        copy.files[file] = text
        return copy
    }

    /// Writes the files into a folder.
    func write(to folder: String) throws {
        for file in draftFiles {
            try FileStore.makeFolder(FileStore.folder(of: folder + "/" + file.path))
            try FileStore.replace(folder + "/" + file.path, file.bytes)
        }
    }

    /// What the two connectors say of themselves.
    static let office: JSON = [
        "id": "office", "version": "1.0.0", "title": ["zh": "办公系统", "en": "Office"],
        "products": [
            [
                "id": "suite", "title": ["zh": "套件", "en": "Suite"],
                "settings": ["type": "object", "properties": ["region": ["type": "string", "enum": ["cn", "hk"]]]],
                "secrets": ["app_secret": ["required": true]],
                "limits": [["id": "per_second", "window_ms": 1000, "max": 20]],
                "documents": [["type": "approval-comment", "abilities": ["write"], "comments_on": "approval"]],
                "streams": [
                    [
                        "document": "approval", "abilities": ["read", "listen"],
                        "filter": [
                            "type": "object",
                            "properties": ["template": ["type": "array", "items": ["type": "string"]]],
                            "required": ["template"],
                        ],
                    ]
                ],
            ]
        ],
    ]
    static let books: JSON = [
        "id": "books", "version": "2.3.0", "title": ["zh": "账务", "en": "Books"],
        "products": [
            [
                "id": "ledger", "title": ["zh": "总账", "en": "Ledger"],
                "settings": [
                    "type": "object",
                    "properties": [
                        "company": [
                            "type": "string", "minLength": 1, "identity": true, "title": ["zh": "公司", "en": "Company"],
                        ],
                        "year": ["type": "integer", "minimum": 2000, "maximum": 2100],
                        "words": ["type": "object", "additionalProperties": ["type": "string"]],
                    ], "required": ["company"],
                ], "secrets": ["token": ["required": true]],
                "limits": [["id": "per_second", "window_ms": 1000, "max": 5], ["id": "concurrency", "max": 4]],
                "documents": [
                    [
                        "type": "voucher", "abilities": ["write", "find"],
                        "settings": [
                            "type": "object",
                            "properties": ["finish": ["type": "string", "enum": ["save", "submit"]]],
                        ],
                    ]
                ], "streams": [],
            ]
        ],
    ]

    /// A connector whose only product is changed.
    static func changed(_ connector: JSON, _ change: (inout JSONObject) -> Void) -> JSON {
        var object = connector.object ?? [:]
        var product = object["products"]?[0]?.object ?? [:]
        change(&product)
        object["products"] = [.object(product)]
        return .object(object)
    }

    /// The books, with keys of this form only.
    static func books(keys: JSON) -> JSON {
        changed(books) { product in
            var entry = product["documents"]?[0]?.object ?? [:]
            entry["key"] = keys
            product["documents"] = [.object(entry)]
        }
    }

    static var catalogue: ConnectorCatalogue {
        ConnectorCatalogue(
            connectors: [office, books].compactMap {
                Connector(path: "/connectors/x.so", sha256: String(repeating: "a", count: 64), describe: $0)
            }, folders: ["/connectors"])
    }
}

/// A folder that goes away with its owner.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/datong-test-XXXXXX\0".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit { FileStore.removeTree(path) }
}

/// Answers `describe` from the file's own content: a library in these tests is its description.
struct FileInspector: ConnectorInspector {
    func describe(library path: String) async throws(Problem) -> JSON {
        try JSON.parse(try FileStore.read(path, limit: 1 << 20))
    }
}
