"""The vendor's own Python client (kingdee-cdp-webapi-sdk) against the simulator.

usage: kingdee_client.py CREDENTIALS.json
Prints one line per check and the count; exits 1 at the first one that fails.
"""

import json
import sys
import urllib.request

from k3cloud_webapi_sdk.main import K3CloudApiSdk

checks = 0


def check(name, good, shown=""):
    global checks
    if not good:
        print(f"FAILED {name}: {shown}")
        sys.exit(1)
    checks += 1
    print(f"ok {name}")


def client(credentials, **changes):
    given = {**credentials, **changes}
    sdk = K3CloudApiSdk(given["server_url"], timeout=20)
    sdk.InitConfig(
        given["acct_id"], given["username"], given["app_id"], given["app_secret"], given["server_url"],
        given["lcid"], given["org_num"])
    return sdk


def status(text):
    answer = json.loads(text)
    if isinstance(answer, list):
        answer = answer[0][0]
    return answer["Result"]["ResponseStatus"]


def raises(call):
    try:
        call()
    except RuntimeError as error:
        return str(error) or "raised"
    return None


def control(credentials, path, body):
    base = credentials["server_url"].split("/k3cloud")[0]
    request = urllib.request.Request(base + path, json.dumps(body).encode(), method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.loads(opener.open(request).read())


def voucher(external, amount="1200.50"):
    def line(account, debit, credit, **more):
        return {
            "FEXPLANATION": "王小明差旅费", "FACCOUNTID": {"FNumber": account}, "FCURRENCYID": {"FNumber": "PRE001"},
            "FEXCHANGERATETYPE": {"FNumber": "HLTX01_SYS"}, "FEXCHANGERATE": 1, "FAMOUNTFOR": amount,
            "FDEBIT": debit, "FCREDIT": credit, **more}

    department = {"FDetailID": {"FDETAILID__FFLEX5": {"FNumber": "BM002"}}}
    return {
        "FVOUCHERID": 0, "FAccountBookID": {"FNumber": "001"}, "FDate": "2026-01-15", "FBUSDATE": "2026-01-15",
        "FYEAR": 2026, "FPERIOD": 1, "FVOUCHERGROUPID": {"FNumber": "PRE001"}, "FVOUCHERGROUPNO": "",
        "FATTACHMENTS": 2, "F_KYDD_ExtID": external,
        "FEntity": [line("6601.01", amount, 0, **department), line("1002.01", 0, amount)]}


def options(model):
    return {"IsVerifyBaseDataField": "true", "ValidateFlag": "true", "NeedReturnFields": ["FVOUCHERGROUPNO"], "Model": model}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        credentials = json.load(file)
    query = {"FormId": "GL_VOUCHER", "FieldKeys": "FVOUCHERID,FBillNo,FDocumentStatus",
             "FilterString": "F_KYDD_ExtID='proc-1'", "OrderString": "FVOUCHERID ASC", "StartRow": 0, "Limit": 2000}

    refused = status(client(credentials, app_secret="wrong").Save("GL_VOUCHER", options(voucher("proc-0"))))
    check("a wrong secret is MsgCode 1", refused["IsSuccess"] is False and refused["MsgCode"] == 1, refused)
    nested = client(credentials, app_secret="wrong").ExecuteBillQuery(query)
    check("a wrong secret in a query is nested", status(nested)["MsgCode"] == 1, nested)
    other_app = "268001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    check("another app id meets the gateway", raises(lambda: client(credentials, app_id=other_app).Save("GL_VOUCHER", {})))
    check("a wrong data centre raises", raises(lambda: client(credentials, acct_id="nope").Save("GL_VOUCHER", {})))

    sdk = client(credentials)
    centres = json.loads(sdk.GetDataCenters())
    check("data centres", centres[0]["Id"] == credentials["acct_id"], centres)
    info = json.loads(sdk.QueryBusinessInfo({"FormId": "GL_VOUCHER"}))
    check("business info", info["Result"]["NeedReturnData"]["Id"] == "GL_VOUCHER", info)
    check("nothing yet", json.loads(sdk.ExecuteBillQuery(query)) == [])

    saved = json.loads(sdk.Save("GL_VOUCHER", options(voucher("proc-1"))))["Result"]
    check("Save", saved["ResponseStatus"]["IsSuccess"] and saved["NeedReturnData"][0]["FVOUCHERGROUPNO"] == "1", saved)
    number = saved["Number"]
    rows = json.loads(sdk.ExecuteBillQuery(query))
    check("ExecuteBillQuery", rows == [[saved["Id"], number, "A"]], rows)
    objects = json.loads(sdk.BillQuery(query))
    check("BillQuery", objects[0]["FBillNo"] == number, objects)
    view = json.loads(sdk.View("GL_VOUCHER", {"Number": number}))["Result"]["Result"]
    check("View", view["F_KYDD_ExtID"] == "proc-1" and len(view["Entity"]) == 2, view)
    for operation, letter in [("Submit", "B"), ("Audit", "C"), ("UnAudit", "D"), ("Submit", "B"), ("Audit", "C")]:
        answer = status(getattr(sdk, operation)("GL_VOUCHER", {"Numbers": [number]}))
        check(operation, answer["IsSuccess"] and answer["SuccessEntitys"][0]["Number"] == number, answer)
        check(f"status {letter}", json.loads(sdk.ExecuteBillQuery(query))[0][2] == letter)
    answer = status(sdk.Audit("GL_VOUCHER", {"Numbers": [number]}))
    check("a second Audit is refused", answer["IsSuccess"] is False and answer["MsgCode"] == 12, answer)
    answer = status(sdk.Delete("GL_VOUCHER", {"Numbers": [number]}))
    check("Delete after Audit is refused", answer["MsgCode"] == 12, answer)

    crooked = voucher("proc-2")
    crooked["FEntity"][0]["FDEBIT"] = "1"
    answer = status(sdk.Save("GL_VOUCHER", options(crooked)))
    check("out of balance", answer["MsgCode"] == 11 and "借贷不平衡" in answer["Errors"][0]["Message"], answer)
    answer = status(sdk.ExecuteBillQuery({**query, "FilterString": "F_KYDD_ExtID='x' or 1=1"}))
    check("a filter that breaks out is refused", answer["MsgCode"] == 4, answer)
    answer = status(sdk.ExcuteOperation("BD_Department", "Forbid", {"Numbers": ["BM002"]}))
    check("the misspelt operation does nothing", answer["IsSuccess"], answer)

    batch = json.loads(sdk.BatchSaveQuery("GL_VOUCHER", options([voucher("proc-3"), voucher("proc-4")])))["Result"]
    check("BatchSave by polling", len(batch["ResponseStatus"]["SuccessEntitys"]) == 2, batch)
    check("Draft", status(sdk.Draft("GL_VOUCHER", options(crooked)))["IsSuccess"])

    control(credentials, "/_sim/faults", {"match": "save", "kind": "responseError", "times": 1})
    check("response_error raises", raises(lambda: sdk.Save("GL_VOUCHER", options(voucher("proc-5")))))
    sdk.identify.AppSecret = "wrong"
    check("a live session hides a wrong secret", json.loads(sdk.ExecuteBillQuery(query))[0][1] == number)
    control(credentials, "/_sim/sessions/end", {})
    check("and shows it when the session ends", status(sdk.ExecuteBillQuery(query))["MsgCode"] == 1)
    sdk.identify.AppSecret = credentials["app_secret"]
    check("a lost session opens anew silently", json.loads(sdk.ExecuteBillQuery(query))[0][1] == number)
    print(f"{checks} checks")


main()
