-- error: A right may be passed on
--
-- WITH GRANT OPTION lets a role grant its rights to other roles.

select
    c.oid::regclass::text as object,
    format('%s may pass on %s', a.grantee::regrole, lower(string_agg(distinct a.privilege_type, ', '))) as found,
    format('revoke grant option for all on %s from %s;', c.oid::regclass, a.grantee::regrole) as fix
from pg_class as c
cross join lateral (
    select * from aclexplode(c.relacl)
    union all
    select x.* from pg_attribute as col cross join lateral aclexplode(col.attacl) as x where col.attrelid = c.oid
) as a
where c.oid >= 16384 and a.is_grantable and a.grantee <> c.relowner
group by c.oid, a.grantee
union all
select
    f.oid::regprocedure::text,
    format('%s may pass on execute', a.grantee::regrole),
    format('revoke grant option for execute on routine %s from %s;', f.oid::regprocedure, a.grantee::regrole)
from pg_proc as f
cross join lateral aclexplode(f.proacl) as a
where f.oid >= 16384 and a.is_grantable and a.grantee <> f.proowner
union all
select
    format('schema %I', n.nspname),
    format('%s may pass on %s', a.grantee::regrole, lower(string_agg(distinct a.privilege_type, ', '))),
    format('revoke grant option for all on schema %I from %s;', n.nspname, a.grantee::regrole)
from pg_namespace as n
cross join lateral aclexplode(n.nspacl) as a
where n.oid >= 16384 and a.is_grantable and a.grantee <> n.nspowner
group by n.nspname, a.grantee
union all
select
    format('database %I', d.datname),
    format('%s may pass on %s', a.grantee::regrole, lower(string_agg(distinct a.privilege_type, ', '))),
    format('revoke grant option for all on database %I from %s;', d.datname, a.grantee::regrole)
from pg_database as d
cross join lateral aclexplode(d.datacl) as a
where d.datname = current_database() and a.is_grantable and a.grantee <> d.datdba
group by d.datname, a.grantee
union all
select
    format('role %s', m.roleid::regrole),
    format('%s may pass on the membership', m.member::regrole),
    format('revoke admin option for %s from %s;', m.roleid::regrole, m.member::regrole)
from pg_auth_members as m
where m.admin_option and m.roleid >= 16384
order by 1, 2
