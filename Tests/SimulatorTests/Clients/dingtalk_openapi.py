"""The vendor's OpenAPI client (alibabacloud-dingtalk) against the simulator.

Usage: dingtalk_openapi.py URL APP_KEY APP_SECRET CORP_ID. Prints one JSON object; the Swift test judges it.
"""
import json
import sys
import time

from alibabacloud_dingtalk.oauth2_1_0.client import Client as Oauth
from alibabacloud_dingtalk.oauth2_1_0 import models as oauth
from alibabacloud_dingtalk.workflow_1_0.client import Client as Workflow
from alibabacloud_dingtalk.workflow_1_0 import models as workflow
from alibabacloud_tea_openapi import models as openapi
from alibabacloud_tea_util import models as util
from Tea.exceptions import TeaException

url, key, secret, corp = sys.argv[1:5]
config = openapi.Config(protocol="http", region_id="central", endpoint=url.split("//", 1)[1])
runtime = util.RuntimeOptions()
out = {}

tokens = Oauth(config)
first = tokens.get_access_token(oauth.GetAccessTokenRequest(app_key=key, app_secret=secret)).body
again = tokens.get_access_token(oauth.GetAccessTokenRequest(app_key=key, app_secret=secret)).body
out["same_token"] = first.access_token == again.access_token
out["expire_in"] = first.expire_in
unified = tokens.get_token(
    corp, oauth.GetTokenRequest(client_id=key, client_secret=secret, grant_type="client_credentials")).body
out["unified"] = unified.expires_in
try:
    tokens.get_access_token(oauth.GetAccessTokenRequest(app_key=key, app_secret="wrong"))
except TeaException as error:
    out["wrong_pair"] = error.code

flow = Workflow(config)
token = first.access_token


def headers(model, value=token):
    return model(x_acs_dingtalk_access_token=value)


now = int(time.time() * 1000)
ids = []
cursor = 0
while cursor is not None:
    request = workflow.ListProcessInstanceIdsRequest(
        process_code="PROC-EXPENSE", start_time=now - 30 * 86400000, end_time=now + 1000, next_token=cursor,
        max_results=20, statuses=["COMPLETED"])
    page = flow.list_process_instance_ids_with_options(
        request, headers(workflow.ListProcessInstanceIdsHeaders), runtime).body.result
    ids += page.list
    cursor = int(page.next_token) if page.next_token else None
out["ids"] = ids

detail = flow.get_process_instance_with_options(
    workflow.GetProcessInstanceRequest(process_instance_id=ids[0]),
    headers(workflow.GetProcessInstanceHeaders), runtime).body
out["success"] = detail.success
out["status"] = detail.result.status
out["components"] = [c.component_type for c in detail.result.form_component_values]
table = [c for c in detail.result.form_component_values if c.component_type == "TableField"][0]
out["rows"] = len(json.loads(table.value))
out["task_id"] = detail.result.tasks[0].task_id

comment = flow.add_process_instance_comment_with_options(
    workflow.AddProcessInstanceCommentRequest(
        process_instance_id=ids[0], text="凭证 记-12", comment_user_id="manager01"),
    headers(workflow.AddProcessInstanceCommentHeaders), runtime).body
out["commented"] = comment.success
detail = flow.get_process_instance_with_options(
    workflow.GetProcessInstanceRequest(process_instance_id=ids[0]),
    headers(workflow.GetProcessInstanceHeaders), runtime).body
out["remarks"] = [r.remark for r in detail.result.operation_records if r.type == "ADD_REMARK"]

schema = flow.query_schema_by_process_code_with_options(
    workflow.QuerySchemaByProcessCodeRequest(process_code="PROC-EXPENSE"),
    headers(workflow.QuerySchemaByProcessCodeHeaders), runtime).body.result
out["schema"] = [item.props.biz_alias for item in schema.schema_content.items]

templates = flow.list_user_visible_bpms_processes_with_options(
    workflow.ListUserVisibleBpmsProcessesRequest(user_id="manager01", max_results=100, next_token=0),
    headers(workflow.ListUserVisibleBpmsProcessesHeaders), runtime).body.result
out["templates"] = [process.process_code for process in templates.process_list]

try:
    flow.get_process_instance_with_options(
        workflow.GetProcessInstanceRequest(process_instance_id=ids[0]),
        headers(workflow.GetProcessInstanceHeaders, "nonsense"), runtime)
except TeaException as error:
    out["bad_token"] = error.code
try:
    flow.get_process_instance_with_options(
        workflow.GetProcessInstanceRequest(process_instance_id="nonsense"),
        headers(workflow.GetProcessInstanceHeaders), runtime)
except TeaException as error:
    out["no_instance"] = error.code

print(json.dumps(out, ensure_ascii=False))
