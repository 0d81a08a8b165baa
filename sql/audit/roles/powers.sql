-- error: A role can do more than it has to
--
-- Who can make roles can join them (in releases before 16 without being asked); who can replicate reads every row of
-- the cluster. Of the roles of appointd none can make databases, which would copy this one, and none inherits: what a
-- role of theirs has is taken on purpose. An administrator of a managed PostgreSQL makes roles; accept it by name.

select
    format('role %I', r.rolname) as object,
    concat_ws(
        ', ',
        case when r.rolcreaterole then 'CREATEROLE' end,
        case when r.rolreplication then 'REPLICATION' end,
        case when ours.so and r.rolcreatedb then 'CREATEDB' end,
        case when ours.so and r.rolinherit then 'INHERIT' end
    ) as found,
    format(
        'alter role %I nocreaterole noreplication%s;',
        r.rolname,
        case when ours.so then ' nocreatedb noinherit' end
    ) as fix
from pg_roles as r
cross join lateral (
    select r.rolname in ('appointd_owner', 'appointd_api', 'appointd_gate', 'appointd_auditor') as so
) as ours
where
    r.oid <> 10
    and (r.rolcreaterole or r.rolreplication or (ours.so and (r.rolcreatedb or r.rolinherit)))
order by 1
