//! Faults of policies.

use super::{Fault, fault};

pub const POLICIES: &[Fault] = &[
    fault(
        "tables/partition_altered",
        "a trigger on a partition",
        "create trigger zz before insert on operations.audit_events_default for each row execute function suppress_redundant_updates_trigger()",
    ),
    fault(
        "tables/partition_altered",
        "a policy of a partition",
        "create policy oops on operations.audit_events_default for select to appointd_owner using (tenant_id is not null)",
    ),
    fault(
        "tables/partition_missing",
        "no partition for what falls between",
        "drop table operations.audit_events_default",
    ),
    fault(
        "policies/without_person",
        "the person as a part of something else",
        "create policy oops on identity.accounts for select to appointd_api using (((id = (select app.account())) and true) is not null)",
    ),
    fault(
        "tables/partition_altered",
        "a check on a partition",
        "alter table operations.audit_events_default add constraint c check (actor_kind <> 'member') not valid",
    ),
    fault(
        "policies/without_person",
        "accounts without a person",
        "alter policy own_account_select on identity.accounts using (id = coalesce((select app.account()), id))",
    ),
    fault(
        "policies/without_person",
        "second factors of all accounts, for owners",
        "alter policy own_all on identity.second_factors using (account_id = (select app.account()) or (select app.role()) = 'owner')",
    ),
    fault(
        "policies/without_tenant",
        "the predicate as a part of something else",
        "create policy oops on crm.contacts for select to appointd_api using ((tenant_id = (select app.tenant())) is not null)",
    ),
    fault(
        "policies/without_tenant",
        "an exception that says something else, and its floor",
        "alter policy own_select on tenancy.members using ((select app.account()) is not null); alter policy tenant_floor_select on tenancy.members using (tenant_id is not null)",
    ),
    fault(
        "tables/floor",
        "a floor that is an exception and says something else",
        "alter policy tenant_floor_select on tenancy.members using (tenant_id is not null)",
    ),
    fault(
        "policies/unknown_setting",
        "a setting whose name is put together",
        "create policy oops on crm.contacts for select to appointd_api using (tenant_id = (select app.tenant()) and (select current_setting('app.' || first_name, true)) = 'owner')",
    ),
    fault(
        "policies/without_tenant",
        "a policy without the tenant",
        "create policy oops on crm.contacts for select to appointd_api using ((select app.role()) = 'owner')",
    ),
    fault(
        "policies/without_tenant",
        "a policy with a way around, and no floor",
        "drop policy tenant_floor on crm.contacts; alter policy viewer_select on crm.contacts using (tenant_id = (select app.tenant()) or (select app.tenant()) is null)",
    ),
    fault(
        "policies/without_tenant",
        "an insert policy without a condition, and no floor",
        "drop policy tenant_floor on scheduling.closures; drop policy manager_insert on scheduling.closures; create policy manager_insert on scheduling.closures for insert to appointd_api with check (true); grant insert (tenant_id) on scheduling.closures to appointd_api",
    ),
    fault(
        "policies/without_tenant",
        "a policy of another organization's memberships",
        "alter policy own_select on tenancy.members to appointd_api, appointd_auditor",
    ),
    fault(
        "policies/always_true",
        "a policy that is true",
        "create policy oops on crm.contacts for select to appointd_api using (true)",
    ),
    fault(
        "policies/always_true",
        "a policy that is true, and no floor",
        "drop policy tenant_floor on crm.contacts; create policy oops on crm.contacts for select to appointd_api using (true)",
    ),
    fault(
        "policies/always_true",
        "a policy that is always true without saying so",
        "create policy oops on tenancy.settings for update to appointd_api using (tenant_id = tenant_id)",
    ),
    fault(
        "policies/always_true",
        "accounts for all",
        "create policy everybody_select on identity.accounts for select to appointd_api using (id is not null)",
    ),
    fault(
        "policies/always_true",
        "sessions for all",
        "alter policy own_all on identity.sessions using (true)",
    ),
    fault(
        "policies/always_true",
        "hosts of all organizations",
        "alter policy gate_all on tenancy.verified_domains to appointd_gate, appointd_api",
    ),
    fault(
        "policies/for_public",
        "a policy for public",
        "create policy oops on scheduling.series for select using (tenant_id = (select app.tenant()))",
    ),
    fault(
        "policies/for_unknown_role",
        "a policy for another role",
        "create policy oops on crm.contacts for select to appointd_auditor using (tenant_id = (select app.tenant()))",
    ),
    fault(
        "policies/unknown_setting",
        "a policy that believes a header",
        "create policy oops on tenancy.settings for select to appointd_api using (tenant_id = (select app.tenant()) and (select current_setting('request.header', true)) = 'x')",
    ),
    fault(
        "policies/bare_setting",
        "a policy that reads its setting for every row",
        "alter policy viewer_select on crm.contacts using (tenant_id = app.tenant())",
    ),
    fault(
        "policies/unknown_setting",
        "a policy that trusts a setting of all",
        "alter policy viewer_select on crm.contacts using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))",
    ),
    fault(
        "policies/function_volatility",
        "a policy with an immutable function, and no floor",
        "create function app.planned() returns uuid language plpgsql immutable as 'begin return app.tenant(); end'; alter function app.planned() owner to appointd_owner; drop policy tenant_floor on crm.contacts; drop policy viewer_select on crm.contacts; create policy viewer_select on crm.contacts for select to appointd_api using (tenant_id = app.planned())",
    ),
    fault(
        "policies/function_volatility",
        "a policy with a volatile function",
        "create policy oops on crm.contacts for select to appointd_api using (tenant_id = (select app.tenant()) and random() < 2)",
    ),
    fault(
        "policies/weaker_check",
        "a policy that lets more be written than seen",
        "alter policy staff_update on crm.contacts with check (tenant_id = (select app.tenant()))",
    ),
    fault(
        "policies/constant",
        "a restrictive policy that takes nothing away",
        "create policy oops on crm.contacts as restrictive for all to public using (true)",
    ),
    fault(
        "policies/constant",
        "a policy that admits no row",
        "create policy oops on crm.contacts for select to appointd_api using (false)",
    ),
    fault(
        "policies/database_user",
        "a policy that asks who is connected",
        "create policy oops on crm.contacts for select to appointd_api using (tenant_id = (select app.tenant()) and current_user = 'appointd_api')",
    ),
    fault(
        "policies/pattern",
        "a policy that compares by a pattern",
        "create policy oops on crm.contacts for select to appointd_api using (tenant_id = (select app.tenant()) and last_name like (select app.role()))",
    ),
    fault(
        "policies/duplicate",
        "the same policy twice",
        "create policy again on scheduling.closures for select to appointd_gate using (tenant_id = (select app.tenant())); create policy once_more on scheduling.closures for select to appointd_gate using (tenant_id = (select app.tenant()))",
    ),
    fault(
        "policies/overlap",
        "many policies for one command",
        "create policy one on crm.contacts for select to appointd_api using (tenant_id = (select app.tenant()) and first_name = 'one'); create policy two on crm.contacts for select to appointd_api using (tenant_id = (select app.tenant()) and first_name = 'two'); create policy three on crm.contacts for select to appointd_api using (tenant_id = (select app.tenant()) and first_name = 'three')",
    ),
    fault(
        "policies/name",
        "a policy called todo",
        "alter policy viewer_select on crm.contacts rename to todo_select",
    ),
    fault(
        "",
        "a role that is too low may delete",
        "drop policy manager_delete on crm.contacts; create policy manager_delete on crm.contacts for delete to appointd_api using (tenant_id = (select app.tenant()) and (select app.role()) = any ('{viewer,staff,manager,admin,owner}'))",
    ),
    fault(
        "",
        "a customer sees all appointments",
        "drop policy customer_select on scheduling.appointments; create policy customer_select on scheduling.appointments for select to appointd_api using (tenant_id = (select app.tenant()) and (select app.role()) = any ('{customer}'))",
    ),
    fault(
        "",
        "a guest sees every appointment",
        "drop policy guest_select on scheduling.appointments; create policy guest_select on scheduling.appointments for select to appointd_api using (tenant_id = (select app.tenant()) and (select app.role()) = any ('{guest}'))",
    ),
    fault("", "invitations above one's own role", "drop policy role_ceiling_insert on tenancy.invitations"),
    fault(
        "",
        "a floor of organizations that is true",
        "alter policy tenant_floor_select on tenancy.organizations using (true)",
    ),
];
