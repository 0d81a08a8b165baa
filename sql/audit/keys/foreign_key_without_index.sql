-- warning: A foreign key has no index
--
-- Deleting a row, or changing its key, looks for the rows that lead to it. Without an index on the columns of the
-- foreign key that reads everything: for the server's own deletes all that the organization has, for the owner's (a
-- plan, a tenant) the whole table, with the row locked meanwhile.

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
    and not exists (
        select
        from pg_index as i
        where
            i.indrelid = k.conrelid
            and i.indisvalid
            -- All columns of the key in front, in any order; or fewer, where those are unique already.
            and (i.indnkeyatts >= cardinality(k.conkey) or (i.indisunique and i.indpred is null))
            and (
                select bool_and(column_number = any (k.conkey))
                from unnest(
                    (i.indkey::smallint[])[0:least(i.indnkeyatts::integer, cardinality(k.conkey)) - 1]
                ) as column_number
            )
            -- A null leads nowhere, so an index without nulls does.
            and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
    )
order by 1
