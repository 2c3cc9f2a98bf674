import Values

/// The customer of a simulation: a workspace with one flow from an office system to books, and what the two connectors
/// say of themselves.
enum VirtualCustomer {
    /// The kinds of expense the code table knows from the beginning.
    static let knownKinds = ["差旅费", "办公费", "招待费"]
    /// One that is missing until a person adds it.
    static let missingKind = "印刷费"

    /// The workspace's files. `complete`: the code table has every kind.
    static func files(complete: Bool) -> [String: String] {
        var table = "费用类型,科目\n"
        for (index, kind) in (knownKinds + (complete ? [missingKind] : [])).enumerated() {
            table += "\(kind),6602.0\(index + 1)\n"
        }
        return [
            "datong.yaml": """
            customer: virtual
            practice: true
            connectors: [connectors]
            vault: { unlock: { key_file: /keys/virtual.key } }

            """,
            "connections/office.yaml": """
            connection: office
            connector: office
            product: suite
            endpoint: https://office.example.com/
            secrets: { app_secret: vault:office/app-secret }

            """,
            "connections/books.yaml": """
            connection: books
            connector: books
            product: ledger
            endpoint: https://books.example.com/
            settings: { company: "1" }
            secrets: { token: vault:books/token }

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
            history: { start: 2020-01-01, before: ignore }
            write_back: comment

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
            "tables/accounts.csv": table,
        ]
    }

    /// What the two connectors say of themselves.
    static let connectors: [String: JSON] = [
        "office": [
            "id": "office", "version": "1.0.0", "title": ["zh": "办公系统", "en": "Office"],
            "products": [
                [
                    "id": "suite", "title": ["zh": "套件", "en": "Suite"], "settings": ["type": "object"],
                    "secrets": ["app_secret": ["required": true]], "concurrency": ["write": 4],
                    "documents": [
                        [
                            "type": "approval-comment", "abilities": ["write", "find"], "comments_on": "approval",
                            "commit_horizon_ms": .number(JSONNumber(VirtualLimits.commitHorizon)),
                        ]
                    ],
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
        ],
        "books": [
            "id": "books", "version": "1.0.0", "title": ["zh": "账务", "en": "Books"],
            "products": [
                [
                    "id": "ledger", "title": ["zh": "总账", "en": "Ledger"],
                    "settings": [
                        "type": "object",
                        "properties": ["company": ["type": "string", "identity": true]], "required": ["company"],
                    ],
                    "secrets": ["token": ["required": true]], "concurrency": ["write": 8],
                    "documents": [
                        [
                            "type": "voucher", "abilities": ["write", "find", "poll"],
                            "commit_horizon_ms": .number(JSONNumber(VirtualLimits.commitHorizon)),
                            "settings": [
                                "type": "object",
                                "properties": ["finish": ["type": "string", "enum": ["save", "submit"]]],
                            ],
                        ]
                    ], "streams": [],
                ]
            ],
        ],
    ]
}

/// A claim in the office system.
struct Claim {
    let id: String
    let kind: String
    /// In cents.
    var amount: Int64
    let isApproved: Bool
    let finishedAt: Int64
    var version = 1

    var amountText: String {
        let cents = amount % 100
        return "\(amount / 100).\(cents < 10 ? "0" : "")\(cents)"
    }

    /// As the office's connector gives it.
    var document: JSON {
        [
            "id": .string(id), "number": .string("No-\(id)"), "template": "T1", "title": .string("报销 \(id)"),
            "status": "completed", "result": .string(isApproved ? "agree" : "refuse"), "action": "none",
            "created_at": .string(Instant(ms: finishedAt - VirtualLimits.hour).description),
            "finished_at": .string(Instant(ms: finishedAt).description),
            "fields": [
                ["id": "F1", "label": "费用类型", "kind": "select", "value": .string(kind)],
                ["id": "F2", "label": "总金额", "kind": "money", "value": .string(amountText)],
            ], "attachments": [],
        ]
    }
}
