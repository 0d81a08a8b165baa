-- warning: A column is of a type that does harm
--
-- reg* types keep a cluster from being upgraded (pg_upgrade); an enum cannot be compared by an index under a policy; a
-- timestamp without time zone is no instant; json is compared by nothing.

select
    format('%s.%I', a.attrelid::regclass, a.attname) as object,
    format('of type %s', format_type(a.atttypid, a.atttypmod)) as found,
    format(
        'alter table %s alter %I type %s;',
        a.attrelid::regclass,
        a.attname,
        case when t.typname = 'timestamp' then 'timestamptz' when t.typname = 'json' then 'jsonb' else 'text' end
    ) as fix
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
join pg_type as t on t.oid = a.atttypid
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and a.attnum > 0
    and not a.attisdropped
    and (
        t.typtype = 'e'
        or t.typname in (
            'timestamp', 'json', 'money', 'regclass', 'regcollation', 'regconfig', 'regdictionary', 'regnamespace',
            'regoper',
            'regoperator', 'regproc', 'regprocedure', 'regrole', 'regtype'
        )
    )
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by 1
