-- error: A table inherits from another
--
-- A query of the parent also reads the child, but the child has its own rights and policies when it is named directly,
-- and the keys of the parent do not cover it: two rows can have the same key, and exclusion constraints do not apply
-- between them.

select
    c.oid::regclass::text as object,
    format('inherits from %s', string_agg(i.inhparent::regclass::text, ', ')) as found,
    format('alter table %s no inherit %s;', c.oid::regclass, min(i.inhparent::regclass::text)) as fix
from pg_inherits as i
join pg_class as c on c.oid = i.inhrelid
where c.oid >= 16384 and c.relkind in ('r', 'f') and not c.relispartition
group by c.oid
order by 1
