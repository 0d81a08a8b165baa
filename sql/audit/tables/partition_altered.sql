-- error: A partition differs from its parent
--
-- Rules, triggers and policies belong to the parent. Those of a partition apply to the rows of one month only, and no
-- migration contains them.

select
    c.oid::regclass::text as object,
    thing.what as found,
    thing.fix
from pg_class as c
cross join lateral (
    select
        format('policy %I', p.polname) as what,
        format('drop policy %I on %s;', p.polname, c.oid::regclass) as fix
    from pg_policy as p
    where p.polrelid = c.oid
    union all
    select
        format('trigger %I, calling %s', t.tgname, t.tgfoid::regproc),
        format('drop trigger %I on %s;', t.tgname, c.oid::regclass)
    from pg_trigger as t
    where t.tgrelid = c.oid and not t.tgisinternal and t.tgparentid = 0
    union all
    select format('rule %I', r.rulename), format('drop rule %I on %s;', r.rulename, c.oid::regclass)
    from pg_rewrite as r
    where r.ev_class = c.oid
    union all
    select
        format('constraint %I: %s', k.conname, pg_get_constraintdef(k.oid)),
        format('alter table %s drop constraint %I;', c.oid::regclass, k.conname)
    from pg_constraint as k
    where k.conrelid = c.oid and k.contype = 'c' and k.coninhcount = 0
    union all
    select
        format('another default of %I: %s', a.attname, coalesce(pg_get_expr(d.adbin, d.adrelid), 'none')),
        format('alter table %s alter %I set default %s;', c.oid::regclass, a.attname, pg_get_expr(pd.adbin, pd.adrelid))
    from pg_inherits as i
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_attribute as pa on pa.attrelid = i.inhparent and pa.attname = a.attname
    left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
    left join pg_attrdef as pd on pd.adrelid = i.inhparent and pd.adnum = pa.attnum
    where i.inhrelid = c.oid and pg_get_expr(d.adbin, d.adrelid) is distinct from pg_get_expr(pd.adbin, pd.adrelid)
) as thing
where c.oid >= 16384 and c.relispartition and c.relkind in ('r', 'p')
order by 1, 2
