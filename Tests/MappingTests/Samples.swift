import Documents
import Mapping
import Values

/// The example of docs/mapping.md as the host hands it over.
let expenseMapping = """
    {"mapping": "expense-voucher", "from": "approval", "to": "voucher",
     "skip": [{"when": {"path": "action", "equals": "revoke"}, "rule": "撤销单不生成凭证"}],
     "document": {
       "book": "001",
       "date": {"date": {"path": "finished_at"}, "zone": "Asia/Shanghai"},
       "business_date": {"date": {"path": "created_at"}, "zone": "Asia/Shanghai"},
       "group": "记",
       "attachment_count": {"count": "attachments"},
       "reference": {"path": "number"},
       "summary": {"substring": {"concat": [{"path": "applicant.name"}, " ", {"path": "fields[报销事由]"}]}, "length": 60},
       "lines": [
         {"each": "fields[费用明细]",
          "line": {
            "summary": {"default": [{"path": "row.fields[摘要]"}, {"path": "row.fields[费用类型]"}]},
            "account": {"lookup": "expense-accounts", "where": {"费用类型": {"path": "row.fields[费用类型]"}}, "give": "科目编码"},
            "dimensions": {
              "department": {"lookup": "departments", "where": {"dingtalk_id": {"path": "doc.applicant.department.id"}}, "give": "erp_code"},
              "employee": {"optional": {"path": "applicant.employee_number"}}},
            "currency": "CNY", "rate": "1",
            "debit": {"path": "row.fields[金额]"}, "credit": "0"}},
         {"line": {
            "summary": {"concat": [{"path": "applicant.name"}, "报销"]},
            "account": {"when": [{"if": {"path": "fields[支付方式]", "equals": "现金"}, "then": "1001"}], "else": "2241"},
            "currency": "CNY", "rate": "1", "debit": "0",
            "credit": {"sum": {"path": "row.fields[金额]"}, "each": "fields[费用明细]"}}}
       ],
       "source": {"document": "approval", "id": {"path": "id"}, "number": {"path": "number"}}
     }}
    """

let expenseApproval = """
    {"id":"pi-0001","number":"202601051034000123456","template":"PROC-EXPENSE","title":"张三提交的差旅报销",
     "status":"completed","result":"agree","action":"none","main_id":null,
     "applicant":{"id":"user001","name":"张三","employee_number":"E001","department":{"id":"1001","name":"销售部"}},
     "created_at":"2026-01-05T18:34:00+08:00","finished_at":"2026-01-31T16:30:00Z",
     "fields":[
       {"id":"TextField-K2A","alias":"reason","label":"报销事由","kind":"text","value":"北京客户拜访"},
       {"id":"MoneyField-K2B","alias":null,"label":"总金额","kind":"money","value":"1280.50"},
       {"id":"Select-K2C","alias":null,"label":"支付方式","kind":"select","value":"转账"},
       {"id":"TableField-K2E","label":"费用明细","kind":"table","rows":[
         {"fields":[{"id":"MoneyField-R1","label":"金额","kind":"money","value":"1000.00"},
                    {"id":"TextField-R2","label":"摘要","kind":"text","value":"机票"},
                    {"id":"Select-R3","label":"费用类型","kind":"select","value":"差旅费"}]},
         {"fields":[{"id":"MoneyField-R1","label":"金额","kind":"money","value":"280.50"},
                    {"id":"TextField-R2","label":"摘要","kind":"text","value":null},
                    {"id":"Select-R3","label":"费用类型","kind":"select","value":"招待费"}]}]}],
     "attachments":[{"id":"643000140","name":"invoice.pdf","size":33300},{"id":"643000141","name":"b.pdf","size":1}],
     "extra":{}}
    """

let tables: [String: CodeTable] = {
    do throws(MappingProblems) {
        return [
            "expense-accounts": try CodeTable(
                file: "tables/expense-accounts.csv",
                csv: Array("费用类型,科目编码,备注\r\n差旅费,6601.01,\r\n招待费,6601.02,\r\n办公费,,待定\r\n".utf8)),
            "departments": try CodeTable(
                file: "tables/departments.csv", csv: Array("dingtalk_id,erp_code\n1001,BM002\n1002,BM003\n".utf8)),
        ]
    } catch {
        fatalError("\(error)")
    }
}()

func json(_ text: String) -> JSON {
    do throws(Problem) {
        return try JSON.parse(text)
    } catch {
        fatalError("\(error) in \(text)")
    }
}

func compile(_ text: String) throws -> Mapping {
    try Mapping.compile(json(text), tables: tables, from: .approval, to: .voucher)
}

/// The sample approval with one place changed.
func approval(_ change: (inout JSON) -> Void = { _ in }) -> JSON {
    var document = json(expenseApproval)
    change(&document)
    return document
}

extension JSON {
    /// Sets or removes the value at a path of keys and indices, for building a case.
    mutating func set(_ path: [String], _ value: JSON?) {
        guard let first = path.first else {
            if let value { self = value }
            return
        }
        let rest = Array(path.dropFirst())
        switch self {
        case .object(var object):
            if rest.isEmpty {
                object[first] = value
            } else if var inner = object[first] {
                inner.set(rest, value)
                object[first] = inner
            }
            self = .object(object)
        case .array(var elements):
            guard let index = Int(first), elements.indices.contains(index) else { return }
            if rest.isEmpty, value == nil {
                elements.remove(at: index)
            } else {
                elements[index].set(rest, value)
            }
            self = .array(elements)
        default: break
        }
    }
}

extension MappingResult {
    var documents: [JSON] {
        if case .mapped(let list) = self { list.map(\.document) } else { [] }
    }
    var failures: [MappingFailure] {
        if case .failed(let list) = self { list } else { [] }
    }
    var rule: String? {
        if case .skipped(let rule) = self { rule } else { nil }
    }
}
