import PluginKit
import Values

extension DingTalkConnector {
    /// What the library is and can do.
    public static var description: JSON {
        [
            "id": "dingtalk", "version": "0.1.0", "title": title("钉钉", "DingTalk"),
            "products": [
                [
                    "id": "standard", "title": title("钉钉企业内部应用", "DingTalk, internal app"),
                    "settings": settingsSchema,
                    "secrets": [
                        "app_key": ["required": true, "title": title("应用的 Client ID(AppKey)", "Client id of the app")],
                        "app_secret": [
                            "required": true,
                            "title": title("应用的 Client Secret(AppSecret)", "Client secret of the app"),
                        ],
                        "robot_token": [
                            "required": false, "title": title("群机器人的 access_token", "Access token of the group robot"),
                        ],
                        "robot_secret": [
                            "required": false, "title": title("群机器人的加签密钥", "Signing secret of the group robot"),
                        ],
                    ], "hosts": ["https://oapi.dingtalk.com", "wss://wss-open-connection.dingtalk.com"],
                    "concurrency": ["read": 8, "write": 4, "find": 2, "listen": 4, "probe": 1],
                    // By default the free edition: 20 calls a second per app and API, 5,000 metered calls a month. Paid
                    // units and packs bring up to 60 a second and millions a month, which the operator then says [DOC].
                    "limits": [
                        ["id": "per_second", "window_ms": 1000, "max": 60, "default": 18, "meter": ""],
                        [
                            "id": "per_month", "window_ms": 2_678_400_000, "max": 10_000_000, "default": 5000,
                            "meter": "metered",
                        ],
                        // A group robot falls silent for ten minutes above 20 a minute [DOC].
                        ["id": "robot_per_minute", "window_ms": 60_000, "max": 20, "default": 18, "meter": "robot"],
                        ["id": "concurrency", "max": 20, "default": 8],
                    ], "documents": [comment, message], "streams": [approvals],
                ]
            ],
        ]
    }

    private static func title(_ zh: String, _ en: String) -> JSON { ["zh": .string(zh), "en": .string(en)] }

    private static func text(_ zh: String, _ en: String) -> JSONObject {
        ["type": "string", "minLength": 1, "title": title(zh, en)]
    }

    private static var settingsSchema: JSON {
        var corporation = text("企业的 corpId", "corpId of the organisation")
        corporation["identity"] = true
        var oldBase = text("旧版接口地址, 默认 https://oapi.dingtalk.com", "Base of the old API")
        oldBase["format"] = "uri"
        return [
            "type": "object",
            "properties": [
                "corp_id": .object(corporation),
                "old_endpoint": .object(oldBase),
                "agent_id": .object(text("应用的 AgentId, 发工作通知用", "AgentId of the app, for work notifications")),
                "comment_user": .object(text("以谁的身份写评论, 默认申请人", "Who writes comments; else the applicant")),
                "times_zone": .object(text("新版接口时间的时区, 默认 UTC", "Zone of the new API's times, UTC unless said")),
            ], "required": [], "additionalProperties": false,
        ]
    }

    private static var comment: JSON {
        [
            "type": "approval-comment", "abilities": ["write", "find"], "comments_on": "approval",
            "title": title("审批评论", "Comment on an approval"),
            "settings": ["type": "object", "properties": [:], "additionalProperties": false],
            "key": ["max_bytes": 64, "alphabet": "a-z0-9-"], "unique_key": false,
            "commit_horizon_ms": .number(JSONNumber(Limits.commentHorizonMilliseconds)),
        ]
    }

    private static var message: JSON {
        [
            "type": "message", "abilities": ["write"], "title": title("群消息或工作通知", "Group message or work notification"),
            "settings": ["type": "object", "properties": [:], "additionalProperties": false],
            "key": ["max_bytes": 64, "alphabet": "a-z0-9-"], "unique_key": false, "unknown": "settle",
            "commit_horizon_ms": 10_000,
        ]
    }

    private static var approvals: JSON {
        [
            "document": "approval", "abilities": ["read", "listen"],
            "filter": [
                "type": "object",
                "properties": [
                    "template": ["type": "string", "title": title("审批模板 processCode", "Approval template")]
                ], "additionalProperties": false,
            ],
        ]
    }
}
