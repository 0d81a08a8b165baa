-- error: A role has a right on an object of the system
--
-- PostgreSQL protects what would show rows past the policies (the values in pg_statistic), passwords (pg_authid) and
-- the files of the server (pg_read_file, lo_import). This rule lists every right on a catalog, a function or a language
-- of the system that did not exist when the cluster was created.

select
    thing.name as object,
    format(
        '%s may %s', case thing.grantee when 0 then 'every role' else thing.grantee::regrole::text end,
        lower(string_agg(distinct thing.privilege, ', '))
    ) as found,
    format(
        'revoke all on %s from %s;',
        thing.name,
        case thing.grantee when 0 then 'public' else thing.grantee::regrole::text end
    ) as fix
from (
    select 'table ' || c.oid::regclass, 'pg_class'::regclass, c.oid, 0, a.grantee, a.privilege_type
    from pg_class as c
    cross join lateral aclexplode(c.relacl) as a
    where
        c.oid < 16384
        and a.grantee <> c.relowner
        -- The SQL standard makes it visible to PUBLIC.
        and (c.relnamespace <> 'information_schema'::regnamespace or a.grantee <> 0)
    union all
    select 'table ' || c.oid::regclass, 'pg_class'::regclass, c.oid, col.attnum, a.grantee, a.privilege_type
    from pg_attribute as col
    join pg_class as c on c.oid = col.attrelid
    cross join lateral aclexplode(col.attacl) as a
    where
        c.oid < 16384
        and a.grantee <> c.relowner
        -- The SQL standard makes it visible to PUBLIC.
        and (c.relnamespace <> 'information_schema'::regnamespace or a.grantee <> 0)
    union all
    select 'routine ' || f.oid::regprocedure, 'pg_proc'::regclass, f.oid, 0, a.grantee, a.privilege_type
    from pg_proc as f
    cross join lateral aclexplode(f.proacl) as a
    where f.oid < 16384 and a.grantee <> f.proowner
    union all
    select 'language ' || l.lanname, 'pg_language'::regclass, l.oid, 0, a.grantee, a.privilege_type
    from pg_language as l
    cross join lateral aclexplode(l.lanacl) as a
    where l.oid < 16384 and a.grantee <> l.lanowner
) as thing (name, catalog, id, column_number, grantee, privilege)
where
    not exists (
        select
        from pg_init_privs as i
        cross join lateral aclexplode(i.initprivs) as a
        where
            i.classoid = thing.catalog
            and i.objoid = thing.id
            and i.objsubid = thing.column_number
            and a.grantee = thing.grantee
            and a.privilege_type = thing.privilege
    )
    -- They set the context with it: sql/setup/database.sql.
    and not (
        thing.name = 'routine set_config(text,text,boolean)'
        and thing.grantee in (to_regrole('appointd_gate'), to_regrole('appointd_owner'))
    )
    -- Initial rights of PUBLIC have no record unless some of them were revoked.
    and not (
        thing.catalog in ('pg_proc'::regclass, 'pg_language'::regclass)
        and thing.grantee = 0
        and thing.name !~ '^routine (lo_|pg_read|pg_ls|pg_stat_file|pg_write)'
        and not exists (select from pg_init_privs as i where i.classoid = thing.catalog and i.objoid = thing.id)
    )
group by thing.name, thing.grantee
order by 1, 2
