-- warning: A foreign key has no index
--
-- Deleting a row looks for the rows that lead to it. Where the server may delete, each key that leads there has an
-- index that begins with the tenant and the next column of the key; without one, a delete reads everything the
-- organization has.

select
    k.conrelid::regclass || ' constraint ' || quote_ident(k.conname) as object,
    pg_get_constraintdef(k.oid) as found,
    format(
        'create index on %s (%s);',
        k.conrelid::regclass,
        (
            select string_agg(quote_ident(a.attname), ', ' order by key.position)
            from unnest(k.conkey) with ordinality as key (attnum, position)
            join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = key.attnum
        )
    ) as fix
from pg_constraint as k
where
    k.contype = 'f'
    and k.conrelid >= 16384
    and k.conparentid = 0
    and exists (
        select
        from pg_class as target
        cross join lateral aclexplode(target.relacl) as a
        where target.oid = k.confrelid and a.privilege_type = 'DELETE' and a.grantee <> target.relowner
    )
    and not exists (
        select
        from pg_index as i
        where
            i.indrelid = k.conrelid
            and i.indisvalid
            and i.indkey[0] = k.conkey[1]
            and (cardinality(k.conkey) = 1 or i.indkey[1] = any (k.conkey))
    )
order by 1
