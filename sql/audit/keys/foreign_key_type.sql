-- warning: The two ends of a foreign key are of different types
--
-- Every check converts one into the other, and an index may not be used for it.

select
    k.conrelid::regclass || ' constraint ' || quote_ident(k.conname) as object,
    format(
        '%I is %s, %I is %s',
        here.attname,
        format_type(here.atttypid, null),
        there.attname,
        format_type(there.atttypid, null)
    ) as found,
    format(
        'alter table %s alter %I type %s;',
        k.conrelid::regclass,
        here.attname,
        format_type(there.atttypid, there.atttypmod)
    ) as fix
from pg_constraint as k
cross join lateral unnest(k.conkey, k.confkey) as pair (here, there)
join pg_attribute as here on here.attrelid = k.conrelid and here.attnum = pair.here
join pg_attribute as there on there.attrelid = k.confrelid and there.attnum = pair.there
where k.contype = 'f' and k.conrelid >= 16384 and here.atttypid <> there.atttypid
order by 1, 2
