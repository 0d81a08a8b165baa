-- error: A role of appointd's can do more than it has to
--
-- Who can make roles can join them; who can make databases can copy this one (template); who can replicate reads every
-- row of it; and who inherits has what its roles have without asking.

select
    format('role %I', r.rolname) as object,
    concat_ws(
        ', ',
        case when r.rolcreaterole then 'CREATEROLE' end,
        case when r.rolcreatedb then 'CREATEDB' end,
        case when r.rolreplication then 'REPLICATION' end,
        case when r.rolinherit then 'INHERIT' end
    ) as found,
    format('alter role %I nocreaterole nocreatedb noreplication noinherit;', r.rolname) as fix
from pg_roles as r
where
    r.rolname in ('appointd_owner', 'appointd_api', 'appointd_gate', 'appointd_auditor')
    and (r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolinherit)
order by 1
