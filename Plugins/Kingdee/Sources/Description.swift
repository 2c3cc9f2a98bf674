import PluginKit
import Values

extension KingdeeConnector {
    /// What the library is and can do.
    public static var description: JSON {
        [
            "id": "kingdee", "version": "0.1.0", "title": title("金蝶", "Kingdee"),
            "products": [
                [
                    "id": "galaxy", "title": title("金蝶云星空", "Kingdee Cloud Galaxy"),
                    "settings": settingsSchema,
                    "secrets": [
                        "app_id": ["required": true, "title": title("应用 ID（第三方系统登录授权）", "Application id")],
                        "app_secret": ["required": true, "title": title("应用密钥", "Application secret")],
                    ], "hosts": [], "http": ["version": "1.1"],
                    "concurrency": ["read": 2, "write": 16, "find": 8, "probe": 1],
                    "limits": [
                        ["id": "per_second", "window_ms": 1000, "max": 50, "default": 5, "meter": ""],
                        ["id": "concurrency", "max": 16, "default": 4],
                    ], "documents": [voucher], "streams": .array(streams),
                ]
            ],
        ]
    }

    private static func title(_ zh: String, _ en: String) -> JSON { ["zh": .string(zh), "en": .string(en)] }

    private static func text(_ zh: String, _ en: String, identity: Bool = false, standard: String? = nil) -> JSON {
        var schema: JSONObject = ["type": "string", "minLength": 1]
        if identity { schema["identity"] = true }
        if let standard { schema["default"] = .string(standard) }
        schema["title"] = title(zh, en)
        return .object(schema)
    }

    private static func choice(_ zh: String, _ en: String, _ values: [String], standard: String) -> JSON {
        [
            "type": "string", "enum": .array(values.map(JSON.string)), "default": .string(standard),
            "title": title(zh, en),
        ]
    }

    private static func map(_ zh: String, _ en: String, _ standard: JSON) -> JSON {
        [
            "type": "object", "additionalProperties": ["type": "string", "minLength": 1], "default": standard,
            "title": title(zh, en),
        ]
    }

    private static func list(_ zh: String, _ en: String) -> JSON {
        ["type": "array", "items": ["type": "string", "minLength": 1], "default": [], "title": title(zh, en)]
    }

    private static var settingsSchema: JSON {
        [
            "type": "object",
            "properties": [
                "account_set": text("账套（数据中心）ID", "Account set (data centre) id", identity: true),
                "user": text("集成用户名", "Integration user"),
                "language": [
                    "type": "integer", "default": 2052, "title": title("语言（2052 为简体中文）", "Language (2052: Chinese)"),
                ],
                "organisation": [
                    "type": "string", "minLength": 1, "default": "0", "identity": true,
                    "title": title("组织编码（0 为用户的默认组织）", "Organisation (0: the user's own)"),
                ],
                "auth": choice(
                    "登录方式", "Way of authentication", ["signed-headers", "login-by-sign", "login-by-app-secret"],
                    standard: "signed-headers"),
                "digest": choice(
                    "login-by-sign 的摘要算法（8.0.0.202205 以前的服务器为 sha1）",
                    "Digest of login-by-sign (sha1 for servers before 8.0.0.202205)", ["sha256", "sha1"],
                    standard: "sha256"),
                "data_as_string": [
                    "type": "boolean", "default": false,
                    "title": title("data 以字符串传送（旧服务器）", "Send data as a string (older servers)"),
                ],
                "voucher_form": text("凭证表单", "Voucher form", standard: "GL_VOUCHER"),
                "ext_id_field": text(
                    "凭证上存放外部标识的文本字段", "Text field of the voucher that holds our key", standard: "F_KYDD_ExtID"),
                "number_field": text("凭证的单据编号字段", "Field of the document's number", standard: "FBillNo"),
                "rate_type": text("汇率类型编码", "Code of the exchange rate type", standard: "HLTX01_SYS"),
                "dimensions": map(
                    "核算维度 → 维度标识", "Dimension → its key on this tenant",
                    [
                        "supplier": "FDETAILID__FFLEX4", "department": "FDETAILID__FFLEX5",
                        "customer": "FDETAILID__FFLEX6", "employee": "FDETAILID__FFLEX7",
                        "expense": "FDETAILID__FFLEX9",
                    ]),
                "groups": map("凭证字 → 编码", "Voucher word → code", ["记": "PRE001"]),
                "currencies": map("币别 → 编码", "Currency → code", ["CNY": "PRE001"]),
                "duplicate_messages": list(
                    "另外哪些提示表示“已存在”", "Further messages that mean \"exists already\""),
                "session_messages": list("另外哪些提示表示“会话失效”", "Further messages that mean \"session lost\""),
            ], "required": ["account_set", "user"], "additionalProperties": false,
        ]
    }

    private static var voucher: JSON {
        [
            "type": "voucher", "abilities": ["write", "find"],
            "settings": [
                "type": "object",
                "properties": [
                    "book": text("账簿编码（映射里没有时用）", "Book, where the mapping gives none", identity: true),
                    "group": text("凭证字（映射里没有时用）", "Voucher word, where the mapping gives none"),
                    "finish": choice(
                        "做到哪一步", "How far a voucher is taken", ["save", "submit", "audit"], standard: "save"),
                ], "additionalProperties": false,
            ], "key": ["max_bytes": 64, "alphabet": "a-z0-9-"], "unique_key": false,
            "commit_horizon_ms": .number(JSONNumber(Limits.commitHorizonMilliseconds)),
        ]
    }

    private static var streams: [JSON] {
        Codes.forms.map { form in
            [
                "document": .string(form.document), "abilities": ["read"],
                "filter": ["type": "object", "additionalProperties": false],
            ]
        }
    }
}
