-- warning: A policy fails without a context
--
-- current_setting(name) without `true` raises an error on a connection that never set it, and returns the empty string
-- on one that did: whether the statement fails depends on the earlier use of the connection.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    call.name[1] as found,
    format('-- alter policy %I on %s …, with current_setting(name, true)', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
cross join lateral regexp_matches(
    concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
    '(current_setting\([^,()]*\))', 'g'
) as call (name)
order by 1, 2
