import SimulatorKit

extension World {
    private func number(_ json: SimJSON?) -> Int? { json?.int ?? json?.string.flatMap { Int($0) } }

    mutating func user(_ call: Call) throws(Refusal) -> SimJSON {
        guard let id = call.body["userid"]?.string, !id.isEmpty else {
            throw .old(errcode: 40035, errmsg: "不合法的参数[userid]")
        }
        guard let person = Organisation.person(id) else { throw .old(errcode: 60121, errmsg: "找不到该用户") }
        var result: SimJSON = [
            "userid": .string(person.id), "unionid": .string(person.unionID), "name": .string(person.name),
            "dept_id_list": [SimJSON(person.department)], "title": .string(person.title), "active": true,
            "admin": false, "boss": false, "hide_mobile": false,
        ]
        // An empty number is left out, as is a mobile number without its permission.
        if !person.number.isEmpty { result["job_number"] = .string(person.number) }
        if scopes.contains("fieldMobile") { result["mobile"] = .string(person.mobile) }
        return ok(result)
    }

    private func known(_ call: Call) throws(Refusal) -> Department {
        guard let id = number(call.body["dept_id"]) else { throw .old(errcode: 40035, errmsg: "不合法的参数[dept_id]") }
        guard let department = Organisation.department(id) else {
            throw .old(errcode: 60003, errmsg: "部门不存在")
        }
        return department
    }

    private func show(_ department: Department) -> SimJSON {
        [
            "dept_id": SimJSON(department.id), "name": .string(department.name),
            "parent_id": SimJSON(department.parent), "auto_add_user": false, "create_dept_group": false,
        ]
    }

    mutating func department(_ call: Call) throws(Refusal) -> SimJSON {
        let department = try known(call)
        return ok(show(department))
    }

    private func children(_ call: Call) throws(Refusal) -> [Department] {
        // Without a number the root is meant.
        let parent = call.body["dept_id"] == nil ? 1 : try known(call).id
        return Organisation.departments.filter { $0.parent == parent }
    }

    mutating func departments(_ call: Call) throws(Refusal) -> SimJSON {
        let found = try children(call)
        return ok(.array(found.map(show)))
    }

    mutating func departmentIDs(_ call: Call) throws(Refusal) -> SimJSON {
        guard call.body["dept_id"] != nil else { throw .old(errcode: 40035, errmsg: "不合法的参数[dept_id]") }
        let found = try children(call)
        return ok(["dept_id_list": .array(found.map { SimJSON($0.id) })])
    }

    mutating func userIDs(_ call: Call) throws(Refusal) -> SimJSON {
        let department = try known(call)
        return ok([
            "userid_list": SimJSON(Organisation.people.filter { $0.department == department.id }.map(\.id))
        ])
    }
}
