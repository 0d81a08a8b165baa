-- error: A policy compares the role of the connection
--
-- The server connects as one role for all callers. A policy that compares with current_user, session_user or similar
-- tests the server, not the caller. One floor does so on purpose: the gate finds an organization by its host.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    e.expression as found,
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
cross join lateral (
    select concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as expression
) as e
where
    e.expression ~ '\m(CURRENT_USER|SESSION_USER|CURRENT_ROLE|USER|SYSTEM_USER|getpgusername|pg_has_role|'
    'current_query|inet_client_addr|application_name)\M'
    and not (
        not p.polpermissive
        and (p.polrelid::regclass, p.polname) in (
            (to_regclass('tenancy.organizations'), 'tenant_floor_select'),
            (to_regclass('tenancy.members'), 'tenant_floor_select'),
            (to_regclass('scheduling.shared_claims'), 'tenant_floor_select'),
            (to_regclass('scheduling.holds'), 'tenant_floor_select'),
            (to_regclass('scheduling.freed_time'), 'tenant_floor_select'),
            (to_regclass('messaging.outbox'), 'tenant_floor_select'),
            (to_regclass('messaging.jobs'), 'tenant_floor_select')
        )
    )
order by 1
