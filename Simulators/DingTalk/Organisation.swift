import SimulatorKit

/// A department of the sample organisation.
struct Department: Sendable {
    let id: Int
    let name: String
    let parent: Int
}

/// A person of the sample organisation.
struct Person: Sendable {
    let id: String
    let name: String
    /// 工号: free text at the vendor; may repeat, may be empty.
    let number: String
    let department: Int
    let title: String
    let mobile: String

    /// The same person over all organisations of one developer.
    var unionID: String { "union" + Digest.base64(Digest.sha256(Array(id.utf8))).prefix(20) }
}

/// The sample organisation: invented, with the irregularities real ones have.
struct Organisation: Sendable {
    static let departments: [Department] = [
        Department(id: 1, name: "杭州示例科技有限公司", parent: 0),
        Department(id: 1001, name: "销售部", parent: 1),
        Department(id: 1002, name: "市场部", parent: 1),
        Department(id: 1003, name: "研发部", parent: 1),
        Department(id: 1004, name: "财务部", parent: 1),
        Department(id: 1005, name: "行政人事部", parent: 1),
        Department(id: 1006, name: "供应链部", parent: 1),
        Department(id: 1011, name: "华东大区", parent: 1001),
        Department(id: 1012, name: "华南大区", parent: 1001),
        Department(id: 1031, name: "测试组", parent: 1003),
    ]

    private static let names = [
        "张三", "李四", "王五", "赵六", "钱七", "孙八", "周九", "吴十", "郑小明", "冯小红", "陈晓东", "褚建国", "卫志强", "蒋丽华",
        "沈佳怡", "韩雪梅", "杨柳青", "朱子涵", "秦岭", "尤海洋", "许文博", "何雨欣", "吕思远", "施慧敏", "张三", "孔令辉煌", "曹安琪",
        "严格非", "华天宇", "金明亮", "魏然", "陶渊", "姜山", "戚静", "谢春生", "邹凯文", "喻晓", "柏松", "水清", "窦悦",
    ]

    static let people: [Person] =
        names.enumerated().map { index, name in
            let leaves = [1011, 1012, 1002, 1003, 1031, 1004, 1005, 1006]
            let department = leaves[index % leaves.count]
            let three = index + 1 < 10 ? "00\(index + 1)" : "0\(index + 1)"
            // The last three: no number, and two people with one number.
            let number = index == 37 ? "" : index >= 38 ? "E900" : "E\(three)"
            return Person(
                id: "user\(three)", name: name, number: number, department: department,
                title: index % leaves.count == index ? "主管" : "专员", mobile: "138000\(10_000 + index)")
        } + [
            Person(
                id: "manager01", name: "马经理", number: "M001", department: 1001, title: "部门经理", mobile: "13900010001"),
            Person(id: "finance01", name: "高会计", number: "F001", department: 1004, title: "会计", mobile: "13900010002"),
        ]

    /// Those who file claims: everybody whose number is not empty and not shared.
    static let claimants = people.filter { !$0.number.isEmpty && $0.number != "E900" && $0.id.hasPrefix("user") }

    static func person(_ id: String) -> Person? { people.first { $0.id == id } }
    static func department(_ id: Int) -> Department? { departments.first { $0.id == id } }
}
