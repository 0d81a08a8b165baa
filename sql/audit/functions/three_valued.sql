-- error: A check passes what it cannot decide
--
-- `if a <> b then raise …` refuses nothing if a or b is null: the comparison is null, and null is not true. The
-- condition of a refusal therefore compares in one of the forms that are never null: `(a = b) is not true`,
-- `is distinct from`, `is null`, `exists`.

with recursive conditions as (
    -- Without comments, and without what stands in quotes.
    select
        f.oid,
        regexp_replace(found.condition[1], '\s+', ' ', 'g') as condition,
        regexp_replace(found.condition[1], '''[^'']*''', '', 'g') as text,
        0 as rounds
    from pg_proc as f
    join pg_language as l on l.oid = f.prolang
    cross join lateral regexp_matches(
        regexp_replace(f.prosrc, '--[^\n]*', '', 'g'),
        '\m(?:els)?if\M((?:(?!\mthen\M|;).)*)\mthen\M\s+raise\s+exception[^;]*\merrcode\s*=\s*''(?:AP|object_not_in_)',
        'g'
    ) as found (condition)
    where f.oid >= 16384 and l.lanname = 'plpgsql'
    union all
    -- Without what stands in parentheses, from the innermost out.
    select c.oid, c.condition, regexp_replace(c.text, '\([^()]*\)', ' ', 'g'), c.rounds + 1
    from conditions as c
    where c.text ~ '\([^()]*\)' and c.rounds < 20
)
select
    c.oid::regprocedure::text as object,
    format('refuses nothing where this is null: %s', left(btrim(c.condition), 200)) as found,
    '-- (a = b) is not true, or a is distinct from b' as fix
from conditions as c
where
    c.text !~ '\([^()]*\)'
    and (
        c.text ~ '[<>=]|!='
        or c.text ~ '\mnot\M\s*(?!\s|exists\M|found\M|null\M|true\M|false\M|distinct\M)'
    )
order by 1, 2
