-- error: A role may set a parameter that is for superusers
--
-- With SET on session_replication_role a role disables triggers for itself, and with them foreign keys, the change log
-- and the limits of a plan; with ALTER SYSTEM it changes the server. Who may set backtrace_functions decides which
-- organization a transaction has entered: the gate and the owner, and no other role.

select
    format('parameter %s', p.parname) as object,
    format(
        '%s may %s it',
        case a.grantee when 0 then 'every role' else a.grantee::regrole::text end,
        lower(string_agg(a.privilege_type, ', ' order by a.privilege_type))
    ) as found,
    format(
        'revoke all on parameter %s from %s;',
        p.parname,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    ) as fix
from pg_parameter_acl as p
cross join lateral aclexplode(p.paracl) as a
where
    a.grantee <> 10
    and not (
        p.parname = 'backtrace_functions'
        and a.privilege_type = 'SET'
        and not a.is_grantable
        and a.grantee in (to_regrole('appointd_gate'), to_regrole('appointd_owner'))
    )
group by p.parname, a.grantee
order by 1, 2
