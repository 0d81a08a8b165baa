-- error: An unknown role has a right
--
-- No policy is meant for the role of a reporting tool or a colleague. Only appointd_owner, appointd_api,
-- appointd_door, appointd_worker and appointd_gate have rights.

select
    c.oid::regclass::text as object,
    format('%s may %s', a.grantee::regrole, lower(string_agg(distinct a.privilege_type, ', '))) as found,
    format('revoke all on %s from %s;', c.oid::regclass, a.grantee::regrole) as fix
from pg_class as c
cross join lateral (
    select * from aclexplode(c.relacl)
    union all
    select x.* from pg_attribute as col cross join lateral aclexplode(col.attacl) as x where col.attrelid = c.oid
) as a
where
    c.oid >= 16384
    and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and a.grantee not in (
        0,
        c.relowner,
        coalesce(to_regrole('appointd_owner'), 0),
        coalesce(to_regrole('appointd_api'), 0),
        coalesce(to_regrole('appointd_door'), 0),
        coalesce(to_regrole('appointd_worker'), 0),
        coalesce(to_regrole('appointd_gate'), 0),
        coalesce(to_regrole('appointd_auditor'), 0)
    )
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
group by c.oid, a.grantee
union all
select
    format('schema %I', n.nspname),
    format('%s may %s', a.grantee::regrole, lower(string_agg(distinct a.privilege_type, ', '))),
    format('revoke all on schema %I from %s;', n.nspname, a.grantee::regrole)
from pg_namespace as n
cross join lateral aclexplode(n.nspacl) as a
where
    n.oid >= 16384
    and n.nspname !~ '^pg_'
    and a.grantee not in (
        0,
        n.nspowner,
        coalesce(to_regrole('appointd_owner'), 0),
        coalesce(to_regrole('appointd_api'), 0),
        coalesce(to_regrole('appointd_door'), 0),
        coalesce(to_regrole('appointd_worker'), 0),
        coalesce(to_regrole('appointd_gate'), 0),
        coalesce(to_regrole('appointd_auditor'), 0)
    )
group by n.nspname, a.grantee
union all
select
    format('%s %s', thing.kind, thing.name),
    format('%s may %s', thing.grantee::regrole, lower(string_agg(distinct thing.privilege, ', '))),
    format('revoke all on %s %s from %s;', thing.kind, thing.name, thing.grantee::regrole)
from (
    select 'routine', f.oid::regprocedure::text, a.grantee, a.privilege_type
    from pg_proc as f
    cross join lateral aclexplode(f.proacl) as a
    where
        f.oid >= 16384
        and a.grantee <> f.proowner
        and not exists (
            select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
        )
    union all
    select 'type', format_type(t.oid, null), a.grantee, a.privilege_type
    from pg_type as t
    cross join lateral aclexplode(t.typacl) as a
    where t.oid >= 16384 and a.grantee <> t.typowner
    union all
    select 'foreign data wrapper', quote_ident(w.fdwname), a.grantee, a.privilege_type
    from pg_foreign_data_wrapper as w
    cross join lateral aclexplode(w.fdwacl) as a
    where a.grantee <> w.fdwowner
    union all
    select 'foreign server', quote_ident(s.srvname), a.grantee, a.privilege_type
    from pg_foreign_server as s
    cross join lateral aclexplode(s.srvacl) as a
    where a.grantee <> s.srvowner
) as thing (kind, name, grantee, privilege)
where
    thing.grantee not in (
        0,
        coalesce(to_regrole('appointd_owner'), 0),
        coalesce(to_regrole('appointd_api'), 0),
        coalesce(to_regrole('appointd_door'), 0),
        coalesce(to_regrole('appointd_worker'), 0),
        coalesce(to_regrole('appointd_gate'), 0),
        coalesce(to_regrole('appointd_auditor'), 0)
    )
group by thing.kind, thing.name, thing.grantee
order by 1, 2
