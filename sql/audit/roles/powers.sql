-- error: A role has more attributes than it needs
--
-- A role that can create roles can join them (in releases before 16 implicitly); a role that can replicate reads every
-- row of the cluster. No role of appointd can create databases, which could copy this one, and none inherits: rights of
-- other roles must be taken explicitly. The administrator of a managed PostgreSQL creates roles; accept it by name.

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
    select
        r.rolname in (
            'appointd_owner', 'appointd_api', 'appointd_door', 'appointd_worker', 'appointd_gate', 'appointd_auditor'
        ) as so
) as ours
where
    r.oid <> 10
    and (r.rolcreaterole or r.rolreplication or (ours.so and (r.rolcreatedb or r.rolinherit)))
order by 1
