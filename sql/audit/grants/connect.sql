-- error: A role may connect that does not need to
--
-- The owner, the server, the front door, the worker and the auditor connect. The gate never does: its functions only
-- run as this role.

select
    format('database %I', d.datname) as object,
    format('%s may connect', case a.grantee when 0 then 'every role' else a.grantee::regrole::text end) as found,
    format(
        'revoke connect on database %I from %s;',
        d.datname,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    ) as fix
from pg_database as d
cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as a
where
    d.datname = current_database()
    and a.privilege_type = 'CONNECT'
    and a.grantee not in (
        d.datdba,
        10,
        coalesce(to_regrole('appointd_api'), 0),
        coalesce(to_regrole('appointd_door'), 0),
        coalesce(to_regrole('appointd_worker'), 0),
        coalesce(to_regrole('appointd_auditor'), 0)
    )
    or (d.datname = current_database() and a.privilege_type = 'CONNECT' and a.grantee = 0)
order by 1, 2
