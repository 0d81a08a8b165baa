-- error: A policy compares by a pattern
--
-- With LIKE or a regular expression, a context of `%` matches every row.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    e.expression as found,
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
cross join lateral (
    select concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as expression
) as e
where e.expression ~ ' !?~~?\*? |similar_to_escape|like_escape|starts_with\('
order by 1
